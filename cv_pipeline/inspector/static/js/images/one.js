// One image: the picture, what is drawn over it, what is known of it, and the way to the next.

import { api, tell, typing } from "../app.js";
import { el, settled, short } from "./dom.js";
import { Look, told } from "./look.js";
import { facts, life, part, reviews, tags } from "./life.js";
import { boundsOf, told as toldOf } from "./marks.js";
import { Sources } from "./sources.js";
import { address, plainQuery, readAddress } from "./state.js";
import { Viewer } from "./viewer.js";

/** Milliseconds after which who opened a page is taken to stay on it. */
const STAYED = 3000;
const WORDS = { classification: "wrong class", localisation: "wrong place", both: "wrong class and place", duplicate: "found twice", background: "false positive" };

const root = document.querySelector("[data-one]");
const find = (name) => root.querySelector(`[data-${name}]`);
let page = JSON.parse(document.querySelector("[data-page]").textContent);
const base = `/p/${encodeURIComponent(page.project)}/images`;
const may = root.dataset.mayReview === "yes";
const state = { ...readAddress(), ...page.state };
let models = new URLSearchParams(location.search).get("models") ?? "";
let then = new URLSearchParams(location.search).get("then") ?? "";
let beside = new URLSearchParams(location.search).get("beside") === "yes";
const ahead = new Map();

const look = new Look({ base, changed: () => { viewer.rerender(source(page.id)); remember(); } });
const sources = new Sources({ changed: () => { redraw(); remember(); }, models: (list) => compare(list), then: (version) => showThen(version), page: () => page });
const viewer = new Viewer(find("canvas"), {
  zoomed: (scale) => { find("zoom").textContent = `${scale * (devicePixelRatio || 1) >= 0.095 ? Math.round(100 * scale * (devicePixelRatio || 1)) : (100 * scale).toFixed(1)} %`; },
  hovered: (place) => hover(place), window: (dx, dy) => look.drag(dx, dy),
  picked: (mark) => light(mark, { scroll: true }),
  painted: () => { if (viewer.drawn) find("first")?.remove(); },
});

/** Where the pixels of an image come from, as they are looked at. */
function source(id) {
  const text = look.text;
  return {
    whole: (size) => `${base}/${id}/picture?size=${size}${text}`,
    tile: (level, x, y) => `${base}/${id}/tiles/${level}/${x}/${y}${text && `?${text.slice(1)}`}`,
    failed: () => id === page.id && missing(id),
  };
}

/** The pixels did not come: say why. */
async function missing(id) {
  if (page.gone) return;
  let why = { message: "The picture cannot be read.", todo: "" };
  try {
    await api("GET", `${base}/${id}/pixels`);
  } catch (error) {
    why = error;
  }
  if (id !== page.id) return;
  find("first")?.remove();
  find("notice").replaceChildren(el("h2", {}, "No picture"), el("p", {}, why.message), el("p", { class: "soft" }, why.todo ?? ""));
  find("notice").hidden = false;
}

/** Address of this page, or of another image in the same query. */
function here(id = page.id, position = page.place.position) {
  const more = { position: position ?? "", models, then, beside: beside ? "yes" : "", ...sources.parameters, ...look.settings };
  return address(`${base}/${id}`, state, { ...more, position: position === null || position === undefined ? "" : String(position) });
}

const remember = settled(150, () => history.replaceState(null, "", here()));

function read(id, position) {
  const asked = address(`${base}/${id}`, state, { models, then, position: position === null ? "" : String(position) });
  return api("GET", asked);
}

