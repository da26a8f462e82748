// Follows a run: the parts of the page that live are taken anew from the server, until it has ended.

import { api, tell, toast } from "./app.js";

const EVERY = 1500;
const SLOW = 6000;

const finished = (root) => root.querySelector("[data-run]")?.dataset.finished === "yes";

/** Put the live parts of a newer page in place; what a person opened stays open. */
function renew(page) {
  for (const part of page.querySelectorAll("[data-live]")) {
    const here = document.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!here || here.isEqualNode(part)) continue;
    for (const open of here.querySelectorAll("details[open][id]")) part.querySelector(`#${open.id}`)?.setAttribute("open", "");
    here.replaceWith(document.importNode(part, true));
  }
  document.title = page.title;
}

async function follow() {
  let wait = EVERY;
  while (!finished(document)) {
    await new Promise((resolve) => setTimeout(resolve, document.hidden ? SLOW : wait));
    try {
      const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
      if (!response.ok) throw new Error(`${response.status}`);
      renew(new DOMParser().parseFromString(await response.text(), "text/html"));
      wait = EVERY;
    } catch {
      if (wait === EVERY) toast("The inspector does not answer; trying again.", "bad");
      wait = SLOW;
    }
  }
}

// stopping it

const dialog = document.querySelector("[data-stop-dialog]");
document.addEventListener("click", (event) => { if (event.target.closest("[data-stop]")) dialog.showModal(); });
dialog.querySelector("[data-stop-not]").addEventListener("click", () => dialog.close());
dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = dialog.querySelector("[data-stop-now]");
  button.disabled = true;
  try {
    await api("POST", `${location.pathname}/stop`, { reason: dialog.querySelector("textarea").value.trim() });
    toast("It is told to stop.", "good");
    dialog.close();
  } catch (error) {
    dialog.close();
    tell(error);
  }
  button.disabled = false;
});

if (!finished(document)) follow().then(() => toast("The run has ended.", "good"));
