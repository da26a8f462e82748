// What is known of an image beside its pixels: facts, tags, history, what it belongs to, what is
// like it. The slower parts are read when they come into sight.

import { api, tell, toast } from "../app.js";
import { el, short } from "./dom.js";
import { address } from "./state.js";

const LATER = 350;
const NAMES = { captured_at: "taken", ingested_at: "ingested", annotators_count: "annotators", bytes: "file", batch: "ingest batch" };
const KINDS = { champion: "decision on champion" };
const UNITS = ["B", "kB", "MB", "GB"];

/** A part of the side that can be folded; `read` fills it when it is first opened. */
export function part(title, body, { open = true, note = "", read = null } = {}) {
  const made = el("details", { open, "data-part": title }, el("summary", {}, title, el("small", {}, note)), body);
  if (read) {
    const fill = async () => {
      if (!made.open || made.dataset.read) return;
      made.dataset.read = "yes";
      await new Promise((done) => { setTimeout(done, LATER); }); // who leafs through does not wait for it
      if (!made.isConnected) return;
      try {
        body.replaceChildren(...[await read()].flat().filter(Boolean));
      } catch (error) {
        if (error.name !== "AbortError") body.replaceChildren(el("p", { class: "soft" }, [error.message, error.todo].filter(Boolean).join(" ")));
      }
    };
    made.addEventListener("toggle", fill);
    fill();
  }
  return made;
}

const waiting = () => el("div", { class: "side-body" }, el("p", { class: "soft" }, "Reading…"));

/** Facts and metadata; what others share leads to them. */
export function facts(page, base) {
  const value = (fact) => {
    const text = fact.name === "bytes" ? bytes(fact.value) : typeof fact.value === "number" ? short(fact.value) : String(fact.value);
    const shown = text.length > 44 ? `${text.slice(0, 41)}…` : text;
    return fact.query ? el("a", { href: address(base, { q: fact.query }), title: `Images with ${fact.query}` }, shown) : el("span", { title: text }, shown);
  };
  const rows = (all) => all.flatMap((fact) => [el("dt", {}, NAMES[fact.name] ?? fact.name), el("dd", {}, value(fact))]);
  const id = [el("dt", {}, "SHA-256"), el("dd", {}, el("code", { title: page.id }, page.id.slice(0, 16)), " ", el("button", { type: "button", class: "plain small", onclick: () => navigator.clipboard?.writeText(page.id).then(() => toast("Copied.")) }, "copy"))];
  return [
    page.metadata.length ? part("Metadata", el("div", { class: "side-body" }, el("dl", { class: "facts" }, ...rows(page.metadata)))) : null,
    part("Facts", el("div", { class: "side-body" }, el("dl", { class: "facts" }, el("dt", {}, "path"), el("dd", {}, page.path), ...id, ...rows(page.facts))), { open: false }),
  ].filter(Boolean);
}

function bytes(value) {
  let at = 0;
  for (; value >= 1000 && at < 3; at++) value /= 1000;
  return `${at ? value.toFixed(1) : value} ${UNITS[at]}`;
}

/** Tags, which who may review can change. */
export function tags(page, base, may, changed) {
  const change = async (tag, remove) => {
    try {
      await api("POST", `${base.replace(/\/images$/, "")}/tags`, { images: [page.id], tags: [tag], remove });
      changed();
    } catch (error) {
      tell(error);
    }
  };
  const list = el("ul", { class: "tags" }, ...page.tags.map((tag) => el("li", {}, el("a", { href: address(base, { q: tag.query }) }, tag.name), may ? el("button", { type: "button", "aria-label": `Take ${tag.name} off`, onclick: () => change(tag.name, true) }, "✕") : null)));
  const form = may ? el("form", { onsubmit: (event) => { event.preventDefault(); const value = new FormData(event.target).get("tag").trim(); if (value) change(value, false); } }, el("input", { name: "tag", placeholder: "Add a tag", "aria-label": "Tag to add", maxLength: 200, autocomplete: "off", "data-tag-input": true }), el("button", { type: "submit", class: "small" }, "Add")) : null;
  return part("Tags", el("div", { class: "side-body" }, page.tags.length ? list : el("ul", { class: "tags" }, el("li", {}, "none")), form));
}

