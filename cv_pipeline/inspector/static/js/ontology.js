// What a changed ontology would do: which labels go where, with images that show it.

import { api } from "./app.js";
import { onSubmit, opener } from "./forms.js";
import { count, el } from "./images/dom.js";

opener(document);

const dialog = document.querySelector("#preview");
const form = dialog?.querySelector("[data-preview]");
const panel = document.querySelector("[data-previewed]");
const some = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

function examples(project, move) {
  const strip = el("div", { class: "strip" });
  for (const id of move.examples) {
    const address = `/p/${encodeURIComponent(project)}/images/${encodeURIComponent(id)}`;
    strip.append(el("a", { href: address }, el("img", { src: `${address}/thumbnail?size=128`, alt: `Image ${id.slice(0, 12)}`, width: 44, height: 44, loading: "lazy" })));
  }
  return strip;
}

function row(project, move, batch) {
  const into = move.into
    ? el("b", {}, `→ ${move.into}`)
    : el("span", {}, el("span", { class: `badge ${move.relabel ? "warn" : "bad"}` }, move.relabel ? "to be labelled again" : "quarantined"), move.relabel && batch ? ` in ${batch}` : "", el("small", { class: "why" }, move.detail));
  return el("tr", {}, el("th", { scope: "row" }, move.label, " ", el("small", {}, move.version)), el("td", { "data-is": "Becomes" }, into), el("td", { class: "n", "data-is": "Labels" }, count(move.labels)), el("td", { class: "n", "data-is": "Images" }, count(move.images)), el("td", { "data-is": "Examples" }, examples(project, move)));
}

function show(project, found) {
  const head = el("div", { class: "panel-head" }, el("h2", {}, `What version ${found.version} would do`), el("span", { class: "soft" }, "nothing is changed"));
  const said = [`Of ${some(found.labels, "label")} ${count(found.stays)} stay what they are`, `${count(found.converted)} become another class`, `${count(found.quarantined)} cannot come along`];
  const again = found.relabel ? ` ${some(found.relabel, "image")} would go to the labelling batch ${found.relabel_batch}.` : " No image would have to be labelled again.";
  panel.replaceChildren(head, el("p", {}, `${said.join(", ")}.${again}`));
  for (const problem of found.problems) panel.append(el("div", { class: "notice warn", role: "note" }, problem));
  if (found.moves.length) {
    const titles = ["Labels of", "Become", "Labels", "Images", "Examples"].map((title) => el("th", { class: title === "Labels" || title === "Images" ? "n" : "" }, title));
    const rows = found.moves.map((move) => row(project, move, found.relabel_batch));
    panel.append(el("div", { class: "scroll" }, el("table", { class: "moves cards-narrow" }, el("thead", {}, el("tr", {}, ...titles)), el("tbody", {}, ...rows))));
  }
  panel.hidden = false;
  panel.scrollIntoView({ block: "start" });
}

dialog?.querySelector("#changed-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) form.elements.text.value = await file.text();
});

onSubmit(form, async (data) => {
  const { project } = form.dataset;
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    const found = await api("POST", `/p/${encodeURIComponent(project)}/ontology/preview`, { text: data.get("text") });
    dialog.close();
    show(project, found);
  } finally {
    button.disabled = false;
  }
});