/** Show a page that was read. */
function show(next, still) {
  page = next;
  Object.assign(state, next.state);
  sources.begin(page);
  root.dataset.id = page.id;
  document.title = document.title.replace(/^.*?( · )/, () => `${page.path} · `);
  find("path").textContent = page.path;
  find("path").title = page.id;
  find("canvas").setAttribute("aria-label", `${page.path}; plus and minus zoom, shift and arrows move`);
  find("notice").hidden = !page.gone;
  if (page.gone) {
    find("first")?.remove();
    find("notice").replaceChildren(el("h2", {}, "Taken out"), el("p", {}, `This image was taken out on ${page.gone.at.slice(0, 10)} by ${page.gone.actor}: ${page.gone.reason}`), el("p", { class: "soft" }, "Its pixels are gone for good. What was known of it stays, and is listed beside."));
  }
  const { place } = page;
  find("place").textContent = place.problem ? "" : place.position === null ? "not in this query" : `${(place.position + 1).toLocaleString("en-US")} of ${place.total.toLocaleString("en-US")}`;
  find("place").title = place.problem;
  arrow("previous", place.previous, -1);
  arrow("next", place.next, 1);
  find("back").href = address(base, state, { position: place.position ? String(place.position) : "" });
  verdict();
  look.id = page.id;
  if (!page.gone) {
    viewer.show({ width: page.width, height: page.height, source: source(page.id), still });
    look.read(page.id);
  }
  redraw();
  side();
  clearTimeout(show.soon);
  show.soon = setTimeout(() => { prefetch(1); prefetch(-1, page, 1); }, 10);
  clearTimeout(show.later);
  show.later = setTimeout(getReady, STAYED);
}

function arrow(name, id, step) {
  const link = find(name);
  link.setAttribute("aria-disabled", String(!id));
  link.href = id ? here(id, page.place.position + step) : "#";
}

function verdict() {
  const said = page.evaluation;
  const badge = (text, kind) => el("span", { class: `badge ${kind}` }, text);
  if (!said || said.score === null) find("verdict").replaceChildren(...(said?.problem ? [badge(said.problem, "warn")] : []));
  else if (said.truth) find("verdict").replaceChildren(badge(said.correct ? said.predicted : `${said.predicted ?? "nothing"}, is ${said.truth}`, said.correct ? "good" : "bad"));
  else find("verdict").replaceChildren(badge(said.correct ? "all correct" : `score ${said.score.toFixed(2)}`, said.correct ? "good" : "bad"));
}

/** Have the next images and their pages here before they are asked for. */
async function prefetch(step, from = page, far = 2) {
  const id = step > 0 ? from.place.next : from.place.previous;
  if (!id || !far) return;
  let kept = ahead.get(id);
  if (!kept) {
    const image = new Image();
    kept = { coming: read(id, from.place.position + step).catch(() => { ahead.delete(id); return null; }), image, models };
    ahead.set(id, kept);
    while (ahead.size > 10) ahead.delete(ahead.keys().next().value);
    const next = await kept.coming;
    if (!next) return;
    image.src = source(id).whole(Math.max(next.width, next.height) > 2048 ? 1024 : 2048);
  }
  const next = await kept.coming;
  if (next) prefetch(step, next, far - 1);
}

/** Go to the next image, or the one before. */
async function step(by) {
  const id = by > 0 ? page.place.next : page.place.previous;
  if (!id || step.going) return;
  const began = performance.now();
  step.going = true;
  const kept = ahead.get(id)?.models === models ? ahead.get(id) : null;
  try {
    const next = (await kept?.coming) ?? await read(id, page.place.position + by);
    ahead.delete(id);
    show(next, kept?.image);
    history.replaceState(null, "", here());
    root.dataset.took = (performance.now() - began).toFixed(1);
  } catch (error) {
    tell(error);
  }
  step.going = false;
}

/** Read the page again, with other models or after a change. */
async function again() {
  ahead.clear();
  try {
    const next = await read(page.id, page.place.position);
    const top = find("side").scrollTop;
    page = next;
    verdict();
    sources.begin(page);
    redraw();
    side();
    find("side").scrollTop = top;
  } catch (error) {
    tell(error);
  }
}

async function compare(list) {
  models = list.join(",");
  sources.on ??= new Set();
  for (const model of list) sources.on.add(`model:${model}`);
  beside = beside || list.length > 1;
  await again();
  remember();
}

/** Show the labels of an earlier state; empty for none. */
async function showThen(version) {
  then = version;
  sources.on = null;
  beside = beside || Boolean(version && page.labels.length);
  await again();
  if (version) sources.also();
  remember();
}