/** Whether people think that the model is right. */
export function reviews(page, base, may) {
  if (!page.evaluation || page.evaluation.correct === null) return null;
  const path = `${base}/${page.id}/reviews`;
  const body = waiting();
  const rows = (judgements) => {
    const told = judgements.map((j) => el("li", { class: j.verdict === "right" ? "added" : "removed" }, el("strong", {}, j.verdict), j.issue ? ` · ${j.issue}` : "", j.note ? ` · ${j.note}` : "", el("small", {}, `${j.actor}, ${j.at.slice(0, 16).replace("T", " ")}`)));
    const note = el("input", { placeholder: "Note, such as: label is wrong", "aria-label": "Note", maxLength: 2000 });
    const say = async (verdict) => {
      try {
        const answer = await api("POST", path, { evaluation: page.evaluation.digest, verdict, note: note.value.trim() });
        body.replaceChildren(...rows(answer.judgements));
      } catch (error) {
        tell(error);
      }
    };
    return [may ? el("div", {}, note, el("div", { class: "judge row" }, el("button", { type: "button", class: "small", onclick: () => say("right") }, "Right"), el("button", { type: "button", class: "small", onclick: () => say("wrong") }, "Wrong"))) : null, told.length ? el("ul", { class: "timeline" }, ...told) : el("p", { class: "soft" }, "Nobody has judged it yet.")].filter(Boolean);
  };
  return part("Is the model right?", body, { open: false, read: async () => rows((await api("GET", `${path}?evaluation=${page.evaluation.digest}`)).judgements) });
}

/** The slower parts; `then` shows the labels of an earlier state. */
export function life(page, base, state, then) {
  const get = (what) => api("GET", `${base}/${page.id}/${what}`);
  const project = base.replace(/\/images$/, "");
  return [
    part("Belongs to", waiting(), {
      read: async () => {
        const { used_by, problem, dagster } = await get("belongs");
        if (!used_by.length) return el("p", { class: "soft" }, problem || "Nothing has used it yet.");
        return el("ul", { class: "belongs" }, ...used_by.map((b) => el("li", { "data-depth": String(b.depth) },
          b.href ? el("a", { href: b.href }, `${KINDS[b.kind] ?? b.kind} `, el("code", {}, b.version.slice(0, 8))) : el("span", {}, `${KINDS[b.kind] ?? b.kind} `, el("code", {}, b.version.slice(0, 8))),
          el("small", {}, [b.what, b.at?.slice(0, 16).replace("T", " ")].filter(Boolean).join(" · "), b.run ? " · " : "", b.run ? el("a", { href: `${dagster}/runs/${encodeURIComponent(b.run)}`, rel: "noreferrer" }, "run") : null))),
        el("li", {}, el("a", { href: `${project}/lineage/image/${page.id}` }, "As a graph")));
      },
    }),
    part("History of its labels", waiting(), {
      open: false,
      read: async () => {
        const { changes, more } = await get("history");
        if (!changes.length) return el("p", { class: "soft" }, "Nothing has happened to its labels.");
        const first = new Set(); // a state is shown from the newest line about it
        const show = (c) => {
          const known = first.has(c.version);
          first.add(c.version);
          return known || page.gone ? null : el("button", { type: "button", class: "plain small", "data-then": c.version, onclick: () => then(c.version) }, "show these labels");
        };
        const told = changes.reverse().map((c) => el("li", { class: c.change }, `${c.change} ${c.what} `, show(c), el("small", {}, [c.at.slice(0, 16).replace("T", " "), c.who, c.source === "dataset" ? `dataset ${c.version.slice(0, 8)}` : `version ${c.version}`, c.fields].filter(Boolean).join(" · "))));
        return [el("ul", { class: "timeline" }, ...told), more ? el("p", { class: "soft" }, `${more} earlier changes`) : null];
      },
    }),
    part("Like it", waiting(), {
      read: async () => {
        const { images, problem } = await get("similar");
        if (!images.length) return el("p", { class: "soft" }, problem || "There is no other image.");
        const whole = el("p", {}, el("a", { href: address(base, { like: page.id.slice(0, 20) }) }, "All in the grid"));
        return [el("div", { class: "neighbours" }, ...images.slice(0, 12).map((image) => el("a", { href: address(`${base}/${image.id}`, { evaluation: state.evaluation }), title: `${image.path}, likeness ${image.similarity.toFixed(3)}` }, el("img", { src: `${base}/${image.id}/thumbnail?size=128`, alt: image.path, loading: "lazy" }), el("span", { class: "cell-note" }, image.similarity.toFixed(2))))), whole];
      },
    }),
  ];
}
