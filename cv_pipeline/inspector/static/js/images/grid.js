// The grid of images: state in the address, query and filters beside it, images in a virtual sheet.

import { api, tell, toast, typing } from "../app.js";
import { Ask } from "./ask.js";
import { Choosing } from "./choosing.js";
import { Completions } from "./completions.js";
import { ask } from "./dialogs.js";
import { count, el, settled } from "./dom.js";
import { FacetList } from "./facets.js";
import { Rows } from "./rows.js";
import { Sheet } from "./sheet.js";
import { address, parameters, plainQuery, readAddress, same } from "./state.js";

const find = (name) => root.querySelector(`[data-${name}]`);
const root = document.querySelector("[data-images]");
const page = JSON.parse(document.querySelector("[data-page]").textContent);
const project = page.project;
const base = `/p/${encodeURIComponent(project)}`;
const KINDS = { error: "with an error", correct: "correct", classification: "wrong class", localisation: "wrong place", both: "wrong class and place", duplicate: "duplicates", background: "false positives", missed: "missed" };
const SORTS = [["", "Worst first"], ["worst", "Lowest score first"], ["best", "Best first"], ["missed", "Most missed"], ["false", "Most false"], ["confident", "Surest error first"], ["query", "As the query says"]];
const ORDERS = [["", "By id"], ["path", "Path"], ["ingested desc", "Newest first"], ["disagreement desc", "Most contested"], ["annotations_count desc", "Most labels"], ["brightness", "Darkest first"], ["sharpness", "Least sharp first"], ["bytes desc", "Largest files"]];

const MOST_NAMED = 500;

let state = { ...readAddress(), ...page.state };
let total = page.total;
let { evaluation, moment, among, problem } = page;
let gone = page;
let focus = { labels: page.focus ?? [], kinds: page.state.kind ? [page.state.kind] : [] };
const how = { all: false, names: null, labels: page.labels };
let moving = null;
let positionTimer = 0;

const rows = new Rows(project, () => sheet.fill());
rows.begin(state, total);
rows.add(page.start, page.items);
const choosing = new Choosing(() => showChosen());
const sheet = new Sheet(
  { stage: find("stage"), sheet: find("sheet") },
  {
    rows, base: `${base}/images`, chosen: choosing,
    href: (item, at) => address(`${base}/images/${item.id}`, state, { position: at }),
    focusOf: () => focus, how: () => how, seenFrom: (first) => seen(first),
  },
);
const asking = new Ask(find("ask"), { project, state: () => state, go: (q) => go({ ...state, q }), problem: find("problem") });
const facets = new FacetList(find("facets-list"), { click, range, labels: page.labels });
new Completions(find("completions"), asking.box, { project, facets });

// going somewhere else

/** Show another state: at once what is known, the rest as it comes. */
async function go(next, { push = true } = {}) {
  moving?.abort();
  moving = new AbortController();
  const { signal } = moving;
  facets.wait();
  const began = performance.now();
  try {
    const asked = parameters(next);
    const found = await api("GET", `${base}/images?${asked}${next.position ? `&position=${next.position}` : ""}`, undefined, { signal });
    if (found.problem) {
      asking.tell(found.problem);
      asking.output.textContent = "?";
      facets.list.classList.remove("counting");
      return;
    }
    const before = state;
    state = { ...next, ...found.state };
    total = found.total;
    ({ evaluation, moment, among, problem } = found);
    gone = found;
    if (!same(before, state)) state.first_of = 0; // of other images

    focus = { labels: found.focus, kinds: found.state.kind ? [found.state.kind] : [] };
    if (push && !same(before, state)) history.pushState(null, "", here(0));
    choosing.clear();
    rows.begin(state, total);
    rows.add(found.start, found.items);
    sheet.begin({ total, aspect: found.aspect, position: next.position ?? 0 });
    dress();
    root.dataset.took = (performance.now() - began).toFixed(0);
    count_facets(signal);
  } catch (error) {
    if (error.name !== "AbortError") asking.tell({ what: error.message, do: error.todo ?? "" });
    facets.list.classList.remove("counting");
  }
}

