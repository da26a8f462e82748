// What is drawn over the picture, by source (labels, outcomes, models) and by class.

import { el } from "./dom.js";
import { colourOf, nameOf } from "./marks.js";

const DASHES = { classification: [9, 3], both: [9, 3, 2, 3], localisation: [2, 3], duplicate: [3, 3], missed: [5, 4] };
const SHORT = 8;

/** The sources of a page: name, title and marks of each. */
export function sourcesOf(page) {
  const found = [];
  if (page.evaluation) {
    found.push({ name: "outcome", title: "Right and wrong", group: "evaluation", marks: page.evaluation.marks });
    found.push({ name: "then", title: "Labels of then", group: "evaluation", marks: page.evaluation.labels });
  }
  const annotators = [...new Set(page.labels.map((mark) => mark.annotator))].sort();
  for (const annotator of annotators) found.push({ name: `now:${annotator}`, title: annotator, group: "labels now", marks: page.labels.filter((mark) => mark.annotator === annotator) });
  if (page.then) found.push({ name: "state", title: stateName(page.then.state), group: "labels then", marks: page.then.labels, problem: page.then.problem });
  for (const said of page.prelabels) found.push({ name: `pre:${said.model.slice(0, 16)}`, title: /^[0-9a-f]{64}$/.test(said.model) ? `model ${said.model.slice(0, SHORT)}` : said.model, group: "pre-labels", marks: said.marks, problem: said.marks.length ? "" : "It suggested nothing." });
  for (const model of page.models.filter((m) => m.chosen)) found.push({ name: `model:${model.model.slice(0, 16)}`, title: `model ${model.model.slice(0, SHORT)}`, group: "models", marks: model.marks, model });
  return found;
}

/** What an earlier state of labels is called. */
export const stateName = (state) => (state.length > 20 ? `dataset ${state.slice(0, SHORT)}` : `version ${state}`);

export class Sources {
  /** @param {object} given changed(), models(list), then(state), page(): what is shown. */
  constructor(given) {
    Object.assign(this, given);
    const address = new URLSearchParams(location.search);
    this.on = address.get("show") ? new Set(address.get("show").split(",")) : null;
    this.off = new Set((address.get("hide") ?? "").split(",").filter(Boolean));
    this.least = address.get("least") ? Number(address.get("least")) : null;
    this.body = el("div", { class: "side-body" });
  }

  begin(page) {
    this.sources = sourcesOf(page);
    this.classes = page.classes;
    if (!this.on || !this.sources.some((source) => this.on.has(source.name))) this.on = this.natural();
    this.show(page);
  }

  /** What is shown where the address does not say. */
  natural() {
    if (this.sources.some((s) => s.name === "state")) return new Set(["state"]);
    const first = this.sources.find((s) => s.name === "outcome" && s.marks.length);
    if (first) return new Set(["outcome"]);
    const labels = this.sources.filter((s) => s.group === "labels now").map((s) => s.name);
    return new Set(labels.length ? labels : this.sources.slice(0, 1).map((s) => s.name));
  }

  /** Parameters that bring the same view back. */
  get parameters() {
    const same = [...this.on].sort().join() === [...this.natural()].sort().join();
    return { show: same ? "" : [...this.on].join(","), hide: [...this.off].join(","), least: this.least ?? "" };
  }

  /** The least score that a prediction of a source is drawn with. */
  leastOf(source) {
    return this.least ?? source.model?.operating_point ?? 0.3;
  }

  marksOf(source) {
    return source.marks.filter((mark) => !this.off.has(mark.label) && (source.group !== "models" || mark.score >= this.leastOf(source))).map((mark) => this.dressed(mark, source));
  }

  dressed(mark, source) {
    const outcome = source.name === "outcome";
    const colour = outcome ? `--mark-${mark.kind === "both" ? "classification" : mark.kind}` : source.name === "then" ? "--mark-truth" : `--class-${colourOf(mark.label, this.classes)}`;
    const kept = this.dressedMarks ??= new WeakMap();
    if (!kept.has(mark)) kept.set(mark, { ...mark, colour, dash: outcome ? DASHES[mark.kind] : source.group === "models" ? [7, 3] : source.group === "pre-labels" ? [2, 4] : source.group === "labels then" ? [10, 3] : null, name: nameOf(mark), source });
    return kept.get(mark);
  }

  /** The marks of all sources that are shown. */
  get marks() {
    return this.sources.filter((source) => this.on.has(source.name)).flatMap((source) => this.marksOf(source));
  }

