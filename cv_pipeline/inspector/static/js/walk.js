// Measures the way from an alert to its images to a run: a click on an alert begins an
// investigation by itself, and every page that is come to is a step with its time and clicks.

import { currentWalk, keepWalk, newWalk, projectOf } from "./walk_state.js";

const project = projectOf(location.pathname);
const csrf = document.querySelector("meta[name=csrf]")?.content ?? "";

/** Send a step; it arrives even when the page is left at once. */
function send(walk, step) {
  fetch(`/api/v1/p/${encodeURIComponent(walk.project)}/investigations/${walk.id}/steps`, {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify({ title: walk.title, alert: walk.alert, steps: [step] }),
  }).catch(() => {});
}

function step(walk, what) {
  return { address: (location.pathname + location.search).slice(0, 8000), title: document.title.split(" · ")[0].slice(0, 300), elapsed_s: (Date.now() - walk.began) / 1000, clicks: walk.clicks, machine_s: 0, ...what };
}

/** The investigation of the same alert that is open already: of this tab, or of this person. */
function goneOnWith({ alert, open, title, elapsed, clicks }, walk) {
  if (alert && walk?.alert === alert) return walk;
  return open ? { project, id: open, title, alert, began: Date.now() - 1000 * Number(elapsed), clicks: Number(clicks) } : null;
}

function counted(event) {
  if (!event.isTrusted) return;
  const alert = event.target.closest?.("[data-investigate]");
  let walk = currentWalk(project ?? undefined);
  if (alert && project) {
    walk = goneOnWith(alert.dataset, walk) ?? newWalk(project, alert.dataset.investigate, alert.dataset.alert);
    walk.clicks += 1;
    keepWalk(walk);
    send(walk, step(walk, { kind: "alert", title: walk.title }));
  } else if (walk) {
    walk.clicks += 1;
    keepWalk(walk);
  }
}

/** The page is there: how long it took, and since when. */
function arrived() {
  const walk = project && currentWalk(project);
  if (!walk) return;
  const [navigation] = performance.getEntriesByType("navigation");
  const machine = navigation ? Math.max(0, (navigation.loadEventEnd || performance.now()) - navigation.startTime) / 1000 : 0;
  send(walk, step(walk, { machine_s: machine }));
  show(walk);
}

/** What stands in the bar while something is looked into. */
function show(walk) {
  const place = document.querySelector("[data-walk]");
  if (!place) return;
  place.replaceChildren();
  const link = document.createElement("a");
  link.href = `/p/${encodeURIComponent(walk.project)}/investigations/${walk.id}`;
  link.textContent = walk.title;
  link.title = `Investigating: ${walk.title}`;
  const end = document.createElement("button");
  end.type = "button";
  end.className = "plain icon-button";
  end.textContent = "×";
  end.setAttribute("aria-label", "Stop investigating");
  end.addEventListener("click", () => {
    keepWalk(null);
    place.hidden = true;
  });
  place.append(link, end);
  place.hidden = false;
}

if (project && !document.documentElement.dataset.walks) {
  document.documentElement.dataset.walks = "on";
  const resume = document.querySelector("[data-resume]");
  resume?.addEventListener("click", () => {
    const { resume: id, title, elapsed, clicks } = resume.dataset;
    keepWalk({ project, id, title, alert: resume.dataset.alert, began: Date.now() - 1000 * Number(elapsed), clicks: Number(clicks) });
  }, { capture: true });
  document.addEventListener("click", counted, { capture: true });
  if (document.readyState === "complete") setTimeout(arrived);
  else addEventListener("load", () => setTimeout(arrived), { once: true });
}