async function count_facets(signal) {
  facets.wait();
  try {
    facets.show(await api("GET", `${base}/images/facets?${parameters(state)}`, undefined, { signal }));
  } catch (error) {
    tell(error);
  }
}

/** A value of a filter was clicked. */
async function click(facet, value, way) {
  if (facet.of === "state") {
    const now = state[facet.name] === value.value ? "" : value.value;
    go({ ...state, [facet.name]: now, position: 0 });
    return;
  }
  const asked = new URLSearchParams({ q: state.q, name: facet.name, how: way });
  if (value.value !== null) asked.set("value", String(value.value));
  await refine(asked);
}

async function range(facet, low, high) {
  const asked = new URLSearchParams({ q: state.q, name: facet.name, how: "range" });
  if (low !== null) asked.set("low", Number(low.toPrecision(4)));
  if (high !== null) asked.set("high", Number(high.toPrecision(4)));
  await refine(asked);
}

async function refine(asked) {
  try {
    const { q } = await api("GET", `${base}/images/refine?${asked}`);
    await go({ ...state, q: q || (state.evaluation ? "all images" : ""), position: 0 });
  } catch (error) {
    tell(error);
  }
}

/** The address of what is shown from a position on. */
function here(position) {
  return address(`${base}/images`, state, { position, size: state.size, first_of: state.first_of });
}

const remember = settled(200, () => history.replaceState(null, "", here(state.position)));

function seen(first) {
  state.position = first;
  if (total) find("stage").dataset.first = String(first);
  if (first !== Number(new URLSearchParams(location.search).get("position") ?? 0)) remember();
  tellPosition(first);
}

function tellPosition(first) {
  const long = total > 3 * sheet.inSight;
  let told = root.querySelector(".position");
  if (!told) {
    told = el("div", { class: "position", hidden: true, "aria-hidden": "true" });
    root.querySelector(".results").append(told);
  }
  if (!long) return;
  told.textContent = `${count(first + 1)}–${count(Math.min(total, first + sheet.inSight))} of ${count(total)}`;
  told.style.top = `${find("stage").offsetTop + 8}px`;
  told.hidden = first === 0;
  clearTimeout(positionTimer);
  positionTimer = setTimeout(() => { told.hidden = true; }, 1400);
}

// what stands around the images

function dress() {
  asking.show(state.q, total);
  if (problem) asking.tell(problem);
  if (problem) asking.output.textContent = "?";
  find("total").textContent = count(total);
  find("noun").textContent = total === 1 ? "image" : "images";
  const first = state.first_of > total ? `the first ${count(total)} of ${count(state.first_of)}` : "";
  const measured = evaluation ? `${evaluation.metric} ${evaluation.value === null ? "–" : evaluation.value.toFixed(3)} on ${evaluation.split}` : "";
  find("where").textContent = [first, measured].filter(Boolean).join(" · ");
  if (gone.taken_out) find("where").append(find("where").textContent ? " · " : "", el("a", { href: address(`${base}/images`, { ...state, q: gone.taken_out_query, position: "" }) }, `${count(gone.taken_out)} more taken out`));
  const chips = [];
  const chip = (text, href, without) => el("span", { class: "chip" }, href ? el("a", { href }, text) : el("span", {}, text), el("button", { type: "button", "aria-label": `Without ${text}`, onclick: () => go({ ...state, ...without, position: 0 }) }, "✕"));
  if (evaluation) chips.push(chip(`evaluation ${evaluation.digest.slice(0, 8)}`, `${base}/evaluations/${evaluation.digest}`, { evaluation: "", label: "", kind: "", sort: "", among: state.among.startsWith("epoch") ? state.among : "" }));
  if (state.label) chips.push(chip(state.label, null, { label: "" }));
  if (state.kind) chips.push(chip(KINDS[state.kind] ?? state.kind, null, { kind: "" }));
  if (state.model) chips.push(chip(`worse in epoch ${state.epoch} of ${state.model.slice(0, 8)}`, `${base}/models/${state.model}`, { model: "", epoch: 0 }));
  if (state.like) chips.push(chip(`like ${plural(state.like.split(",").length)}`, null, { like: "" }));
  if (state.among) chips.push(chip(among || state.among, null, { among: "" }));
  if (state.as_of) chips.push(chip(evaluation?.dataset?.startsWith(state.as_of) ? "as evaluated" : `as of ${moment || state.as_of}`, null, { as_of: "" }));
  find("chips").replaceChildren(...chips);
  const sort = find("sort");
  const orders = !evaluation ? ORDERS : state.among ? [["", "As they were found"], ...SORTS.slice(1)] : SORTS;
  const said = /\border\s+by\s+(.+?)(?:\s+limit\s+\d+)?\s*$/i.exec(state.q)?.[1] ?? "";
  const now = evaluation ? state.sort : said;
  const options = orders.some(([value]) => value === now) ? orders : [...orders, [now, now]];
  sort.replaceChildren(...options.map(([value, text]) => el("option", { value, selected: value === now }, text)));
  find("all").hidden = total === 0;
  find("all").textContent = find("chosen-all").textContent = `Select all (${count(total)})`;
  find("all-marks").hidden = !focus.labels.length && !focus.kinds.length;
  showNone();
}

