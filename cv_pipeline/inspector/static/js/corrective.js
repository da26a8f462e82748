// The dialog from a selection to a corrective run, or to a batch that is labelled again.

import { api, tell, toast } from "./app.js";
import { currentWalk } from "./walk_state.js";

const MOST_NAMED = 500;

/**
 * Open the dialog of a page that includes templates/parts/corrective_dialog.html.
 * @param {object} of
 * @param {string} of.project name of the project
 * @param {string} [of.query] which images, in the query language; beside images, those that they
 *   were found among, which can be chosen in their place
 * @param {string} [of.label] class that the selection is about
 * @param {string} [of.evaluation] digest of the evaluation that it was found in
 * @param {string[]} [of.images] ids of chosen images
 * @param {string} [of.reason] why, as far as is known
 */
export async function openCorrective({ project, query, label, images, reason }) {
  const dialog = document.getElementById("corrective");
  const ids = Array.isArray(images) ? images : [];
  if (ids.length > MOST_NAMED) {
    toast(`${ids.length} images cannot be named one by one; up to ${MOST_NAMED} can. Tag them and select them by the tag.`, "bad");
    return;
  }
  const named = ids.length ? `image in (${ids.map((id) => `'${id.slice(0, 16)}'`).join(", ")})` : "";
  const scopes = [];
  if (query) scopes.push([named ? "all images that they were found among" : "the selection", query]);
  if (named) scopes.push([ids.length === 1 ? "this image alone" : `these ${ids.length} images`, named]);
  if (!scopes.length) scopes.push(["all images", "all images"]);
  if (ids.length === 1 && query) scopes[0][0] = "all images of the selection that it is in";
  const opened = new Corrective(dialog, project, scopes, label ?? "", reason ?? "");
  dialog.showModal();
  await opened.load();
}

class Corrective {
  constructor(dialog, project, scopes, label, reason) {
    this.dialog = dialog;
    this.base = `/p/${encodeURIComponent(project)}`;
    this.project = project;
    this.query = scopes[0][1];
    this.label = label;
    this.preview = null;
    this.part("query").textContent = this.query;
    this.part("scopeRow").hidden = scopes.length < 2;
    this.part("scope").replaceChildren(...scopes.map(([words, text]) => new Option(words, text)));
    this.part("scope").onchange = () => {
      this.query = this.part("scope").value;
      this.part("more").hidden = true;
      this.part("more").replaceChildren();
      this.load();
    };
    this.part("reason").value = reason;
    this.part("weight").value = "3";
    for (const name of ["error", "down", "more", "widenRow", "aside"]) this.part(name).hidden = true;
    this.part("more").replaceChildren();
    this.part("strip").replaceChildren();
    this.part("launch").disabled = true;
    const counting = document.createElement("li");
    counting.className = "soft";
    counting.textContent = "Counting…";
    this.part("counts").replaceChildren(counting);
    this.part("form").onsubmit = (event) => { event.preventDefault(); this.launch(); };
    this.part("close").onclick = () => dialog.close();
    this.part("widen").onchange = () => this.show();
    this.part("find").onclick = () => this.findMore();
    this.part("aside").onclick = () => this.setAside();
    dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  }

  part(name) {
    return this.dialog.querySelector(`[data-${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}]`);
  }

  async load() {
    try {
      this.preview = await api("GET", `${this.base}/corrective?q=${encodeURIComponent(this.query)}`);
    } catch (error) {
      this.fail(error);
      return;
    }
    const { labels, parameters, may_launch: mayLaunch, may_set_aside: mayAside, down, widened } = this.preview;
    const select = this.part("label");
    select.replaceChildren(new Option("all classes", ""), ...labels.map((name) => new Option(name, name)));
    select.value = labels.includes(this.label) ? this.label : "";
    this.parameters(parameters);
    if (down.length) {
      this.part("down").textContent = [...down.map((part) => `${part.part} does not answer. ${part.missing}`), `${down[0].do}.`].join(" ");
      this.part("down").hidden = false;
    }
    this.part("widenRow").hidden = !widened;
    if (widened) {
      this.part("widenText").textContent = `Take all ${widened.images.toLocaleString("en")} images like these, not only the test images: a model is judged on those and must not learn from them.`;

      this.part("widen").checked = true;
    }
    this.part("aside").hidden = !mayAside;
    this.part("launch").hidden = !mayLaunch;
    this.part("launch").disabled = false;
    this.show();
    this.part(mayLaunch ? "launch" : "aside").focus();
  }

  /** The selection as it is chosen now. */
  get chosen() {
    return this.preview.widened && this.part("widen").checked ? this.preview.widened : this.preview.selection;
  }

  show() {
    const { query, images, labelled, train, held_out: heldOut, outside, sample } = this.chosen;
    this.part("query").textContent = query;
    const number = (n) => n.toLocaleString("en");
    const chips = [
      [`${number(images)} images`, "accent"],
      [`${number(labelled)} with labels`, ""],
      images > labelled ? [`${number(images - labelled)} without`, "warn"] : null,
      [`${number(train)} in training`, train ? "good" : "warn"],
      [`${number(heldOut)} in val and test`, ""],
      outside ? [`${number(outside)} not in the dataset yet`, "info"] : null,
    ].filter(Boolean);
    this.part("counts").replaceChildren(...chips.map(([text, kind]) => {
      const item = document.createElement("li");
      item.className = `badge ${kind}`;
      item.textContent = text;
      return item;
    }));
    this.part("strip").replaceChildren(...sample.map((id) => this.thumbnail(id, 128)));
  }