  /** A pane for each source that is shown: labels first, then models. */
  get panes() {
    return this.sources.filter((source) => this.on.has(source.name)).map((source) => ({ title: source.group === "pre-labels" ? `pre-labels of ${source.title}` : source.group === "labels then" ? `labels of ${source.title}` : source.model ? `${source.title}${source.model.value === null ? "" : ` · ${source.model.metric} ${source.model.value.toFixed(3)}`}` : source.title, marks: this.marksOf(source) }));
  }

  /** Labels alone, outcomes alone, predictions alone, everything: by turns. */
  turn() {
    const groups = [...new Set(this.sources.map((s) => (s.name === "then" ? "labels now" : s.group)))].filter(Boolean);
    this.turned = ((this.turned ?? -1) + 1) % (groups.length + 1);
    const group = groups[this.turned];
    this.on = new Set(this.sources.filter((s) => !group || s.group === group || (group === "labels now" && s.name === "then")).map((s) => s.name));
    this.refresh();
  }

  /** Show the labels of now beside those of an earlier state. */
  also() {
    for (const source of this.sources) if (source.group === "labels now") this.on.add(source.name);
    this.refresh();
  }

  toggle(name, on) {
    if (on) this.on.add(name);
    else this.on.delete(name);
    this.refresh();
  }

  refresh() {
    this.show(this.page());
    this.changed();
  }

  show(page) {
    const groups = new Map();
    for (const source of this.sources) groups.set(source.group, [...(groups.get(source.group) ?? []), source]);
    const parts = [];
    for (const [group, sources] of groups) {
      parts.push(el("h3", { class: "soft" }, { evaluation: "Evaluation", "labels now": "Labels now", "labels then": "Labels then", "pre-labels": "Pre-labels", models: "Models" }[group]));
      parts.push(el("ul", { class: "sources" }, ...sources.map((source) => this.source(source))));
    }
    if (!this.sources.length) parts.push(el("p", { class: "soft" }, page.blind ? "You judge this image without knowing what others, or a model, said." : "No labels yet, and no model has seen it."));
    const others = page.models.filter((model) => !model.chosen);
    if (others.length) {
      parts.push(el("select", { "aria-label": "Compare with another model", onchange: (event) => event.target.value && this.models([...page.models.filter((m) => m.chosen), others.find((m) => m.model === event.target.value)].map((m) => m.model.slice(0, 16))) },
        el("option", { value: "" }, page.models.some((m) => m.chosen) ? "Compare with another model…" : "Show what a model says…"),
        ...others.map((m) => el("option", { value: m.model }, `${m.model.slice(0, SHORT)} · ${m.at.slice(0, 10)}${m.value === null ? "" : ` · ${m.metric} ${m.value.toFixed(3)}`}`))));
    }
    if (this.sources.some((s) => s.group === "models" && this.on.has(s.name))) {
      const least = this.leastOf(this.sources.find((s) => s.group === "models"));
      const output = el("output", {}, least.toFixed(2));
      parts.push(el("label", { class: "slider" }, "Score from", el("input", { type: "range", min: 0, max: 1, step: 0.01, value: least, oninput: (event) => { this.least = Number(event.target.value); output.textContent = this.least.toFixed(2); this.changed(); } }), output));
    }
    const labels = [...new Set(this.sources.flatMap((s) => s.marks.map((m) => m.label)))].sort();
    if (labels.length > 1) {
      parts.push(el("div", { class: "classes", role: "group", "aria-label": "Classes" }, ...labels.map((label) => el("button", {
        type: "button", "aria-pressed": String(!this.off.has(label)), title: "Click to hide; with alt, only this one",
        onclick: (event) => {
          if (event.altKey) this.off = new Set(labels.filter((other) => other !== label));
          else if (this.off.has(label)) this.off.delete(label);
          else this.off.add(label);
          this.refresh();
        },
      }, el("i", { class: `dot class-${colourOf(label, this.classes)}` }), label))));
    }
    this.body.replaceChildren(...parts);
  }

  source(source) {
    const input = el("input", { type: "checkbox", checked: this.on.has(source.name), onchange: (event) => this.toggle(source.name, event.target.checked) });
    const about = source.model?.problem || source.problem || `${source.marks.length}`;
    const remove = source.group === "labels then" ? el("button", { type: "button", class: "plain small", "aria-label": `Without ${source.title}`, onclick: () => this.then("") }, "✕") : source.model ? el("button", { type: "button", class: "plain small", "aria-label": `Without ${source.title}`, onclick: () => this.models(this.page().models.filter((m) => m.chosen && m !== source.model).map((m) => m.model.slice(0, 16))) }, "✕") : null;
    return el("li", { title: source.model?.problem || source.problem || null }, el("label", { class: "choice" }, input, el("span", {}, source.title), el("small", {}, source.model?.value !== undefined && source.model?.value !== null ? `${source.model.metric} ${source.model.value.toFixed(3)}` : about), remove));
  }
}
