// The state of a view, which is its address and nothing else.

const TEXT = ["q", "evaluation", "label", "kind", "sort", "model", "like", "as_of", "among"];
const NUMBERS = ["epoch"];
const SHOWN = ["position", "size", "first_of"];

/** What decides which images there are, as the parameters of a request. */
export function parameters(state) {
  const made = new URLSearchParams();
  for (const name of TEXT) if (state[name]) made.set(name, state[name]);
  for (const name of NUMBERS) if (state[name]) made.set(name, String(state[name]));
  return made;
}

/** The state that the address has. */
export function readAddress() {
  const given = new URLSearchParams(location.search);
  const state = {};
  for (const name of TEXT) state[name] = given.get(name) ?? "";
  for (const name of [...NUMBERS, ...SHOWN]) state[name] = Number.parseInt(given.get(name) ?? "0", 10) || 0;
  return state;
}

/** Address of a path with a state; `more` are further parameters. */
export function address(path, state, more = {}) {
  const made = parameters(state);
  for (const [name, value] of Object.entries(more)) if (value) made.set(name, String(value));
  const text = made.toString();
  return text ? `${path}?${text}` : path;
}

/** Whether two states have the same images in the same order. */
export const same = (one, other) => parameters(one).toString() === parameters(other).toString();

/**
 * The query that says by itself which images a state has; null where more than the query does: a
 * kind of error, an epoch, likeness, images named as a whole, another moment than that of the
 * evaluation, whose conditions hold for what is like it now, or a class that the query does not ask
 * for.
 */
export function plainQuery(state, evaluation = null) {
  if (state.kind || state.model || state.like || state.among) return null;
  if (state.as_of && !evaluation?.dataset?.startsWith(state.as_of)) return null;
  if (state.label && !state.q.includes(`label = '${state.label.replaceAll("'", "''")}'`)) return null;
  return state.q || "all images";
}