/** Nothing to show: say why, by how many images each condition has alone. */
async function showNone() {
  const none = find("none");
  none.hidden = total > 0 || Boolean(problem);
  if (none.hidden) return;
  if (!parameters(state).toString()) {
    none.replaceChildren(el("h2", {}, "No image yet"), el("p", {}, none.dataset.empty), ...(none.dataset.command ? [el("p", {}, el("code", { class: "command" }, none.dataset.command))] : []));
    return;
  }
  none.replaceChildren(el("h2", {}, "No image meets all of this"), el("p", {}, "What each condition has alone:"));
  try {
    const { conditions } = await api("GET", `${base}/images/conditions?${parameters(state)}`);
    none.append(el("ul", {}, ...conditions.map((c) => el("li", {}, el("code", {}, c.text), el("strong", {}, count(c.count)), ...(c.hint ? [el("p", {}, c.hint)] : [])))));
    if (conditions.some((c) => c.count === 0)) none.append(el("p", {}, "A condition with 0 is met by no image, whatever the others say. Is it spelt as the filters of all images spell it?"));
  } catch {
    none.lastChild.remove();
  }
  none.append(el("button", { type: "button", onclick: () => go({ ...state, q: "", label: "", kind: "", among: "", position: 0 }) }, "All images"));
}

function showChosen() {
  const bar = find("chosen");
  bar.hidden = !choosing.any;
  find("chosen-all").hidden = choosing.all;
  find("chosen-count").textContent = `${count(choosing.all ? total : choosing.ids.size)} selected`;
  for (const cell of sheet.cells.values()) if (cell.item) cell.node.classList.toggle("on", choosing.has(cell.item.id));
}

// keys and pointers

const positionOf = (node) => Number(node.dataset.at);

find("stage").addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (!cell) return;
  const item = rows.at(positionOf(cell));
  const wanted = event.target.closest(".cell-tick") || event.ctrlKey || event.metaKey || event.shiftKey || (choosing.any && event.altKey);
  if (!wanted || !item) return;
  event.preventDefault();
  choosing.toggle(positionOf(cell), item, { range: event.shiftKey, at: (n) => rows.at(n) });
});

function zoom(step) {
  const size = Math.max(88, Math.min(480, sheet.size + step));
  find("size").value = size;
  setSize(size);
}

function setSize(size) {
  state.size = size;
  localStorage.setItem("images.size", String(size));
  sheet.resize(size);
  remember();
}

