// The cells in sight: laid out, filled as their items come, and reused from what the page brought.

import { el } from "./dom.js";
import { boundsOf, counted, drawing, inFocus } from "./marks.js";
import { Scroller } from "./scroller.js";

const GAP = 4;
const EDGE = 6;
const SIDES = [96, 128, 192, 256, 384, 512, 768];

export class Sheet {
  /**
   * @param {object} parts stage, sheet.
   * @param {object} given rows, href(item, position), focus() and how(), chosen: Set of ids.
   */
  constructor({ stage, sheet }, given) {
    Object.assign(this, given);
    this.stage = stage;
    this.sheet = sheet;
    this.cells = new Map();
    this.size = 128;
    this.aspect = 1;
    this.total = 0;
    this.columns = 1;
    this.scroller = new Scroller(stage, sheet, (jumped) => this.show(jumped));
    for (const cell of sheet.querySelectorAll(".cell")) this.cells.set(Number(cell.dataset.at), this.adopted(cell));
    sheet.classList.add("live");
    new ResizeObserver(() => this.measure()).observe(stage);
  }

  /** Position of the first image in sight. */
  get first() {
    return Math.min(Math.max(0, this.total - 1), Math.floor((this.scroller.top + this.rowHeight / 2) / this.rowHeight) * this.columns);
  }

  /** Images that fit on the screen at once. */
  get inSight() {
    return this.columns * Math.max(1, Math.floor((this.stage.clientHeight - EDGE) / this.rowHeight));
  }

  /** Lay out so many images, and show them from a position on. */
  begin({ total, aspect, position = 0, keep = false }) {
    this.total = total;
    this.aspect = aspect;
    if (!keep) this.clear();
    this.layOut(position);
  }

  /** Another size of cells; what is in sight stays. */
  resize(size) {
    const first = this.first;
    this.size = size;
    this.layOut(first);
  }

  /** Draw all cells again: what is drawn on them has changed. */
  redraw() {
    for (const cell of this.cells.values()) if (cell.item) this.draw(cell);
  }

  /** Fill cells whose items have come. */
  fill() {
    for (const [at, cell] of this.cells) if (!cell.item) this.put(cell, at);
  }

  /** Bring a position into sight, and give its cell the focus. */
  focus(position) {
    const at = Math.max(0, Math.min(position, this.total - 1));
    const top = Math.floor(at / this.columns) * this.rowHeight;
    if (top < this.scroller.top) this.scroller.to(top);
    else if (top + this.rowHeight > this.scroller.top + this.scroller.sight) this.scroller.to(top + this.rowHeight - this.scroller.sight + EDGE);
    this.cells.get(at)?.node.focus({ preventScroll: true });
  }

  /** Show from a position on. */
  to(position) {
    this.scroller.to(Math.floor(position / this.columns) * this.rowHeight);
  }

  measure() {
    const width = this.stage.clientWidth;
    if (width === this.width && this.stage.clientHeight === this.seen) return;
    const first = this.first || 0;
    this.seen = this.stage.clientHeight;
    if (width === this.width) this.show(false);
    else this.layOut(first);
  }

  layOut(position) {
    this.width = this.stage.clientWidth;
    const room = this.width - 2 * EDGE + GAP;
    this.columns = Math.max(1, Math.round(room / (this.size + GAP)));
    this.cellWidth = Math.floor(room / this.columns) - GAP;
    this.cellHeight = Math.round(this.cellWidth / this.aspect);
    this.rowHeight = this.cellHeight + GAP;
    for (const [at, cell] of this.cells) this.put(cell, at);
    const rows = Math.ceil(this.total / this.columns);
    this.scroller.resize(rows * this.rowHeight + 2 * EDGE, Math.floor(position / this.columns) * this.rowHeight);
  }

