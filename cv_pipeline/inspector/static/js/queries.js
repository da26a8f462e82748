// Names of queries are taken away here, after a second press.
import { api, tell, toast } from "./app.js";

for (const button of document.querySelectorAll("[data-forget]")) {
  button.addEventListener("click", async () => {
    if (!button.dataset.sure) {
      button.dataset.sure = "yes";
      button.textContent = "Really forget?";
      button.classList.add("danger");
      setTimeout(() => {
        delete button.dataset.sure;
        button.textContent = "Forget";
        button.classList.remove("danger");
      }, 4000);
      return;
    }
    button.disabled = true;
    try {
      const { project, forget } = button.dataset;
      await api("DELETE", `/p/${encodeURIComponent(project)}/queries/${encodeURIComponent(forget)}`);
      button.closest("tr").remove();
      toast(`The name ${forget} is free again; the log keeps what was asked.`, "good");
    } catch (error) {
      button.disabled = false;
      tell(error);
    }
  });
}
