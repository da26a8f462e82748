// What every page has: the theme, and changes sent to the API with the page's own proof.

export class ApiError extends Error {
  /** What the API said went wrong (`message`) and what to do next (`todo`). */
  constructor(status, body) {
    super(body?.error ?? `The server answered ${status}.`);
    this.status = status;
    this.todo = body?.do ?? "";
  }
}

/** Call the API: `api("GET", "/p/fruit")` reads the page's twin, others send `body` as JSON. */
export async function api(method, path, body, { signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = document.querySelector("meta[name=csrf]").content;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { error: "The inspector does not answer.", do: "Check that it runs, and try again." });
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    const error = new ApiError(response.status, answer);
    error.secondFactor = response.headers.get("X-Second-Factor") === "needed";
    throw error;
  }
  return answer;
}

/** Say something for some seconds; kind is "", "good" or "bad", `link` ({href, text}) what follows from it. */
export function toast(text, kind = "", link = null) {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  box.textContent = text;
  if (link) {
    const more = document.createElement("a");
    Object.assign(more, { href: link.href, textContent: link.text });
    box.append(" ", more);
  }
  document.querySelector("[data-toasts]").append(box);
  setTimeout(() => box.remove(), kind === "bad" || link ? 9000 : 5000);
}

/** Tell of an error as a toast. */
export function tell(error) {
  if (error?.name === "AbortError") return;
  toast([error.message, error.todo].filter(Boolean).join(" "), "bad");
}

/** Whether a key press belongs to a field that is being typed in. */
export function typing(event) {
  return event.target.closest("input, select, textarea, [contenteditable]") !== null;
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme === "dark" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
}

document.querySelector("[data-theme-toggle]")?.addEventListener("click", switchTheme);
