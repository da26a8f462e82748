// A picture on a canvas: zoomed and moved to its single pixels, with labels and their names over it.
// Several panes show the same place of the picture with different labels.

import { bonesOf, boundsOf, pathOf, pointsOf, ringsOf } from "./marks.js";
import { Tiles } from "./tiles.js";

const EDGE = 12;
const CLOSEST = 64;
/** CSS pixels that one may miss a line or a key point by. */
const NEAR = 5;

export class Viewer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} given zoomed(scale), hovered(place | null), window(dx, dy), picked(mark), failed().
   */
  constructor(canvas, given) {
    Object.assign(this, given);
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.panes = [{ title: "", marks: [] }];
    this.names = true;
    this.boxes = true;
    this.lit = null;
    this.windowing = false;
    this.view = { x: 0, y: 0, scale: 1 };
    this.fitted = true;
    this.pointers = new Map();
    this.tiles = new Tiles(() => this.draw());
    this.colours = getComputedStyle(document.documentElement);
    new ResizeObserver(() => this.measure()).observe(canvas);
    this.listen();
  }

  /** Show a picture: its size, where it comes from, and a still of it that is here already. */
  show({ width, height, source, still = null }) {
    const same = this.size && this.size.width === width && this.size.height === height;
    this.size = { width, height };
    this.still = still;
    this.over = null;
    this.tiles.begin(width, height, source);
    if (!same || this.fitted) this.fit();
    this.draw();
  }

  /** Another rendering of the same picture; the old one stays until it is here. */
  rerender(source) {
    this.tiles.begin(this.size.width, this.size.height, source, { keep: true });
    this.draw();
  }

  measure() {
    const { canvas } = this;
    this.ratio = devicePixelRatio || 1;
    this.width = canvas.clientWidth;
    this.height = canvas.clientHeight;
    canvas.width = Math.round(this.width * this.ratio);
    canvas.height = Math.round(this.height * this.ratio);
    if (this.size && this.fitted) this.fit();
    else this.draw();
  }

  /** Panes side by side: as many as make the picture largest. */
  get columns() {
    if (!this.size || this.panes.length < 2) return 1;
    const { width, height } = this.size;
    const scale = (columns) => Math.min(this.width / columns / width, this.height / Math.ceil(this.panes.length / columns) / height);
    let best = 1;
    for (let columns = 2; columns <= this.panes.length; columns++) if (scale(columns) > scale(best)) best = columns;
    return best;
  }

  /** Width of one pane. */
  get room() {
    return this.width / this.columns;
  }

  /** Height of one pane. */
  get rise() {
    return this.height / Math.ceil(this.panes.length / this.columns);
  }

  fitScale() {
    return Math.min((this.room - 2 * EDGE) / this.size.width, (this.rise - 2 * EDGE) / this.size.height);
  }

  fit() {
    if (!this.size || !this.width) return;
    const scale = Math.max(this.fitScale(), 1e-4);
    this.fitted = true;
    this.set(scale, (this.room - this.size.width * scale) / 2, (this.rise - this.size.height * scale) / 2);
  }

  /** Zoom so that a pixel of the picture is so many CSS pixels, keeping a place where it is. */
  zoomTo(scale, at = { x: this.room / 2, y: this.rise / 2 }) {
    const to = Math.max(this.fitScale() / 4, Math.min(scale, CLOSEST));
    const { view } = this;
    this.fitted = false;
    this.set(to, at.x - (at.x - view.x) * (to / view.scale), at.y - (at.y - view.y) * (to / view.scale));
  }

  zoomBy(factor, at) {
    this.zoomTo(this.view.scale * factor, at);
  }

  oneToOne(at) {
    this.zoomTo(1 / this.ratio, at);
  }

  moveBy(x, y) {
    this.fitted = false;
    this.set(this.view.scale, this.view.x + x, this.view.y + y);
  }

  set(scale, x, y) {
    const [w, h] = [this.size.width * scale, this.size.height * scale];
    const keep = (place, length, room) => (length <= room ? Math.max(-length / 2, Math.min(place, room - length / 2)) : Math.max(room / 2 - length, Math.min(place, room / 2)));
    this.view = { scale, x: keep(x, w, this.room), y: keep(y, h, this.rise) };
    this.zoomed(scale);
    this.draw();
  }

  /** Put a mark into the middle, at a size to look at. */
  goTo(mark) {
    const box = boundsOf(mark);
    if (!box) return;
    const [x, y, w, h] = [box[0] * this.size.width, box[1] * this.size.height, box[2] * this.size.width, box[3] * this.size.height];
    const scale = Math.max(this.fitScale(), Math.min(0.5 * Math.min(this.room / Math.max(w, 1), this.rise / Math.max(h, 1)), CLOSEST));
    this.fitted = false;
    this.set(scale, this.room / 2 - (x + w / 2) * scale, this.rise / 2 - (y + h / 2) * scale);
  }

  draw() {
    if (this.drawing || !this.size || !this.width) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.paint();
    });
  }

  paint() {
    const { context, ratio, view, size } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const { room, rise, columns } = this;
    this.panes.forEach((pane, at) => {
      const [left, top] = [(at % columns) * room, Math.floor(at / columns) * rise];
      context.save();
      context.beginPath();
      context.rect(left, top, room, rise);
      context.clip();
      context.translate(left, top);
      context.imageSmoothingEnabled = view.scale * ratio < 2;
      context.imageSmoothingQuality = "high";
      const seen = { x0: Math.max(0, -view.x / view.scale), y0: Math.max(0, -view.y / view.scale), x1: Math.min(size.width, (room - view.x) / view.scale), y1: Math.min(size.height, (rise - view.y) / view.scale) };
      this.drawn = this.tiles.paint(context, view, seen, ratio, this.still) || this.drawn;
      if (this.over) {
        context.globalAlpha = this.over.strength;
        context.drawImage(this.over.image, view.x, view.y, size.width * view.scale, size.height * view.scale);
        context.globalAlpha = 1;
      }
      if (this.boxes) for (const mark of pane.marks) this.paintMark(mark);
      if (pane.title) this.paintTitle(pane.title);
      context.restore();
      context.fillStyle = "rgb(255 255 255 / 35%)";
      if (left) context.fillRect(left, top, 1, rise);
      if (top) context.fillRect(left, top, room, 1);
    });
    this.painted?.();
  }

  paintMark(mark) {
    const box = boundsOf(mark);
    if (!box) return;
    const { context, view, size } = this;
    const [x, y] = [view.x + box[0] * size.width * view.scale, view.y + box[1] * size.height * view.scale];
    const lit = this.lit === mark;
    const colour = this.colours.getPropertyValue(mark.colour).trim() || "#fff";
    const points = pointsOf(mark);
    const path = this.onScreen(this.pathOf(mark));
    context.save();
    context.lineJoin = "round";
    if (ringsOf(mark).length) {
      context.globalAlpha = (mark.geometry === "mask" ? 0.32 : 0.14) + (lit ? 0.14 : 0);
      context.fillStyle = colour;
      context.fill(path, "evenodd");
      context.globalAlpha = 1;
    }
    context.lineWidth = points.length ? 3 : lit ? 6 : 4;
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    context.stroke(path);
    context.setLineDash(mark.dash ?? []);
    context.lineWidth = points.length ? 1.5 : lit ? 3.5 : 2;
    context.strokeStyle = colour;
    context.stroke(path);
    context.restore();
    points.forEach((point) => this.paintPoint(point, colour, lit));
    if (this.names || lit) this.paintName(mark.name, x, y, colour);
  }

  /** A key point: full where it is seen, hollow where it is hidden. */
  paintPoint(point, colour, lit) {
    const { context, view, size } = this;
    const [x, y] = [view.x + point.x * size.width * view.scale, view.y + point.y * size.height * view.scale];
    context.beginPath();
    context.arc(x, y, lit ? 6 : 4.5, 0, 2 * Math.PI);
    context.fillStyle = point.visible ? colour : "rgb(0 0 0 / 60%)";
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = point.visible ? "rgb(0 0 0 / 70%)" : colour;
    context.stroke();
    if (lit) this.paintName(point.visible ? point.name : `${point.name} (hidden)`, x + 8, y + 17, colour);
  }

  paintName(text, x, y, colour) {
    const { context } = this;
    context.font = "600 12px system-ui, sans-serif";
    const width = context.measureText(text).width + 8;
    const top = y >= 17 ? y - 17 : Math.min(y + 1, this.rise - 17);
    const left = Math.max(0, Math.min(x - 1, this.room - width));
    context.fillStyle = "rgb(0 0 0 / 78%)";
    context.fillRect(left, top, width, 16);
    context.fillStyle = colour;
    context.fillText(text, left + 4, top + 12);
  }

  /** The lines of a mark, in pixels of the picture; made once. */
  pathOf(mark) {
    const kept = this.paths ??= new WeakMap();
    if (!kept.has(mark)) {
      const { size } = this;
      const drawn = ringsOf(mark).length ? pathOf(mark, size) : pointsOf(mark).length ? bonesOf(mark, size) : "";
      const made = new Path2D(drawn);
      const box = boundsOf(mark);
      if (!drawn) made.rect(box[0] * size.width, box[1] * size.height, box[2] * size.width, box[3] * size.height);
      kept.set(mark, made);
    }
    return kept.get(mark);
  }

  /** A path of the picture where it is seen, so that its lines are as thick at every size. */
  onScreen(path) {
    const { view } = this;
    const made = new Path2D();
    made.addPath(path, new DOMMatrix([view.scale, 0, 0, view.scale, view.x, view.y]));
    return made;
  }

  paintTitle(title) {
    const { context } = this;
    context.font = "600 12.5px system-ui, sans-serif";
    const width = context.measureText(title).width + 16;
    context.fillStyle = "rgb(0 0 0 / 75%)";
    context.fillRect(8, 8, width, 24);
    context.fillStyle = "#fff";
    context.fillText(title, 16, 24.500);
  }

  /** Place of a pointer in its pane, and in the picture. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const [column, row] = [Math.floor(x / this.room), Math.floor(y / this.rise)];
    const pane = Math.max(0, Math.min(this.panes.length - 1, row * this.columns + column));
    const at = { x: x - column * this.room, y: y - row * this.rise };
    return { ...at, pane, px: (at.x - this.view.x) / this.view.scale, py: (at.y - this.view.y) / this.view.scale };
  }

  /** The smallest mark at a place. */
  markAt({ pane, px, py }) {
    const area = (mark) => { const [, , w, h] = boundsOf(mark); return w * h; };
    return this.panes[pane].marks.filter((mark) => this.covers(mark, px, py)).sort((a, b) => area(a) - area(b))[0] ?? null;
  }

  /** Whether a mark is at a place of the picture, or so near that it is meant. */
  covers(mark, px, py) {
    const box = boundsOf(mark);
    if (!box) return false;
    const { context, size } = this;
    const near = NEAR / this.view.scale;
    const [left, top] = [box[0] * size.width, box[1] * size.height];
    const around = ringsOf(mark).length || pointsOf(mark).length ? near : 0;
    if (px < left - around || py < top - around || px > left + box[2] * size.width + around || py > top + box[3] * size.height + around) return false;
    if (!ringsOf(mark).length) return true;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.lineWidth = 2 * near;
    const path = this.pathOf(mark);
    const found = context.isPointInPath(path, px, py, "evenodd") || context.isPointInStroke(path, px, py);
    context.restore();
    return found;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => {
      if (!this.size) return;
      event.preventDefault();
      if (event.shiftKey) this.moveBy(-event.deltaY - event.deltaX, 0);
      else this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), this.place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event);
      this.began = { x: event.clientX, y: event.clientY };
      canvas.classList.add("moving");
    });
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    const up = (event) => {
      const clicked = this.pointers.size === 1 && event.type === "pointerup" && Math.hypot(event.clientX - this.began.x, event.clientY - this.began.y) < 4;
      this.pointers.delete(event.pointerId);
      if (!this.pointers.size) canvas.classList.remove("moving");
      if (clicked && this.size) this.picked?.(this.markAt(this.place(event)));
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.hovered(null));
    canvas.addEventListener("dblclick", (event) => (this.fitted ? this.zoomBy(2.5, this.place(event)) : this.fit()));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  onMove(event) {
    if (!this.size) return;
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      const place = this.place(event);
      const inside = place.px >= 0 && place.py >= 0 && place.px < this.size.width && place.py < this.size.height;
      this.hovered(inside ? { x: Math.floor(place.px), y: Math.floor(place.py) } : null);
      this.last = place;
      return;
    }
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (this.pointers.size === 2) {
      const other = [...this.pointers.values()].find((p) => p.pointerId !== event.pointerId);
      const [was, is] = [before, event].map((p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY));
      const middle = this.place({ clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
      this.moveBy(dx / 2, dy / 2);
      if (was > 0) this.zoomBy(is / was, middle);
    } else if (this.windowing || event.buttons === 2) this.window(dx, dy);
    else this.moveBy(dx, dy);
    this.pointers.set(event.pointerId, event);
  }
}
