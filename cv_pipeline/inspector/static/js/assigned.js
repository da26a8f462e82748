// Assignments: who has which batch; and the tasks of an annotator, one after the other.

import { api } from "./app.js";
import { onSubmit, opener } from "./forms.js";

opener(document);

const form = document.querySelector("[data-assign]");
onSubmit(form, async (data) => {
  const { project, batch } = form.dataset;
  await api("POST", `/p/${encodeURIComponent(project)}/batches/${encodeURIComponent(batch)}/assignees`, { users: data.getAll("user") });
  location.reload();
});

// What was opened is known here until the next pull knows what was labelled: so the button goes on.

const next = document.querySelector("[data-next]");
const button = next?.querySelector("[data-next-task]");

if (button) {
  const key = `opened:${next.dataset.project}`;
  const listed = [...next.querySelectorAll("[data-task]")];
  const read = () => new Set(JSON.parse(sessionStorage.getItem(key) ?? "[]"));

  const show = () => {
    const opened = read();
    for (const one of listed) one.classList.toggle("is-opened", opened.has(one.dataset.task));
    const following = listed.find((one) => !opened.has(one.dataset.task));
    for (const one of listed) one.classList.toggle("is-next", one === following);
    const links = following ? following.querySelector("a") : listed[0].querySelector("a");
    button.href = links.href;
    button.lastChild.textContent = following ? "Next task" : "First task again";
    next.querySelector("[data-opened-hint]").textContent = following
      ? "What you submit is off this list after the next pull."
      : "You opened all that is listed here: what you submitted is off the list after the next pull, which brings what follows.";
  };
  const open = (task) => {
    const opened = read();
    if (opened.has(task)) opened.clear();
    opened.add(task);
    sessionStorage.setItem(key, JSON.stringify([...opened]));
    show();
  };
  button.addEventListener("click", () => {
    const link = button.href;
    const one = listed.find((each) => each.querySelector("a").href === link);
    setTimeout(() => open(one.dataset.task)); // the browser goes where the button led before
  });
  for (const one of listed) one.querySelector("[data-open-task]").addEventListener("click", () => setTimeout(() => {
    const opened = read().add(one.dataset.task);
    sessionStorage.setItem(key, JSON.stringify([...opened]));
    show();
  }));
  show();
}