function redraw() {
  const panes = sources.panes;
  viewer.panes = beside && panes.length > 1 ? panes : [{ title: "", marks: sources.marks }];
  find("beside").setAttribute("aria-pressed", String(beside));
  if (viewer.fitted && viewer.size) viewer.fit();
  viewer.draw();
  chips();
  objects();
}

/** What is said of the image as a whole: classes, and tags with a hash. */
function chips() {
  const whole = new Map();
  for (const mark of sources.marks.filter((m) => !boundsOf(m) && m.label)) {
    const text = mark.geometry === "tag" ? `#${mark.label}` : mark.label;
    const who = mark.annotator ?? mark.source.title;
    const kept = whole.get(text) ?? { mark, who: [] };
    whole.set(text, { mark: kept.mark, who: [...kept.who, mark.score === null || mark.score === undefined ? who : `${who} ${short(mark.score)}`] });
  }
  find("chips").replaceChildren(...[...whole].map(([text, { mark, who }]) => el("li", { class: mark.geometry === "tag" ? "tag" : "", title: who.join(", ") }, swatch(mark), text, el("span", { class: "visually-hidden" }, ` according to ${who.join(", ")}`))));
  find("chips").hidden = !whole.size;
}

// the side

let objectsBody = null;

function side() {
  objectsBody = el("div", { class: "side-body" });
  const open = new Map([...find("side").querySelectorAll("details")].map((d) => [d.dataset.part, d.open]));
  const parts = [
    part("Shown", sources.body),
    page.gone ? null : part("How it is seen", look.body, { open: false }),
    page.models.length && !page.gone ? part("Where the model looks", activationBody(), { open: false }) : null,
    part("Objects", objectsBody),
    reviews(page, base, may),
    tags(page, base, may, again),
    ...facts(page, base),
    ...(page.blind ? [] : life(page, base, state, showThen)),
  ].filter(Boolean);
  for (const made of parts) if (open.has(made.dataset.part)) made.open = open.get(made.dataset.part);
  find("side").replaceChildren(...parts);
  objects();
}

function objects() {
  if (!objectsBody) return;
  const marks = sources.marks;
  if (!marks.length) {
    objectsBody.replaceChildren(el("p", { class: "soft" }, page.blind ? "Kept from you, so that you judge for yourself." : "None of what is shown."));
    return;
  }
  const row = (mark) => {
    const box = boundsOf(mark);
    const size = box ? `${Math.round(box[2] * page.width)} × ${Math.round(box[3] * page.height)}` : "whole";
    const made = el("tr", {
      tabIndex: 0, "aria-label": [mark.name, toldOf(mark), mark.annotator && `by ${mark.annotator}`, mark.role && mark.role !== "annotator" && `as ${mark.role}`, ...attributes(mark)].filter(Boolean).join(", "),
      onclick: () => { light(mark); viewer.goTo(mark); }, onkeydown: (event) => { if (event.key === "Enter") { light(mark); viewer.goTo(mark); } },
      onpointerenter: () => light(mark), onfocus: () => light(mark),
    }, el("td", {}, swatch(mark)), el("td", {}, mark.truth && mark.truth !== mark.label ? `${mark.label} ≠ ${mark.truth}` : mark.label, ...about(mark)), el("td", { class: "soft" }, mark.kind === "label" || mark.kind === "prelabel" ? "" : mark.kind === "prediction" ? mark.source.title : WORDS[mark.kind] ?? mark.kind), el("td", { class: "n" }, mark.score === null ? "" : short(mark.score)), el("td", { class: "n" }, size));
    made.mark = mark;
    return made;
  };
  objectsBody.replaceChildren(el("table", { class: "objects" }, el("tbody", { onpointerleave: () => light(null) }, ...marks.slice(0, 400).map(row))));
}

