// The page of one investigation: comments, the conclusion, and its address to be shared.

import { api, tell, toast } from "./app.js";
import { currentWalk, keepWalk } from "./walk_state.js";

document.querySelector("[data-copy]")?.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.origin + location.pathname);
    toast("The address is on the clipboard.", "good");
  } catch {
    toast(location.origin + location.pathname);
  }
});

/** Send a form to the API, and show the page anew. */
function sends(form, method, body) {
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      await api(method, form.dataset.path, body(form));
      location.reload();
    } catch (error) {
      tell(error);
      button.disabled = false;
    }
  });
}

sends(document.querySelector("[data-comment]"), "POST", (form) => ({ text: form.querySelector("textarea").value }));

const conclude = document.querySelector("[data-conclude]");
sends(conclude, "PATCH", (form) => {
  // what is closed is not gone on with by the next click on its alert
  if (form.dataset.path.endsWith(`/${currentWalk()?.id}`)) keepWalk(null);
  return { conclusion: form.querySelector("textarea").value, closed: true };
});

document.querySelector("[data-reopen]")?.addEventListener("click", async () => {
  try {
    await api("PATCH", conclude.dataset.path, { closed: false });
    location.reload();
  } catch (error) {
    tell(error);
  }
});