const names = () => { how.names = !(how.names ?? sheet.cellWidth >= 190); press("names", how.names); sheet.redraw(); };
const marks = () => { const off = find("sheet").classList.toggle("no-marks"); press("marks", !off); };
const others = () => { how.all = !how.all; press("all-marks", how.all); sheet.redraw(); };
const press = (name, on) => find(name).setAttribute("aria-pressed", String(on));

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (typing(event) || event.altKey) return;
  const cell = document.activeElement?.closest?.(".cell");
  const at = cell ? positionOf(cell) : null;
  const from = at ?? sheet.first;
  const step = (to) => {
    event.preventDefault();
    sheet.focus(at === null && to !== 0 && to !== total - 1 ? sheet.first : to);
    if (event.shiftKey && at !== null) {
      const item = rows.at(Math.max(0, Math.min(to, total - 1)));
      if (choosing.last === null && rows.at(at)) choosing.toggle(at, rows.at(at), { at: (n) => rows.at(n) });
      if (item) choosing.toggle(Math.max(0, Math.min(to, total - 1)), item, { range: true, at: (n) => rows.at(n) });
    }
  };
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "a") { event.preventDefault(); choosing.everything(); }
    return;
  }
  const keys = {
    ArrowLeft: () => step(from - 1), ArrowRight: () => step(from + 1),
    ArrowUp: () => step(from - sheet.columns), ArrowDown: () => step(from + sheet.columns),
    Home: () => step(0), End: () => step(total - 1),
    PageUp: () => step(from - sheet.inSight), PageDown: () => step(from + sheet.inSight),
    x: () => { if (at !== null && rows.at(at)) choosing.toggle(at, rows.at(at), { at: (n) => rows.at(n) }); },
    X: () => { if (at !== null && rows.at(at)) choosing.toggle(at, rows.at(at), { range: true, at: (n) => rows.at(n) }); },
    Escape: () => choosing.clear(), "/": () => { event.preventDefault(); asking.box.focus(); asking.box.select(); },
    "+": () => zoom(24), "=": () => zoom(24), "-": () => zoom(-24), b: marks, l: names, o: others,
    f: () => find("facets").querySelector("button:not([data-facets-close])")?.focus(), g: goTo, "?": help,
  };
  keys[event.key]?.();
});

const help = () => document.querySelector("[data-help-dialog]").showModal();
const dialog = document.querySelector("[data-dialog]");

function goTo() {
  ask(dialog, {
    title: "Go to a position", fields: [{ name: "at", label: `1 to ${count(total)}`, required: true }], button: "Go",
    send: async ({ at }) => sheet.focus((Number.parseInt(at.replaceAll(/\D/g, ""), 10) || 1) - 1),
  });
}

find("then").addEventListener("click", () => ask(dialog, {
  title: "Ask as of", lead: "The images, labels, tags and metadata as they were then.",
  fields: [{ name: "as_of", label: "When", value: state.as_of, hint: "A time such as 2026-01-31, a dataset version, an evaluation, or a metric: precision >= 0.91 means the first evaluation at which it held, and its images. Empty for now." }],
  button: "Ask", send: async ({ as_of }) => go({ ...state, as_of: as_of.trim(), position: 0 }),
}));
find("size").addEventListener("input", (event) => setSize(Number(event.target.value)));
find("names").addEventListener("click", names);
find("marks").addEventListener("click", marks);
find("all-marks").addEventListener("click", others);
find("help").addEventListener("click", help);
find("sort").addEventListener("change", (event) => {
  if (evaluation) go({ ...state, sort: event.target.value, position: 0 });
  else refine(new URLSearchParams({ q: state.q, name: "order", value: event.target.value }));
});
find("facets-open").addEventListener("click", () => find("facets").classList.add("open"));
find("facets-close").addEventListener("click", () => find("facets").classList.remove("open"));
find("chosen-none").addEventListener("click", () => choosing.clear());
find("all").addEventListener("click", () => choosing.everything());
find("chosen-all").addEventListener("click", () => choosing.everything());
addEventListener("popstate", () => go(readAddress(), { push: false }));

// what is done with images

/** What an action is about: some images, or all of the state. */
function meant() {
  if (choosing.ids.size) return { images: [...choosing.ids] };
  return { ...Object.fromEntries(parameters(state)), images: null };
}

const meantCount = () => (choosing.ids.size || total);
const plural = (n) => `${count(n)} ${n === 1 ? "image" : "images"}`;

