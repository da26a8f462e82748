// The form that waives failed checks of a candidate.
import { api, tell } from "./app.js";

for (const form of document.querySelectorAll("form[data-waiver]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const checks = given.getAll("checks");
    if (!checks.length) {
      tell(new Error("Choose the checks to waive."));
      return;
    }
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await api("POST", form.dataset.waiver, { checks, reason: given.get("reason") });
      location.reload();
    } catch (error) {
      tell(error);
      button.disabled = false;
    }
  });
}
