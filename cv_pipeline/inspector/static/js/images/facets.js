// Filters beside the grid: values with live counts, and numbers with their spread.

import { count, el, settled, short, svg } from "./dom.js";
import { colourOf } from "./marks.js";

const SHOWN = 8;
const FIND_FROM = 16;
const FOLDED = ["brightness", "contrast", "sharpness", "format"];

export class FacetList {
  /**
   * @param {HTMLElement} list where the filters are.
   * @param {object} given click(facet, value, how), range(facet, low, high), labels.
   */
  constructor(list, given) {
    this.list = list;
    Object.assign(this, given);
    this.open = new Map();
    this.all = new Set();
    this.found = new Map();
  }

  /** Counts are on their way. */
  wait() {
    this.list.classList.add("counting");
  }

  /** Show counts. */
  show({ facets, total }) {
    this.list.classList.remove("counting");
    this.last = { facets, total };
    const focused = document.activeElement?.closest?.("[data-facet-key]")?.dataset.facetKey;
    this.list.replaceChildren(...facets.map((facet) => this.facet(facet, total)));
    if (focused) this.list.querySelector(`[data-facet-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  facet(facet, total) {
    const key = `${facet.of}:${facet.name}`;
    const chosen = facet.values.some((value) => value.chosen) || (facet.range && (facet.range.low !== null || facet.range.high !== null));
    const open = this.open.get(key) ?? (chosen || !FOLDED.includes(facet.name));
    const head = el("button", {
      class: "facet-head", type: "button", "aria-expanded": String(open), "data-facet-key": `${key}/head`,
      onclick: () => { this.open.set(key, !open); this.show(this.last); },
    }, facet.title, el("small", {}, chosen ? "filtered" : open ? "" : "+"));
    const body = open ? (facet.range ? this.spread(facet) : this.values(facet, key, total)) : null;
    return el("section", { class: "facet" }, head, body);
  }

  values(facet, key, total) {
    const finding = this.found.get(key) ?? "";
    let values = facet.values.filter((value) => value.title.toLowerCase().includes(finding.toLowerCase()));
    const hidden = this.all.has(key) || finding ? 0 : Math.max(0, values.length - SHOWN);
    if (hidden) values = values.filter((value, at) => at < SHOWN || value.chosen);
    const most = Math.max(1, total, ...facet.values.map((value) => value.count));
    const list = el("ul", {}, ...values.map((value) => this.value(facet, value, most)));
    const find = facet.values.length >= FIND_FROM ? el("input", {
      class: "facet-find", type: "search", placeholder: `Find among ${facet.values.length + facet.more}`, value: finding, "aria-label": `Find a value of ${facet.title}`, "data-facet-key": `${key}/find`,
      oninput: settled(150, (event) => { this.found.set(key, event.target.value); this.show(this.last); }),
    }) : null;
    const more = hidden || this.all.has(key) && facet.values.length > SHOWN ? el("button", {
      class: "facet-more", type: "button",
      onclick: () => { if (this.all.has(key)) this.all.delete(key); else this.all.add(key); this.show(this.last); },
    }, hidden ? `${hidden + facet.more} more` : "fewer") : null;
    return el("div", {}, find, list, more);
  }

  value(facet, value, most) {
    const coloured = facet.name === "label";
    const bar = svg("svg", { class: "facet-bar", viewBox: "0 0 100 2", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { width: (100 * value.count / most).toFixed(2), height: 2 }));
    const pick = el("button", {
      class: `facet-value ${value.chosen === "out" ? "out" : ""}`, type: "button", "aria-pressed": String(value.chosen === "in"), title: value.title,
      "data-facet-key": `${facet.of}:${facet.name}/${value.value}`,
      onclick: (event) => this.click(facet, value, event.altKey ? "exclude" : "toggle"),
    }, coloured ? el("i", { class: `facet-dot class-${colourOf(value.title, this.labels)}` }) : null, el("span", {}, value.title), el("output", {}, count(value.count)), bar);
    const without = facet.of === "query" && facet.name !== "state" && value.value !== null && typeof value.value !== "boolean" ? el("button", {
      class: "facet-out", type: "button", "aria-pressed": String(value.chosen === "out"), "aria-label": `Images without ${value.title}`, title: `without ${value.title}`,
      onclick: () => this.click(facet, value, "exclude"),
    }, "–") : null;
    return el("li", {}, pick, without);
  }

  spread(facet) {
    const { least, most, counts, low, high } = facet.range;
    const top = Math.max(...counts, 1);
    const step = (most - least) / counts.length;
    const inside = (at) => (low === null || least + (at + 1) * step > low) && (high === null || least + at * step < high);
    const picture = svg("svg", { class: "spread", viewBox: `0 0 ${counts.length * 4} 44`, preserveAspectRatio: "none", role: "img", "aria-label": `Spread of ${facet.title}, ${short(least)} to ${short(most)}` },
      ...counts.map((value, at) => svg("rect", { x: at * 4, y: 44 - Math.max(value ? 2 : 0, 44 * Math.sqrt(value / top)), width: 3.4, height: Math.max(value ? 2 : 0, 44 * Math.sqrt(value / top)), class: inside(at) ? "in" : "" })));
    this.brush(picture, counts.length * 4, (from, to) => this.range(facet, from <= 0 ? null : least + from * (most - least), to >= 1 ? null : least + to * (most - least)));
    const end = (name, value, placeholder) => el("input", {
      type: "number", step: "any", inputMode: "decimal", value: value === null ? "" : Number(value.toPrecision(4)), placeholder: short(placeholder), "aria-label": `${facet.title} ${name}`, "data-facet-key": `${facet.name}/${name}`,
      onchange: () => {
        const [from, to] = [...ends.querySelectorAll("input")].map((input) => (input.value === "" ? null : Number(input.value)));
        this.range(facet, from, to);
      },
    });
    const ends = el("div", { class: "spread-ends" }, end("at least", low, least), el("span", { class: "faint" }, "to"), end("at most", high, most));
    return el("div", {}, picture, ends);
  }

  /** Drag over a spread to choose a part of it. */
  brush(picture, width, chosen) {
    let from = null;
    const mark = svg("rect", { class: "brush", y: 0, height: 44, width: 0 });
    const share = (event) => {
      const box = picture.getBoundingClientRect();
      return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    };
    picture.append(mark);
    picture.addEventListener("pointerdown", (event) => { from = share(event); picture.setPointerCapture(event.pointerId); });
    picture.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const to = share(event);
      mark.setAttribute("x", Math.min(from, to) * width);
      mark.setAttribute("width", Math.abs(to - from) * width);
    });
    picture.addEventListener("pointerup", (event) => {
      const to = share(event);
      if (from !== null && Math.abs(to - from) > 0.01) chosen(Math.min(from, to), Math.max(from, to));
      else chosen(0, 1);
      from = null;
    });
  }
}