/** Attributes of a label in words: what is true by its name alone. */
function attributes(mark) {
  let said = {};
  try { said = JSON.parse(mark.attributes || "{}"); } catch { return [mark.attributes]; }
  return Object.entries(said).map(([name, value]) => (value === true ? name : `${name}: ${value === false ? "no" : typeof value === "object" ? JSON.stringify(value) : value}`));
}

/** What is known of a label beside its class: attributes, what it is, and how it was made. */
function about(mark) {
  const named = attributes(mark);
  const made = [
    mark.kind === "prelabel" && `pre-label of ${mark.source.title}`,
    mark.annotator && (mark.role && mark.role !== "annotator" ? `${mark.annotator} (${mark.role})` : mark.annotator), mark.geometry ? toldOf(mark) : "", mark.lead_time === null || mark.lead_time === undefined ? "" : `${short(mark.lead_time)} s`,
    mark.ontology_version && `ontology ${mark.ontology_version}`, mark.guideline_version && `guideline ${mark.guideline_version}`,
    (mark.updated_at ?? mark.created_at)?.slice(0, 10).replaceAll("-", "\u2011"),
  ].filter(Boolean);
  return [
    named.length ? el("span", { class: "attributes" }, ...named.map((text) => el("span", {}, text))) : null,
    made.length ? el("small", { class: "made" }, made.join(" · ")) : null,
  ];
}

function swatch(mark) {
  const dot = el("i", { class: "dot" });
  dot.style.background = `var(${mark.colour})`;
  return dot;
}

function light(mark, { scroll = false } = {}) {
  viewer.lit = mark;
  for (const made of objectsBody.querySelectorAll("tr")) {
    made.classList.toggle("lit", made.mark === mark);
    if (scroll && made.mark === mark) made.scrollIntoView({ block: "nearest" });
  }
  viewer.draw();
}

/** Have the model of this page read, so that its first map does not take the time that takes. */
function getReady() {
  const model = page.models.find((m) => m.chosen) ?? page.models[0];
  if (page.gone || !model || getReady.asked === model.model) return;
  getReady.asked = model.model;
  api("GET", `${base}/${page.id}/explainer?model=${encodeURIComponent(model.model)}`).catch(() => { /* asking for a map says why */ });
}

/** The class-activation map of a model and class, over the picture. */
function activationBody() {
  const classes = [...new Set([...sources.sources.flatMap((s) => s.marks.map((m) => m.label)), ...page.classes])];
  const model = el("select", { "aria-label": "Model" }, ...page.models.map((m) => el("option", { value: m.model, selected: m.chosen }, `model ${m.model.slice(0, 8)}`)));
  const label = el("select", { "aria-label": "Class" }, el("option", { value: "" }, "the class it is surest of"), ...classes.map((c) => el("option", { value: c, selected: c === state.label }, c)));
  const note = el("p", { class: "hint" }, "The first time takes some seconds.");
  const strength = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 1, oninput: () => { if (viewer.over) { viewer.over.strength = Number(strength.value); viewer.draw(); } } });
  const button = el("button", { type: "button", class: "small", "data-activation": true, onclick: () => explain(model.value, label.value, strength, note, button) }, viewer.over ? "Hide" : "Show");
  return el("div", { class: "side-body" }, el("div", { class: "field" }, model), el("div", { class: "field" }, label), el("div", { class: "row" }, button), el("label", { class: "slider wide" }, "Strength", strength), note);
}