find("tag")?.addEventListener("click", () => ask(dialog, {
  title: `Tag ${plural(meantCount())}`,
  fields: [
    { name: "tags", label: "Tags, with commas between them", required: true, known: facets.last?.facets.find((f) => f.name === "tag")?.values.map((v) => v.title) },
    { name: "remove", label: "What to do", options: [["", "Put them on"], ["yes", "Take them off"]] },
  ],
  button: "Tag",
  send: async ({ tags, remove }) => {
    const of = plural(meantCount());
    const told = await api("POST", `${base}/tags`, { ...meant(), tags: tags.split(",").map((tag) => tag.trim()).filter(Boolean), remove: remove === "yes" });
    toast(told.changed ? `${count(told.changed)} ${told.changed === 1 ? "tag" : "tags"} ${remove ? "taken off" : "put on"}, on ${of}.` : `Nothing to change: ${of} ${remove ? "have none of them" : "have them already"}.`, "good");
    count_facets();
  },
}));

find("aside")?.addEventListener("click", () => ask(dialog, {
  title: `Set ${plural(meantCount())} aside`, lead: "They become a labelling batch, which never changes.",
  fields: [
    { name: "name", label: "Name of the labelling batch", required: true, hint: "Letters, digits, _, - and ." },
    { name: "purpose", label: "To be", options: [["relabel", "labelled again"], ["label", "labelled"]] },
    { name: "reason", label: "Why", type: "text-area" },
  ],
  button: "Set aside",
  send: async (values) => {
    const batch = await api("POST", `${base}/batches`, { ...values, query: await chosenQuery() });
    const name = batch?.name ?? values.name;
    toast(`Set aside as ${name}.`, "good", { href: `${base}/assigned?batch=${encodeURIComponent(name)}`, text: "Assign it" });
    count_facets();
  },
}));

find("similar")?.addEventListener("click", () => {
  const ids = [...choosing.ids];
  if (!ids.length || ids.length > 100) return toast("Select up to 100 images that others are to be like.");
  go({ ...clean(), like: ids.map((id) => id.slice(0, 20)).join(",") });
});

find("save")?.addEventListener("click", () => ask(dialog, {
  title: "Save the query", lead: state.q || "all images", fields: [{ name: "name", label: "Name", required: true, hint: "Begin with a letter; letters, digits, _ and -." }], button: "Save",
  send: async ({ name }) => {
    const saved = await api("POST", `${base}/queries`, { name, q: state.q });
    toast(`Saved as ${saved.name}: ${plural(saved.count)}.`, "good", { href: `${base}/queries/${encodeURIComponent(saved.name)}`, text: "Look at it" });
  },
}));

/** A query of some images. */
const named = (ids) => `image in (${ids.map((id) => `'${id.slice(0, 20)}'`).join(", ")})`;

/** A state of the grid without a query, class or kind. */
const clean = () => ({ ...state, q: "", label: "", kind: "", model: "", epoch: 0, like: "", among: "", sort: "", position: 0 });

/** The query of what is meant, for what takes queries alone; what an evaluation adds is named. */
async function chosenQuery() {
  if (choosing.ids.size) return named([...choosing.ids]);
  const plain = plainQuery(state, evaluation);
  if (plain !== null) return plain;
  if (state.label && plainQuery({ ...state, label: "" }, evaluation) !== null) { // the class as a condition of its own
    return (await api("GET", `${base}/images/refine?${new URLSearchParams({ q: state.q, name: "label", value: state.label })}`)).q;
  }
  const ids = [];
  for (let at = 0; at < Math.min(total, MOST_NAMED); at++) ids.push((await rows.get(at)).id);
  if (total > MOST_NAMED) toast(`The first ${MOST_NAMED} of ${count(total)} images.`);
  return named(ids);
}

find("corrective")?.addEventListener("click", async () => {
  try {
    const { openCorrective } = await import("../corrective.js");
    const of = { project, label: state.label || (focus.labels[0] ?? ""), evaluation: evaluation?.digest ?? "" };
    if (choosing.ids.size && choosing.ids.size <= MOST_NAMED) await openCorrective({ ...of, images: [...choosing.ids] });
    else await openCorrective({ ...of, query: await chosenQuery() });
  } catch (error) {
    tell(error);
  }
});

// the beginning

const stored = Number.parseInt(localStorage.getItem("images.size") ?? "", 10);
sheet.size = state.size || stored || 128;
find("size").value = sheet.size;
sheet.begin({ total, aspect: page.aspect, position: page.start ? state.position : 0, keep: true });
dress();
if (problem) find("facets-list").querySelector(".facets-wait")?.remove();
else count_facets();
