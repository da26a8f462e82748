// What moves on the data pages: commands that can be copied, pickers that go by themselves, and
// pages that wait for what is worked out in the background.
import { toast, tell } from "./app.js";

/** Copy the text of the button's own command. */
async function copy(button) {
  const text = button.closest(".copy").querySelector("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.", "good");
  } catch {
    tell(new Error("The browser does not let pages copy here. Select the text instead."));
  }
}

/** Ask the page's twin how far the work is, and show the page again once it is done. */
async function follow(box) {
  const progress = box.querySelector("progress");
  for (let wait = 700; ; wait = Math.min(wait * 1.3, 4000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    let answer;
    try {
      const response = await fetch(`/api/v1${location.pathname}${location.search}`, { headers: { Accept: "application/json" } });
      answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
    } catch {
      location.reload();
      return;
    }
    if (answer.job?.state !== "running") {
      location.reload();
      return;
    }
    if (answer.job.share) progress.value = answer.job.share;
  }
}

for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
for (const box of document.querySelectorAll("[data-working]")) follow(box);
for (const form of document.querySelectorAll("form[data-goes]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
