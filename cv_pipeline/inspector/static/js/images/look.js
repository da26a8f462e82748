// How the pixels of a picture are seen: bands, window, gamma, colour map; part of the address.

import { api } from "../app.js";
import { el, settled, short } from "./dom.js";

const NAMES = ["preset", "bands", "low", "high", "gamma", "map", "invert", "frame"];

export class Look {
  /**
   * @param {object} given base: address of images, changed(): the view has changed, wait(on).
   */
  constructor(given) {
    Object.assign(this, given);
    const address = new URLSearchParams(location.search);
    this.settings = Object.fromEntries(NAMES.filter((name) => address.get(name)).map((name) => [name, address.get(name)]));
    this.tell = settled(60, () => this.changed());
    this.body = el("div", { class: "side-body" }, el("p", { class: "soft" }, "…"));
    this.facts = null;
  }

  /** As the end of an address, beginning with "&" or empty. */
  get text() {
    const made = new URLSearchParams(this.settings).toString();
    return made && `&${made}`;
  }

  /** Read what there is to choose of an image. */
  async read(id) {
    this.controller?.abort();
    this.controller = new AbortController();
    try {
      this.facts = await api("GET", `${this.base}/${id}/pixels?${new URLSearchParams(this.settings)}`, undefined, { signal: this.controller.signal });
      this.show();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.facts = null;
      this.body.replaceChildren(el("p", { class: "soft" }, error.message));
    }
  }

  set(change) {
    this.settings = Object.fromEntries(Object.entries({ ...this.settings, ...change }).filter(([, value]) => value !== "" && value !== null && value !== undefined));
    this.tell();
    this.again ??= settled(200, () => this.id && this.read(this.id));
    this.again();
  }

  reset() {
    this.settings = {};
    this.tell();
    if (this.id) this.read(this.id);
  }

  /** Window and level by a drag: across for the width, down for the level. */
  drag(dx, dy) {
    if (!this.facts) return;
    const { view } = this.facts;
    const spread = view.high.map((high, n) => high - view.low[n]);
    view.low = view.low.map((low, n) => low - (dx * spread[n]) / 400 + (dy * spread[n]) / 400);
    view.high = view.high.map((high, n) => Math.max(high + (dx * spread[n]) / 400 + (dy * spread[n]) / 400, view.low[n] + Math.abs(spread[n]) / 200));
    this.settings.low = view.low.map(precise).join(",");
    this.settings.high = view.high.map(precise).join(",");
    this.tell();
    this.again ??= settled(200, () => this.id && this.read(this.id));
    this.again();
  }

