// Small dialogs that ask for some values, and send them.

import { el } from "./dom.js";

/**
 * Ask for values in a dialog.
 * @param {HTMLDialogElement} dialog
 * @param {object} what title, lead, fields: [{name, label, type, value, options, hint, required}], button, send: async (values) => void.
 */
export function ask(dialog, { title, lead, fields, button, send }) {
  const inputs = fields.map((field) => {
    const id = `dialog-${field.name}`;
    const input = field.options
      ? el("select", { id, name: field.name }, ...field.options.map(([value, text]) => el("option", { value }, text)))
      : el(field.type === "text-area" ? "textarea" : "input", { id, name: field.name, value: field.value ?? "", required: field.required ?? false, autocomplete: "off", list: field.known ? `${id}-known` : null });
    if (field.type === "checkbox") input.type = "checkbox";
    const known = field.known ? el("datalist", { id: `${id}-known` }, ...field.known.map((value) => el("option", { value }))) : null;
    return el("div", { class: "field" }, el("label", { for: id }, field.label), input, known, field.hint ? el("p", { class: "hint" }, field.hint) : null);
  });
  const submit = el("button", { class: "primary", type: "submit" }, button);
  const problem = el("div", { class: "notice bad", role: "alert", hidden: true });
  const form = el("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      problem.hidden = true;
      try {
        await send(Object.fromEntries(new FormData(form)));
        dialog.close();
      } catch (error) {
        problem.textContent = [error.message, error.todo].filter(Boolean).join(" ");
        problem.hidden = false;
      }
      submit.disabled = false;
    },
  },
  el("div", { class: "dialog-head" }, el("h2", { id: "dialog-title" }, title)),
  el("div", { class: "dialog-body" }, lead ? el("p", { class: "soft" }, lead) : null, ...inputs, problem),
  el("div", { class: "dialog-foot" }, el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), submit));
  dialog.replaceChildren(form);
  dialog.showModal();
  form.querySelector("input, textarea, select")?.focus();
}
