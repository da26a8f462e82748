// Assigned batches: who has which.

import { api } from "./app.js";
import { onSubmit, opener } from "./forms.js";

opener(document);

const form = document.querySelector("[data-assign]");
onSubmit(form, async (data) => {
  const { project, batch } = form.dataset;
  await api("POST", `/p/${encodeURIComponent(project)}/batches/${encodeURIComponent(batch)}/assignees`, { users: data.getAll("user") });
  location.reload();
});
