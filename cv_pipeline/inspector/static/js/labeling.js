// Labelling: work is given out, batches are paused, resumed, cancelled and changed.

import { api, tell, toast } from "./app.js";
import { onSubmit, opener } from "./forms.js";

opener(document);

const path = (data, more) => `/p/${encodeURIComponent(data.project)}/labeling${more}`;
const ofBatch = (data) => `/batches/${encodeURIComponent(data.batch)}`;

for (const button of document.querySelectorAll("[data-batch-action]")) {
  button.addEventListener("click", async () => {
    const action = button.dataset.batchAction;
    if (action === "cancel" && !confirm(`Cancel ${button.dataset.batch}? It cannot be taken back.`)) return;
    button.disabled = true;
    try {
      await api("POST", path(button.dataset, `${ofBatch(button.dataset)}/state`), { action });
      location.reload();
    } catch (error) {
      button.disabled = false;
      tell(error);
    }
  });
}

document.querySelector("[data-import]")?.addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const { run_id: id } = await api("POST", path(button.dataset, "/import"), {});
    location.assign(`/p/${encodeURIComponent(button.dataset.project)}/runs/${id}`);
  } catch (error) {
    tell(error);
    button.disabled = false;
  }
});

document.querySelector("[data-assign-work]")?.addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const done = await api("POST", path(button.dataset, "/assign"), {});
    const left = done.unassigned.reduce((sum, one) => sum + one.labels, 0);
    const said = `${done.labels.toLocaleString("en")} labels are assigned to ${done.annotators.length} annotators.`;
    toast(left ? `${said} ${left.toLocaleString("en")} to nobody: ${done.unassigned[0].why}.` : said, left ? "" : "good");
  } catch (error) {
    tell(error);
  }
  button.disabled = false;
});

const form = document.querySelector("[data-settings]");
onSubmit(form, async (data) => {
  const settings = Object.fromEntries(["owner", "queue", "difficulty"].map((name) => [name, data.get(name).trim()]));
  settings.priority = Number(data.get("priority"));
  settings.overlap = Number(data.get("overlap"));
  settings.deadline = data.get("deadline") ? `${data.get("deadline")}Z` : "";
  settings.pilot = data.has("pilot");
  await api("POST", path(form.dataset, `${ofBatch(form.dataset)}/settings`), settings);
  location.reload();
});