  show(jumped) {
    if (!this.rowHeight) return;
    const margin = jumped ? 1 : 2;
    const top = this.scroller.top;
    const from = Math.max(0, Math.floor(top / this.rowHeight) - margin) * this.columns;
    const to = Math.min(this.total, Math.ceil((top + this.scroller.sight) / this.rowHeight + margin) * this.columns);
    for (const [at, cell] of this.cells) if (at < from || at >= to) this.drop(at, cell);
    for (let at = from; at < to; at++) {
      if (this.cells.has(at)) this.place(this.cells.get(at).node, at);
      else this.cells.set(at, this.made(at));
    }
    this.rows.want(from, to);
    this.seenFrom?.(this.first);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.rows.want(to, Math.min(this.total, to + 2 * this.inSight)), 120);
  }

  made(at) {
    const image = el("img", { alt: "", decoding: "async", draggable: false });
    const node = el("a", { class: "cell", "data-at": String(at) }, image);
    const cell = this.adopted(node);
    this.put(cell, at);
    this.sheet.append(node);
    return cell;
  }

  adopted(node) {
    const image = node.querySelector("img");
    const cell = { node, image, item: null, drawn: null };
    image.addEventListener("error", () => this.gone(cell, cell.item?.taken_out ? "taken out" : "no picture"));
    // one that came with the page may have failed before anybody listened
    if (image.getAttribute("src") && image.complete && !image.naturalWidth) this.gone(cell, "no picture");
    return cell;
  }

  /** Place a cell, and fill it when its item is here. */
  put(cell, at) {
    const { node } = cell;
    node.style.width = `${this.cellWidth}px`;
    node.style.height = `${this.cellHeight}px`;
    this.place(node, at);
    const item = this.rows.at(at);
    if (!item) return;
    const side = SIDES.find((s) => s >= this.cellWidth * Math.min(2, devicePixelRatio || 1)) ?? 1024;
    const fresh = cell.item !== item;
    cell.item = item;
    if (fresh) {
      node.href = this.href(item, at);
      node.dataset.id = item.id;
      node.title = item.path;
      cell.image.alt = "";
      node.classList.toggle("on", this.chosen.has(item.id));
      if (!node.querySelector(".cell-tick")) node.append(el("span", { class: "cell-tick", "aria-hidden": "true" }));
    }
    if (item.taken_out) this.gone(cell, "taken out");
    else if (!cell.image.getAttribute("src") || (fresh && !cell.image.getAttribute("src").includes(item.id)) || (cell.side ?? 256) < side) {
      cell.side = Math.max(side, cell.side ?? 0);
      cell.image.src = `${this.base}/${item.id}/thumbnail?size=${cell.side}`;
    }
    this.draw(cell);
  }

  place(node, at) {
    const x = EDGE + (at % this.columns) * (this.cellWidth + GAP);
    const y = this.scroller.place(EDGE + Math.floor(at / this.columns) * this.rowHeight);
    node.style.transform = `translate(${x}px, ${y}px)`;
  }

  draw(cell) {
    const { item, node } = cell;
    const how = this.how();
    const focus = this.focusOf();
    const marks = how.all ? item.marks : item.marks.filter((mark) => inFocus(mark, focus));
    const scale = Math.min(this.cellWidth / item.width, this.cellHeight / item.height);
    const made = drawing(item, marks, { scale, names: how.names ?? this.cellWidth >= 190, labels: how.labels });
    if (cell.drawn) cell.drawn.replaceWith(made);
    else node.append(made);
    cell.drawn = made;
    node.querySelector(":scope > .cell-note, :scope > .cell-notes")?.remove();
    const note = this.note(item);
    if (note) node.append(note);
    node.setAttribute("aria-label", this.told(item, marks));
  }

  note(item) {
    if (item.predicted || (item.truth && item.correct !== null)) {
      return el("span", { class: `cell-note ${item.correct ? "right" : "wrong"}` }, item.correct ? item.predicted : `${item.predicted ?? "nothing"} ≠ ${item.truth}`);
    }
    const whole = item.marks.filter((mark) => !boundsOf(mark)).map((mark) => (mark.geometry === "tag" ? `#${mark.label}` : mark.label));
    if (whole.length) return el("span", { class: "cell-notes" }, ...[...new Set(whole)].map((text) => el("span", { class: "cell-note" }, text)));
    if (item.score === null || item.score === undefined) return null;
    return el("span", { class: `cell-note ${item.correct ? "right" : ""}` }, item.correct ? "✓" : item.score.toFixed(2));
  }

  told(item, marks) {
    const chosen = this.chosen.has(item.id) ? "selected, " : "";
    const score = item.score === null || item.score === undefined ? "" : `, score ${item.score.toFixed(2)}`;
    return `${chosen}${item.path}, ${counted(marks)}${score}`;
  }

  gone(cell, why) {
    cell.node.classList.add("gone");
    cell.node.dataset.gone = why;
  }

  drop(at, cell) {
    if (cell.node === document.activeElement) this.stage.focus({ preventScroll: true });
    if (!cell.image.complete) cell.image.removeAttribute("src"); // what nobody sees need not come
    cell.node.remove();
    this.cells.delete(at);
  }

  clear() {
    for (const [at, cell] of [...this.cells]) this.drop(at, cell);
  }
}
