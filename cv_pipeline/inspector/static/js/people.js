// Accounts and their roles: adding, giving and taking.

import { api, tell, toast } from "./app.js";
import { makePassword, onSubmit, opener } from "./forms.js";

opener(document);
makePassword(document);

onSubmit(document.querySelector("[data-new-person]"), async (data) => {
  const body = { name: data.get("name"), password: data.get("password"), roles: { [data.get("project")]: data.get("role") } };
  await api("POST", "/people", body);
  location.reload();
});

const dialog = document.getElementById("person");
let name = "";
let disabled = false;

const path = (rest) => `/people/${encodeURIComponent(name)}/${rest}`;
const setRole = (project, role) => api("PUT", path(`roles/${encodeURIComponent(project)}`), { role });

function showRoles(roles) {
  const list = dialog.querySelector("[data-roles-list]");
  list.replaceChildren();
  for (const [project, role] of Object.entries(roles)) {
    const item = document.createElement("li");
    const words = document.createElement("span");
    words.textContent = `${role} in ${project === "*" ? "every project" : project}`;
    const take = document.createElement("button");
    take.type = "button";
    take.className = "small";
    take.textContent = "Take away";
    take.setAttribute("aria-label", `Take away ${words.textContent}`);
    take.addEventListener("click", () => change(() => setRole(project, null)));
    item.append(words, take);
    list.append(item);
  }
  if (!list.children.length) {
    const none = document.createElement("li");
    none.className = "faint";
    none.textContent = "None yet: without a role there is nothing to see.";
    list.append(none);
  }
}

function show(person) {
  disabled = person.disabled;
  dialog.querySelector("[data-title]").textContent = name;
  dialog.querySelector("[data-toggle-disabled]").textContent = disabled ? "Let it be used again" : "Disable";
  showRoles(person.roles);
}

/** Make a change, show what came of it, and tell what went wrong. */
async function change(make) {
  const problem = dialog.querySelector("[data-problem]");
  problem.hidden = true;
  try {
    show(await make());
    dialog.dataset.changed = "yes";
    return true;
  } catch (error) {
    problem.textContent = [error.message, error.todo].filter(Boolean).join(" ");
    problem.hidden = false;
    return false;
  }
}

for (const button of document.querySelectorAll("[data-person]")) {
  button.addEventListener("click", () => {
    name = button.dataset.person;
    dialog.querySelector("[data-problem]").hidden = true;
    show({ roles: JSON.parse(button.dataset.roles), disabled: button.dataset.disabled === "1" });
    dialog.showModal();
  });
}
dialog.addEventListener("close", () => dialog.dataset.changed && location.reload());
dialog.querySelector("[data-give-role]").addEventListener("submit", (event) => {
  event.preventDefault();
  const data = new FormData(event.target);
  change(() => setRole(data.get("project"), data.get("role")));
});
dialog.querySelector("[data-give-password]").addEventListener("submit", async (event) => {
  event.preventDefault();
  const password = new FormData(event.target).get("password");
  if (await change(() => api("PUT", path("password"), { password }))) toast("The password is set. Tell it in person.", "good");
});
dialog.querySelector("[data-reset-factor]").addEventListener("click", async () => {
  try {
    await api("DELETE", path("second-factor"));
    toast(`${name} signs in by password alone, and is signed out everywhere where there was a second factor.`, "good");
  } catch (error) {
    tell(error);
  }
});
dialog.querySelector("[data-end-sessions]").addEventListener("click", async () => {
  try {
    await api("DELETE", path("sessions"));
    dialog.dataset.changed = "yes";
    toast(`${name} is signed out everywhere.`, "good");
  } catch (error) {
    tell(error);
  }
});
dialog.querySelector("[data-toggle-disabled]").addEventListener("click", () => change(() => api("PUT", path("disabled"), { disabled: !disabled })));
