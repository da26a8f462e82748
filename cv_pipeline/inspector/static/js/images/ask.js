// The query box: how many images while one types, where a mistake is, and what could come next.

import { api } from "../app.js";
import { count, el, settled } from "./dom.js";
import { parameters } from "./state.js";

/** Lines of a box that grows with its text. */
function fit(box) {
  box.style.height = "34px";
  if (box.value) box.style.height = `${Math.min(160, Math.max(34, box.scrollHeight + 2))}px`;
  box.style.overflow = box.scrollHeight > 160 ? "auto" : "hidden";
}

export class Ask {
  /**
   * @param {HTMLFormElement} form
   * @param {object} given project, state(), go(q), problem: element.
   */
  constructor(form, given) {
    Object.assign(this, given);
    this.form = form;
    this.box = form.querySelector("[data-q]");
    this.output = form.querySelector("[data-count]");
    const look = settled(140, () => this.look());
    this.box.addEventListener("input", () => {
      fit(this.box);
      this.output.textContent = "…";
      this.controller?.abort();
      look();
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.defaultPrevented) {
        event.preventDefault();
        this.send();
      }
      if (event.key === "Escape" && !event.defaultPrevented) this.box.blur();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    fit(this.box);
  }

  /** The text that stands there. */
  get text() {
    return this.box.value.trim();
  }

  /** Show the query and count of a state. */
  show(q, total) {
    if (document.activeElement !== this.box || this.box.value.trim() === "") this.box.value = q;
    else if (this.box.value.trim() !== q) this.box.value = q;
    this.output.textContent = count(total);
    this.output.classList.remove("bad");
    this.tell(null);
    fit(this.box);
  }

  /** Show a mistake below the box, or none. */
  tell(problem) {
    this.problem.hidden = !problem;
    this.box.setAttribute("aria-invalid", problem ? "true" : "false");
    if (!problem) this.problem.replaceChildren();
    else this.problem.replaceChildren(el("pre", {}, problem.what), ...(problem.do?.trim() ? [el("p", {}, problem.do.trim())] : []));
  }

  send() {
    this.controller?.abort();
    this.go(this.text);
  }

  /** Count what stands there; an earlier count that has not come yet is dropped. */
  async look() {
    this.controller?.abort();
    this.controller = new AbortController();
    const asked = parameters({ ...this.state(), q: this.text });
    try {
      const found = await api("GET", `/p/${encodeURIComponent(this.project)}/images/count?${asked}`, undefined, { signal: this.controller.signal });
      this.output.textContent = found.count === null ? "?" : count(found.count);
      this.output.classList.toggle("bad", found.count === null);
      this.tell(found.problem);
    } catch (error) {
      if (error.name !== "AbortError") this.tell({ what: error.message, do: error.todo });
    }
  }
}
