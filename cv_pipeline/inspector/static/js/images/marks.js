// Boxes over a picture, in the picture's own pixels, so that they fit it at every size.

import { svg } from "./dom.js";

const NAMES = { background: "", correct: "", missed: "missed ", duplicate: "duplicate ", localisation: "misplaced " };

/** Number of the colour of a class. */
export function colourOf(label, labels) {
  const at = labels.indexOf(label);
  return (at < 0 ? [...label].reduce((sum, c) => sum + c.codePointAt(0), 0) : at) % 10;
}

/** What is written on a mark. */
export function nameOf(mark) {
  const wrong = mark.truth && mark.truth !== mark.label ? ` ≠ ${mark.truth}` : "";
  const score = mark.score === null || mark.score === undefined ? "" : ` ${mark.score.toFixed(2)}`;
  return `${NAMES[mark.kind] ?? ""}${mark.label}${wrong}${score}`;
}

/**
 * Whether a mark is drawn.
 * @param {{labels: string[], kinds: string[]}} focus classes and kinds that are looked at; all where empty.
 */
export function inFocus(mark, focus) {
  const label = !focus.labels.length || focus.labels.includes(mark.label) || (mark.truth && focus.labels.includes(mark.truth));
  const kind = !focus.kinds.length || focus.kinds.includes(mark.kind) || (focus.kinds.includes("error") && mark.kind !== "correct" && mark.kind !== "label");
  return label && kind;
}

/**
 * An SVG with marks.
 * @param {object} item with width, height and marks.
 * @param {{scale: number, names: boolean, labels: string[]}} how CSS pixels per pixel of the picture, whether names are written, classes of the project.
 */
export function drawing(item, marks, { scale, names, labels }) {
  const made = svg("svg", { viewBox: `0 0 ${item.width} ${item.height}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" });
  const text = 11 / scale;
  for (const mark of marks) {
    if (!mark.box) continue;
    const [x, y, w, h] = [mark.box[0] * item.width, mark.box[1] * item.height, mark.box[2] * item.width, mark.box[3] * item.height];
    const kind = mark.kind === "label" ? `class-${colourOf(mark.label, labels)}` : mark.kind;
    const group = svg("g", { class: `mark ${kind}` });
    const place = { x, y, width: Math.max(w, 0), height: Math.max(h, 0) };
    group.append(svg("rect", { ...place, class: "rim" }), svg("rect", place));
    if (names && w * scale > 18) {
      const top = y * scale > 13;
      const label = svg("text", { x: x + 2 / scale, y: top ? y - 3 / scale : y + text, "font-size": text, "stroke-width": 3 / scale });
      label.textContent = nameOf(mark);
      group.append(label);
    }
    made.append(group);
  }
  return made;
}
