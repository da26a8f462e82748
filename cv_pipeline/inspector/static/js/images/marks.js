// Labels over a picture, in the picture's own pixels, so that they fit it at every size.

import { svg } from "./dom.js";

const KINDS = { bbox: ["box", "boxes"], rotated_box: ["turned box", "turned boxes"], polygon: ["polygon", "polygons"], mask: ["mask", "masks"], keypoints: ["object of key points", "objects of key points"], class: ["class of the image", "classes of the image"], tag: ["tag of the image", "tags of the image"] };
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

/** What is drawn for a mark beside or in place of its box: outlines, key points, or nothing. */
export const ringsOf = (mark) => mark.shape?.rings ?? [];
export const pointsOf = (mark) => mark.shape?.points ?? [];

/** Left, top, width and height of a mark as shares of the picture; null for the picture as a whole. */
export function boundsOf(mark) {
  if (mark.box) return mark.box;
  const xs = [...ringsOf(mark).flatMap((ring) => ring.filter((_, n) => n % 2 === 0)), ...pointsOf(mark).map((p) => p.x)];
  const ys = [...ringsOf(mark).flatMap((ring) => ring.filter((_, n) => n % 2 === 1)), ...pointsOf(mark).map((p) => p.y)];
  if (!xs.length) return null;
  const [left, top] = [xs, ys].map((all) => all.reduce((a, b) => Math.min(a, b)));
  return [left, top, xs.reduce((a, b) => Math.max(a, b)) - left, ys.reduce((a, b) => Math.max(a, b)) - top];
}

/** The outlines of a mark as a path in pixels of the picture; what an even number of them holds is not inside. */
export function pathOf(mark, { width, height }) {
  const place = (ring, at) => `${(ring[at] * width).toFixed(2)} ${(ring[at + 1] * height).toFixed(2)}`;
  const rings = ringsOf(mark).map((ring) => {
    const places = [];
    for (let at = 0; at + 1 < ring.length; at += 2) places.push(place(ring, at));
    return `M${places.join("L")}Z`;
  });
  if (mark.geometry === "rotated_box" && ringsOf(mark)[0]?.length === 8) {
    const [a, b, c, d, , , e, f] = ringsOf(mark)[0]; // a stroke from the middle of the top side inwards
    const top = [(a + c) / 2, (b + d) / 2];
    rings.push(`M${place(top, 0)}L${place([top[0] + (e - a) / 6, top[1] + (f - b) / 6], 0)}`);
  }
  return rings.join("");
}

/** The way along the key points of a mark, in the order of the ontology. */
export function bonesOf(mark, { width, height }) {
  return pointsOf(mark).map((p, n) => `${n ? "L" : "M"}${(p.x * width).toFixed(2)} ${(p.y * height).toFixed(2)}`).join("");
}

/** What a mark is, in words. */
export function told(mark) {
  const [kind] = KINDS[mark.geometry] ?? (mark.box ? KINDS.bbox : ["of the whole image"]);
  const rings = ringsOf(mark);
  const points = rings.reduce((sum, ring) => sum + ring.length / 2, 0);
  const parts = [
    mark.geometry === "polygon" && rings.length ? `${kind} ${mark.shape.tolerance ? "drawn by" : "of"} ${points.toLocaleString("en-US")} points` : mark.geometry === "keypoints" && pointsOf(mark).length ? `${pointsOf(mark).length} key points` : kind,
    mark.geometry !== "rotated_box" && rings.length > 1 ? `${rings.length} outlines` : "",
    mark.shape?.tolerance ? `${mark.geometry === "polygon" ? "" : "drawn "}to within ${mark.shape.tolerance.toFixed(mark.shape.tolerance < 10 ? 1 : 0)} px` : "",
    mark.shape?.left_out ? `${mark.shape.left_out.toLocaleString("en-US")} small parts not drawn` : "",
    mark.shape?.problem ? `${mark.box ? "only its bounds are drawn" : "not drawn"}: ${mark.shape.problem.replace(/\.$/, "")}` : "",
  ];
  return parts.filter(Boolean).join(", ");
}

/** How many there are of each kind, in words. */
export function counted(marks) {
  const kinds = new Map();
  for (const mark of marks) {
    const kind = mark.geometry && KINDS[mark.geometry] ? mark.geometry : "bbox";
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  if (!kinds.size) return "0 boxes";
  return [...kinds].map(([kind, n]) => `${n} ${KINDS[kind][n === 1 ? 0 : 1]}`).join(", ");
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
    const box = boundsOf(mark);
    if (!box) continue;
    const [x, y, w, h] = [box[0] * item.width, box[1] * item.height, box[2] * item.width, box[3] * item.height];
    const kind = mark.kind === "label" ? `class-${colourOf(mark.label, labels)}` : mark.kind;
    const shape = ringsOf(mark).length || pointsOf(mark).length ? ` ${mark.geometry}` : "";
    const group = svg("g", { class: `mark ${kind}${shape}` });
    const place = { x, y, width: Math.max(w, 0), height: Math.max(h, 0) };
    if (ringsOf(mark).length) {
      const d = pathOf(mark, item);
      group.append(svg("path", { d, class: "area", "fill-rule": "evenodd" }), svg("path", { d, class: "rim" }), svg("path", { d, class: "line" }));
    } else if (pointsOf(mark).length) {
      group.append(svg("path", { d: bonesOf(mark, item), class: "line" }));
      for (const point of pointsOf(mark)) group.append(svg("circle", { cx: point.x * item.width, cy: point.y * item.height, r: 2.5 / scale, class: point.visible ? "seen" : "hidden" }));
    } else {
      group.append(svg("rect", { ...place, class: "rim" }), svg("rect", place));
    }
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