  thumbnail(id, size) {
    const image = document.createElement("img");
    image.src = `/p/${encodeURIComponent(this.project)}/images/${encodeURIComponent(id)}/thumbnail?size=${size}`;
    image.alt = "";
    image.loading = "lazy";
    return image;
  }

  parameters(list) {
    const rows = list.flatMap(({ key, value, words }) => {
      const id = `corrective-${key.replace(/[^a-z0-9]/gi, "-")}`;
      const name = document.createElement("label");
      name.htmlFor = id;
      name.textContent = key.replace(/^training\./, "");
      name.title = words;
      const input = document.createElement("input");
      input.id = id;
      input.dataset.key = key;
      input.dataset.before = JSON.stringify(value);
      input.value = typeof value === "string" ? value : JSON.stringify(value);
      if (typeof value === "number") { input.type = "number"; input.step = "any"; }
      input.title = words;
      input.oninput = () => this.changed();
      return [name, input];
    });
    this.part("parameters").replaceChildren(...rows);
    this.changed();
  }

  /** Parameters that differ from the parent's. */
  changed() {
    const changes = {};
    for (const input of this.part("parameters").querySelectorAll("input")) {
      const before = JSON.parse(input.dataset.before);
      let value = input.value.trim();
      if (typeof before !== "string") {
        try { value = JSON.parse(value); } catch { /* the server says what is wrong with it */ }
      }
      const differs = JSON.stringify(value) !== JSON.stringify(before);
      input.classList.toggle("changed", differs);
      if (differs) changes[input.dataset.key] = value;
    }
    const count = Object.keys(changes).length;
    this.part("changed").textContent = count ? `${count} changed` : "as the parent's";
    return changes;
  }

  async findMore() {
    const box = this.part("more");
    const button = this.part("find");
    button.disabled = true;
    try {
      const query = new URLSearchParams({ q: this.chosen.query, n: this.part("n").value, labels: this.part("labels").value, for_training: "true", parent: this.preview.parent });
      const found = await api("GET", `${this.base}/more-like?${query}`);
      const head = document.createElement("div");
      head.className = "wide soft";
      head.textContent = found.images.length
        ? `${found.images.length} images outside the selection, the most alike first. Those that are ticked are added.`
        : "No other image is there to choose from.";
      box.replaceChildren(head, ...found.images.map((image) => {
        const label = document.createElement("label");
        const tick = document.createElement("input");
        tick.type = "checkbox";
        tick.checked = true;
        tick.value = image.image_id;
        tick.setAttribute("aria-label", `Add image ${image.image_id.slice(0, 8)}`);
        const note = document.createElement("small");
        note.textContent = `${image.similarity.toFixed(2)}${image.labelled ? "" : " · no label"}`;
        label.append(tick, this.thumbnail(image.image_id, 128), note);
        return label;
      }));
      box.hidden = false;
    } catch (error) {
      this.fail(error);
    } finally {
      button.disabled = false;
    }
  }

  /** Ids of the images that were found and are to be added. */
  get more() {
    return [...this.part("more").querySelectorAll("input:checked")].map((tick) => tick.value);
  }

  async launch() {
    const button = this.part("launch");
    button.disabled = true;
    this.part("error").hidden = true;
    try {
      const run = await api("POST", `${this.base}/corrective`, {
        query: this.chosen.query,
        more: this.more,
        weight: Number(this.part("weight").value),
        label: this.part("label").value || null,
        changes: this.changed(),
        reason: this.part("reason").value.trim(),
        parent: this.preview.parent,
        investigation: currentWalk(this.project)?.id ?? null,
      });
      location.assign(run.address);
    } catch (error) {
      this.fail(error);
      button.disabled = false;
    }
  }

  async setAside() {
    const button = this.part("aside");
    button.disabled = true;
    try {
      const batch = await api("POST", `${this.base}/batches`, {
        query: this.chosen.query,
        more: this.more,
        purpose: "relabel",
        reason: this.part("reason").value.trim(),
      });
      this.dialog.close();
      toast(`${batch.images} images are set aside as ${batch.name}.`, "good");
    } catch (error) {
      this.fail(error);
    } finally {
      button.disabled = false;
    }
  }

  fail(error) {
    if (!this.dialog.open) { tell(error); return; }
    const box = this.part("error");
    box.textContent = [error.message, error.todo].filter(Boolean).join(" ");
    box.hidden = false;
    box.scrollIntoView({ block: "nearest" });
  }
}

// buttons that say in data attributes what they are about
if (!document.documentElement.dataset.correctives) {
  document.documentElement.dataset.correctives = "on";
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-correct]");
    if (!button) return;
    const { query, label, evaluation, reason } = button.dataset;
    const project = document.getElementById("corrective").dataset.project;
    openCorrective({ project, query, label, evaluation, reason });
  });
}