async function explain(model, label, strength, note, button) {
  if (viewer.over) {
    viewer.over = null;
    button.textContent = "Show";
    viewer.draw();
    return;
  }
  const id = page.id;
  button.disabled = true;
  wait("The model is asked where it looks…");
  try {
    const began = performance.now();
    let answer = null;
    while (!answer || answer.status === 202) {
      if (answer) {
        note.textContent = `${(await answer.json()).what} (${Math.round((performance.now() - began) / 1000)} s)`;
        wait(`It is being computed… ${Math.round((performance.now() - began) / 1000)} s`);
        await new Promise((done) => { setTimeout(done, 500); });
        if (id !== page.id) return;
      }
      answer = await fetch(`${base}/${id}/activation?model=${encodeURIComponent(model)}&label=${encodeURIComponent(label)}`, { headers: { Accept: "application/json" } });
    }
    if (!answer.ok) throw new Error(Object.values(await answer.json()).join(" "));
    const image = await createImageBitmap(await answer.blob());
    if (id !== page.id) return;
    viewer.over = { image, strength: Number(strength.value) };
    const [score, share] = ["X-Score", "X-Share"].map((name) => answer.headers.get(name));
    note.textContent = [`for ${answer.headers.get("X-Label")}`, score && `score ${Number(score).toFixed(2)}`, share && `${Math.round(100 * share)} % of it inside the labelled boxes`].filter(Boolean).join(", ");
    button.textContent = "Hide";
    viewer.draw();
  } catch (error) {
    note.textContent = error.message;
  } finally {
    button.disabled = false;
    wait("");
  }
}

function wait(text) {
  find("wait").hidden = !text;
  find("wait-text").textContent = text;
}

// pointers and keys

let place = null;
const probe = settled(50, async () => {
  const asked = place;
  if (!asked) return;
  try {
    const found = await api("GET", `${base}/${page.id}/pixels/${asked.x}/${asked.y}${look.settings.frame ? `?frame=${look.settings.frame}` : ""}`);
    if (place && place.x === asked.x && place.y === asked.y) find("probe").textContent = told(found);
  } catch { /* the place alone stays */ }
});

function hover(at) {
  if (at && place && at.x === place.x && at.y === place.y) return;
  place = at;
  find("probe").hidden = !at;
  if (!at) return;
  find("probe").textContent = `${at.x}, ${at.y}`;
  probe();
}

const press = (name, on) => find(name).setAttribute("aria-pressed", String(on));
const boxes = () => { viewer.boxes = !viewer.boxes; press("boxes", viewer.boxes); viewer.draw(); };
const names = () => { viewer.names = !viewer.names; press("names", viewer.names); viewer.draw(); };
const sideBySide = () => { beside = !beside; redraw(); viewer.fit(); remember(); };
const help = () => document.querySelector("[data-help-dialog]").showModal();
const middle = () => viewer.last ?? undefined;
const leave = () => location.assign(find("back").href);

find("fit").addEventListener("click", () => viewer.fit());
find("one-to-one").addEventListener("click", () => viewer.oneToOne());
find("boxes").addEventListener("click", boxes);
find("names").addEventListener("click", names);
find("beside").addEventListener("click", sideBySide);
find("help").addEventListener("click", help);
for (const [name, by] of [["previous", -1], ["next", 1]]) {
  find(name).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    step(by);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog[open]") || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] };
  if (event.shiftKey && moves[event.key]) {
    event.preventDefault();
    viewer.moveBy(...moves[event.key]);
    return;
  }
  const keys = {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), "+": () => viewer.zoomBy(1.4), "=": () => viewer.zoomBy(1.4), "-": () => viewer.zoomBy(1 / 1.4),
    z: () => (viewer.fitted ? viewer.oneToOne(middle()) : viewer.fit()), f: () => viewer.fit(), 0: () => viewer.fit(), 1: () => viewer.oneToOne(middle()),
    b: boxes, l: names, o: () => sources.turn(), s: sideBySide, r: () => look.reset(),
    w: () => { viewer.windowing = !viewer.windowing; find("canvas").classList.toggle("window", viewer.windowing); },
    m: () => { const button = root.querySelector("[data-activation]"); if (button) { button.closest("details").open = true; button.click(); } },
    t: () => { const input = root.querySelector("[data-tag-input]"); if (input) { input.closest("details").open = true; input.focus(); } },
    u: leave, Escape: leave, "?": help,
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

find("corrective")?.addEventListener("click", async () => {
  try {
    const { openCorrective } = await import("../corrective.js");
    await openCorrective({ project: page.project, images: [page.id], query: state.q && plainQuery(state, page.evaluation), label: state.label, evaluation: page.evaluation?.digest ?? "" });
  } catch (error) {
    tell(error);
  }
});

show(page, find("first"));
