// One's own account: tokens, sessions and the password.

import { api, tell, toast } from "./app.js";
import { onSubmit, opener } from "./forms.js";

opener(document);

/** Call the API when a button is pressed, then show the page anew. */
function onPress(selector, call) {
  for (const button of document.querySelectorAll(selector)) {
    button.addEventListener("click", async () => {
      try {
        await call(button.dataset);
        location.reload();
      } catch (error) {
        tell(error);
      }
    });
  }
}

onPress("[data-revoke]", (data) => api("DELETE", `/account/tokens/${encodeURIComponent(data.revoke)}`));
onPress("[data-end]", (data) => api("DELETE", `/account/sessions/${encodeURIComponent(data.end)}`));
onPress("[data-end-others]", () => api("DELETE", "/account/sessions"));

onSubmit(document.querySelector("[data-password]"), async (data, form) => {
  if (data.get("new") !== data.get("again")) throw new Error("The two new passwords differ.");
  const ended = await api("POST", "/account/password", { current: data.get("current"), new: data.get("new") });
  form.reset();
  toast(ended.sessions > 1 ? `The password is changed; ${ended.sessions - 1} other sessions ended.` : "The password is changed.", "good");
  setTimeout(() => location.reload(), 1500);
});

const factor = document.querySelector("[data-factor]");
const confirmation = document.querySelector("[data-factor-confirm]");
onSubmit(factor, async (data, form) => {
  const body = { password: data.get("password"), code: data.get("code") ?? "" };
  if (form.dataset.factor === "off") {
    await api("DELETE", "/account/second-factor", body);
    location.reload();
    return;
  }
  const begun = await api("POST", "/account/second-factor", body);
  form.hidden = true;
  confirmation.hidden = false;
  confirmation.querySelector("[data-factor-secret]").textContent = begun.secret.replace(/(.{4})/g, "$1 ").trim();
  confirmation.querySelector("[data-factor-address]").href = begun.address;
  confirmation.querySelector("input").focus();
});
onSubmit(confirmation, async (data, form) => {
  const { codes } = await api("PUT", "/account/second-factor", { code: data.get("code") });
  form.hidden = true;
  document.querySelector("[data-factor-list]").textContent = codes.join("\n");
  document.querySelector("[data-factor-codes]").hidden = false;
  const badge = document.querySelector("#factor-title + .badge");
  badge.textContent = "on";
  badge.classList.add("good");
  toast("The second factor is on.", "good");
});

const dialog = document.getElementById("new-token");
onSubmit(document.querySelector("[data-new-token]"), async (data) => {
  const everywhere = data.getAll("project").filter((project) => project !== "*");
  const body = { name: data.get("name"), scopes: data.getAll("scope"), projects: everywhere.length ? everywhere : data.getAll("project"), days: Number(data.get("days")) };
  const made = await api("POST", "/account/tokens", body);
  dialog.querySelector("[data-ask]").hidden = true;
  dialog.querySelector("[data-made]").hidden = false;
  dialog.querySelector("[data-make]").hidden = true;
  dialog.querySelector("[data-copy]").hidden = false;
  dialog.querySelector("[data-cancel]").textContent = "Done";
  const field = dialog.querySelector("[data-token]");
  field.value = made.token;
  field.select();
  dialog.addEventListener("close", () => location.reload());
});
dialog.querySelector("[data-copy]").addEventListener("click", async () => {
  const field = dialog.querySelector("[data-token]");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    toast("Copied.", "good");
  } catch {
    toast("Copy it by hand: the browser does not let this page.", "bad");
  }
});
for (const box of dialog.querySelectorAll("input[name=project]")) {
  box.addEventListener("change", () => {
    if (!box.checked) return;
    for (const other of dialog.querySelectorAll("input[name=project]")) {
      if ((box.value === "*") !== (other.value === "*")) other.checked = false;
    }
  });
}
