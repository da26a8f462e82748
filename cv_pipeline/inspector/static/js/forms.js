// What forms of accounts share: dialogs that open and close, problems told beside the form.

/** Have buttons with data-open open the dialog of that id, and those with data-close close theirs. */
export function opener(root) {
  for (const button of root.querySelectorAll("[data-open]")) {
    button.addEventListener("click", () => document.getElementById(button.dataset.open).showModal());
  }
  for (const button of root.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
}

/** Run `send(data)` when a form is submitted; what goes wrong stands in its [data-problem]. */
export function onSubmit(form, send) {
  if (!form) return;
  const problem = form.querySelector("[data-problem]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      await send(new FormData(form), form);
    } catch (error) {
      problem.textContent = [error.message, error.todo].filter(Boolean).join(" ");
      problem.hidden = false;
    }
  });
}

/** Have buttons with data-make-password fill the field before them with a random password. */
export function makePassword(root) {
  const signs = "abcdefghijkmnpqrstuvwxyz23456789";
  for (const button of root.querySelectorAll("[data-make-password]")) {
    button.addEventListener("click", () => {
      const random = crypto.getRandomValues(new Uint8Array(20));
      const letters = Array.from(random, (byte) => signs[byte % signs.length]);
      button.parentElement.querySelector("input").value = [0, 5, 10, 15].map((i) => letters.slice(i, i + 5).join("")).join("-");
    });
  }
}