  show() {
    const { bands, presets, maps, view, frames, levels, dtype, modality } = this.facts;
    const focused = document.activeElement?.closest?.("[data-look]")?.dataset.look;
    const rows = [];
    const slider = (name, label, control, end) => el("label", { class: end ? "slider" : "slider wide" }, label, control, end);
    if (presets.length > 1) rows.push(slider("preset", "Preset", el("select", { "data-look": "preset", onchange: (event) => { this.settings = {}; this.set({ preset: event.target.value }); } }, ...presets.map((p) => el("option", { value: p.name, selected: p.name === this.settings.preset }, p.title)))));
    if (bands.length > 1) rows.push(...this.bandControls(bands, view));
    const one = view.bands.length === 1 || view.index || new Set(view.low).size === 1;
    const of = one ? [0] : view.low.map((_, n) => n);
    const range = view.index ? { least: -1, greatest: 1 } : bands[view.bands[0]] ?? {};
    for (const n of of) {
      const band = one ? range : bands[view.bands[n]];
      const [least, greatest] = [Math.min(band.least ?? 0, view.low[n]), Math.max(band.greatest ?? 255, view.high[n])];
      const suffix = one ? "" : ` ${["R", "G", "B"][n]}`;
      for (const end of ["low", "high"]) {
        const change = (value) => { const all = one ? view[end].map(() => value) : [...view[end]]; all[n] = value; this.set({ [end]: all.map(precise).join(",") }); };
        const number = el("input", { type: "number", step: "any", value: precise(view[end][n]), "aria-label": `${end}${suffix}, number`, "data-look": `${end}${n}#`, onchange: (event) => change(Number(event.target.value)) });
        const slide = el("input", { type: "range", min: least, max: greatest, step: (greatest - least) / 500 || 1, value: view[end][n], "aria-label": `${end}${suffix}`, "data-look": `${end}${n}`, oninput: (event) => { number.value = precise(Number(event.target.value)); change(Number(event.target.value)); } });
        rows.push(slider(end, `${end === "low" ? "Black" : "White"}${suffix}`, slide, number));
      }
    }
    const gamma = el("output", {}, view.gamma.toFixed(2));
    rows.push(slider("gamma", "Gamma", el("input", { type: "range", min: -1, max: 1, step: 0.02, value: Math.log10(view.gamma) * 2, "data-look": "gamma", oninput: (event) => { const value = 10 ** (event.target.value / 2); gamma.textContent = value.toFixed(2); this.set({ gamma: value.toFixed(3) }); } }), gamma));
    if (view.bands.length === 1 || view.index) rows.push(slider("map", "Colours", el("select", { "data-look": "map", onchange: (event) => this.set({ map: event.target.value }) }, ...maps.map((name) => el("option", { value: name, selected: name === view.map }, name)))));
    if (frames > 1) rows.push(slider("frame", "Picture", el("input", { type: "number", min: 0, max: frames - 1, value: this.settings.frame ?? 0, "data-look": "frame", onchange: (event) => this.set({ frame: event.target.value }) }), el("output", {}, `of ${frames}`)));
    rows.push(el("div", { class: "row" },
      el("label", { class: "choice" }, el("input", { type: "checkbox", checked: view.invert, "data-look": "invert", onchange: (event) => this.set({ invert: event.target.checked ? "true" : "" }) }), "Invert"),
      el("span", { class: "tools-gap" }),
      el("button", { type: "button", class: "small plain", onclick: () => this.reset() }, "As it was")));
    rows.push(el("p", { class: "hint" }, [`${bands.length} ${bands.length === 1 ? "band" : "bands"} of ${dtype}`, modality, view.unit && `in ${view.unit}`, levels.length > 2 && `${levels.length} levels of tiles`].filter(Boolean).join(" · ")));
    this.body.replaceChildren(...rows);
    if (focused) this.body.querySelector(`[data-look="${CSS.escape(focused)}"]`)?.focus();
  }

  bandControls(bands, view) {
    const one = view.bands.length === 1 && !view.index;
    const now = view.bands.length === 3 ? view.bands : Array(3).fill(view.bands[0]);
    const choose = (chosen, label, change) => el("select", { "aria-label": label, "data-look": `band ${label}`, onchange: (event) => change(Number(event.target.value)) }, ...bands.map((band) => el("option", { value: band.number, selected: band.number === chosen }, band.name || `band ${band.number + 1}`)));
    const to = (chosen) => { const { low, high, preset, map, ...rest } = this.settings; this.settings = rest; this.set({ bands: chosen.join(",") }); };
    const how = el("select", { "aria-label": "How many bands", "data-look": "band how", onchange: (event) => to(event.target.value === "1" ? [now[0]] : now.map((band, n) => (new Set(now).size > 1 ? band : Math.min(n, bands.length - 1)))) },
      el("option", { value: "1", selected: one }, "one at a time"), bands.length > 2 ? el("option", { value: "3", selected: !one }, "three as red, green and blue") : null);
    const controls = one ? [choose(now[0], "Band", (band) => to([band]))] : ["red", "green", "blue"].map((name, n) => choose(now[n], `Band seen ${name}`, (band) => to(now.map((old, m) => (m === n ? band : old)))));
    return [el("label", { class: "slider wide" }, "Bands", how), el("div", { class: "bands" }, ...controls)];
  }
}

/** A number with six digits at most. */
const precise = (value) => String(Number(Number(value).toPrecision(6)));

/** What a picture says at a place, as text. */
export function told(probe) {
  const values = probe.values.map((v) => `${v.name} ${v.value === null ? "–" : short(v.value)}${v.unit ? ` ${v.unit}` : ""}`);
  const shown = values.length > 6 ? [...values.slice(0, 6), "…"] : values;
  return `${probe.x}, ${probe.y}   ${shown.join("   ")}`;
}
