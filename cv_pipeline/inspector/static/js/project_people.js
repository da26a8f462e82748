// Roles in one project, as its admins give and take them.

import { api, tell } from "./app.js";

const form = document.querySelector("[data-give]");
const { project } = form.dataset;

/** Give somebody a role here, or take it away with null, and show what came of it. */
async function give(name, role) {
  await api("PUT", `/people/${encodeURIComponent(name)}/roles/${encodeURIComponent(project)}`, { role });
  location.reload();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(form);
  try {
    await give(data.get("name").trim().toLowerCase(), data.get("role"));
  } catch (error) {
    tell(error);
  }
});

for (const select of document.querySelectorAll("[data-role]")) {
  select.addEventListener("change", async () => {
    try {
      await give(select.dataset.role, select.value);
    } catch (error) {
      select.value = select.dataset.now;
      tell(error);
    }
  });
}

for (const button of document.querySelectorAll("[data-take]")) {
  button.addEventListener("click", async () => {
    try {
      await give(button.dataset.take, null);
    } catch (error) {
      tell(error);
    }
  });
}
