// The audit log: checking it, and saying what came of that.

import { api, tell } from "./app.js";

const button = document.querySelector("[data-verify]");
const place = document.querySelector("[data-verdict]");

function line(text, tag = "div") {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function show(found) {
  const box = document.createElement("div");
  box.className = `notice ${found.whole ? "good" : "bad"}`;
  const lines = found.lines.toLocaleString("en");
  box.append(line(found.whole ? `All ${lines} lines are genuine and none is missing.` : "The log is not what was written.", "strong"));
  for (const fault of found.faults) box.append(line(fault.told));
  for (const remark of found.remarks) box.append(line(remark, "small"));
  const head = line("Note the head elsewhere, to find out later if somebody puts an old copy back: ", "small");
  head.append(line(found.head, "code"));
  box.append(head);
  place.replaceChildren(box);
}

button.addEventListener("click", async () => {
  button.disabled = true;
  button.textContent = "Checking…";
  try {
    show(await api("POST", "/audit/verify"));
  } catch (error) {
    tell(error);
  } finally {
    button.disabled = false;
    button.textContent = "Verify";
  }
});
