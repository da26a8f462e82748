// What could come next in the query box: names of fields, then their values.

import { api } from "../app.js";
import { el } from "./dom.js";

const MOST = 40;
let words = null;

export class Completions {
  /**
   * @param {HTMLElement} list
   * @param {HTMLTextAreaElement} box
   * @param {object} given project, facets.
   */
  constructor(list, box, given) {
    Object.assign(this, given);
    this.list = list;
    this.box = box;
    this.at = -1;
    box.setAttribute("aria-autocomplete", "list");
    box.addEventListener("input", () => this.look());
    box.addEventListener("keydown", (event) => this.key(event), true);
    box.addEventListener("blur", () => setTimeout(() => this.close(), 120));
  }

  async look() {
    words ??= await api("GET", `/p/${encodeURIComponent(this.project)}/images/words`).catch(() => ({ words: [] }));
    const before = this.box.value.slice(0, this.box.selectionStart);
    const value = /([\w.]+|metadata\['[^']*'\])\s*(?:=|!=|in\s*\((?:[^)]*,)?)\s*'((?:[^']|'')*)$/i.exec(before);
    const name = /(?:^|[\s(,])([a-z_][\w.]*)$/i.exec(before);
    if (value) this.offer(this.values(value[1], value[2]), value[2].length);
    else if (name && !/'[^']*$/.test(before.replaceAll(/'[^']*'/g, ""))) this.offer(this.names(name[1]), name[1].length);
    else this.close();
  }

  names(begun) {
    const text = begun.toLowerCase();
    const all = [...words.words, ...this.keys()];
    return all.filter((w) => w.text.toLowerCase().startsWith(text) && w.text.toLowerCase() !== text).slice(0, MOST);
  }

  /** Metadata keys that are known from the filters. */
  keys() {
    const facets = this.facets.last?.facets ?? [];
    return facets.filter((f) => f.name.startsWith("metadata:")).map((f) => ({ text: operand(f.name), about: "metadata" }));
  }

  values(field, begun) {
    const facet = this.facets.last?.facets.find((f) => f.of === "query" && (operand(f.name) === field || `${f.name}s` === field));
    const text = begun.replaceAll("''", "'").toLowerCase();
    return (facet?.values ?? []).filter((v) => typeof v.value === "string" && v.value.toLowerCase().includes(text)).slice(0, MOST)
      .map((v) => ({ text: `${v.value.replaceAll("'", "''")}'`, about: `${v.count.toLocaleString("en-US")} images` }));
  }

  offer(words_, begun) {
    this.begun = begun;
    this.offered = words_;
    this.at = -1;
    this.list.hidden = !words_.length;
    this.list.replaceChildren(...words_.map((word, at) => el("li", { role: "option", id: `completion-${at}`, "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); this.take(at); } }, el("code", {}, word.text), el("small", {}, word.about))));
    if (!words_.length) this.box.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list.hidden = true;
    this.at = -1;
    this.box.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (this.list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.at = (this.at + step + this.offered.length) % this.offered.length;
      [...this.list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === this.at)));
      this.list.children[this.at].scrollIntoView({ block: "nearest" });
      this.box.setAttribute("aria-activedescendant", `completion-${this.at}`);
    } else if ((event.key === "Tab" && this.offered.length) || (event.key === "Enter" && this.at >= 0)) {
      event.preventDefault();
      this.take(Math.max(0, this.at));
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    }
  }

  take(at) {
    const end = this.box.selectionStart;
    const word = this.offered[at].text;
    this.box.setRangeText(word, end - this.begun, end, "end");
    this.close();
    this.box.dispatchEvent(new Event("input"));
  }
}

/** A filter's name as a query writes it. */
function operand(name) {
  const [field, ...key] = name.split(":");
  if (!key.length) return field;
  const inner = key.join(":");
  return /^[A-Za-z_]\w*$/.test(inner) ? `${field}.${inner}` : `${field}['${inner.replaceAll("'", "''")}']`;
}
