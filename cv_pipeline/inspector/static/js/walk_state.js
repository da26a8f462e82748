// Which investigation this tab is in. Kept in sessionStorage: a tab is one walk.

const KEY = "cv_pipeline.walk";

/** The investigation of this tab in a project, or null. */
export function currentWalk(project) {
  try {
    const walk = JSON.parse(sessionStorage.getItem(KEY));
    return walk && (project === undefined || walk.project === project) ? walk : null;
  } catch {
    return null;
  }
}

/** Remember the investigation of this tab; null ends it. */
export function keepWalk(walk) {
  if (walk) sessionStorage.setItem(KEY, JSON.stringify(walk));
  else sessionStorage.removeItem(KEY);
}

/** A new investigation that begins now. */
export function newWalk(project, title, alert) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (n) => n.toString(16).padStart(2, "0")).join("");
  return { project, id, title: title.slice(0, 300), alert: (alert ?? "").slice(0, 300), began: Date.now(), clicks: 0 };
}

/** Project of an address such as /p/fruit/images, or null. */
export function projectOf(path) {
  const found = /^\/p\/([^/]+)/.exec(path);
  return found ? decodeURIComponent(found[1]) : null;
}
