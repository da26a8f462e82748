"""From what an export says to annotations of known images: every doubt becomes a refusal.

A row passes only when its image is known, its label is of the ontology and its shape lies in the
image; what does not pass is named with file, field and reason, and the rest goes on. The result
depends on the content of the inputs alone, and is sorted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.geometry.settle import CLIPPED_PIXELS, settle
from cv_pipeline.annotations.ranking import changed_at, first_of_each
from cv_pipeline.annotations.raw import ParsedExport
from cv_pipeline.annotations.values import attributes_json
from cv_pipeline.catalog.ingest.path_matching import match_images, normal_paths
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.schemas.annotations import KINDS_OF_TASK, SHAPE_KINDS
from cv_pipeline.errors import nearest
from cv_pipeline.project import Ontology

_YES_OR_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class ResolvedAnnotations:
    """What of an export holds.

    Attributes:
        rows: as ``ANNOTATIONS``, sorted by image and annotation id.
        quarantine: what the parser and the checks here refused, each file and field once.
    """

    rows: pa.Table
    quarantine: tuple[Refusal, ...]


def resolve(
    parsed: ParsedExport,
    *,
    files: pa.Table,
    images: pa.Table,
    ontology: Ontology,
    refused_files: pa.Array | pa.ChunkedArray | None = None,
) -> ResolvedAnnotations:
    """Match rows to images and check labels, attributes and boxes.

    Args:
        parsed: the export.
        files: columns ``path`` and ``image_id`` of the ingested files.
        images: columns ``image_id``, ``width`` and ``height`` (pixels).
        ontology: classes and attributes, with the versions that the rows are stamped with.
        refused_files: paths of files that ingest quarantined: an annotation of one of them is
            refused too, instead of going to a file of the same name.
    """
    check = _Check(parsed)
    image_ids = _images(check, files, refused_files)
    _labels(check, ontology)
    attributes = _attributes(check, ontology)
    sizes = _sizes(image_ids, images)
    shapes = _shapes(check, sizes, ontology)
    box = _boxes(check, sizes, shapes)
    ids = _identities(check.rows)
    _repeated(check, pa.table({"id": ids}), "duplicate_id", "Its id is that of an earlier one.")
    n = len(check.rows)
    columns = {
        **{name: check.rows[name] for name in check.rows.column_names},
        "annotation_id": ids,
        "image_id": image_ids,
        "attributes": attributes,
        "kind": shapes.kinds,
        "geometry": shapes.texts,
        **{name: pa.array(edge, mask=np.isnan(edge)) for name, edge in box.items()},
        "ontology_version": pa.repeat(ontology.version, n),
        "guideline_version": pa.repeat(ontology.guideline_version, n),
    }
    table = pa.table([columns[name] for name in ANNOTATIONS.names], names=ANNOTATIONS.names)
    content = ["image_id", "label", "kind", *box, "geometry", "attributes", "annotator"]
    _repeated(
        check,
        table.select(content),
        "duplicate_object",
        "The same annotator's same object is there already.",
    )
    _copies(check, image_ids)
    rows = table.filter(pa.array(check.kept)).cast(ANNOTATIONS)
    rows = rows.sort_by([("image_id", "ascending"), ("annotation_id", "ascending")])
    distinct = {(r.file, r.field): r for r in reversed([*parsed.quarantine, *check.refusals])}
    quarantine = sorted(distinct.values(), key=lambda r: (r.file, r.field))
    return ResolvedAnnotations(rows, tuple(quarantine))


class _Check:
    """The rows that still stand, and why the others do not."""

    def __init__(self, parsed: ParsedExport) -> None:
        self.rows = parsed.rows.combine_chunks()
        self.fields = parsed.fields
        self.kept = np.ones(len(parsed.rows), dtype=bool)
        self.refusals: list[Refusal] = []

    def refuse(
        self, bad: np.ndarray, field: str, reason: str, detail: Callable[[int], str]
    ) -> None:
        """Refuse the rows of ``bad`` that still stand."""
        self.report(bad & self.kept, field, reason, detail)
        self.kept &= ~bad

    def report(
        self, bad: np.ndarray, field: str, reason: str, detail: Callable[[int], str]
    ) -> None:
        """Record something about rows without refusing them."""
        places = np.flatnonzero(bad)
        told = self.rows.select(["source", "object"]).take(pa.array(places)).to_pylist()
        for i, row in zip(places.tolist(), told, strict=True):
            where = field.replace("{object}", row["object"])
            self.refusals.append(Refusal(row["source"], where, reason, detail(i)))

    def text(self, column: str, i: int) -> str:
        """One value, for a sentence."""
        return repr(self.rows[column][i].as_py()[:120])


def _images(check: _Check, files: pa.Table, refused: pa.Array | pa.ChunkedArray | None) -> pa.Array:
    known = files.select(["path", "image_id"])
    refused = pa.array([], pa.string()) if refused is None else refused
    gone = pc.unique(refused)
    gone = gone.filter(pc.invert(pc.is_in(gone, value_set=known["path"].combine_chunks())))
    # an id that no content can have stands for each file without a usable image
    stand_ins = pc.binary_join_element_wise("refused", gone, " ")
    both = pa.concat_tables(
        [known, pa.table({"path": gone, "image_id": stand_ins})], promote_options="permissive"
    )
    matches = match_images(check.rows["image_path"], files=both)
    ids = matches.image_ids
    place = check.fields.image
    check.refuse(
        pc.starts_with(ids, "refused ").fill_null(False).to_numpy(zero_copy_only=False),
        place,
        "refused_image",
        lambda i: f"The image {check.text('image_path', i)} is itself quarantined.",
    )
    check.refuse(
        matches.ambiguous,
        place,
        "ambiguous_image",
        lambda i: f"Several images could be {check.text('image_path', i)}.",
    )
    check.refuse(
        ids.is_null().to_numpy(zero_copy_only=False),
        place,
        "unknown_image",
        lambda i: f"There is no image {check.text('image_path', i)}.",
    )
    return ids


def _labels(check: _Check, ontology: Ontology) -> None:
    labels, is_tag = check.rows["label"], pc.equal(check.rows["kind"], "tag")
    _tags(check, ontology, is_tag)
    known = pc.or_(pc.is_in(labels, value_set=pa.array(ontology.labels)), is_tag)
    unknown = pc.unique(labels.filter(pc.invert(known))).to_pylist()
    hints = {repr(label[:120]): nearest(label, ontology.labels) for label in unknown}

    def detail(i: int) -> str:
        shown = check.text("label", i)
        return f"{shown} is not a class of the ontology. {hints[shown]}"

    check.refuse(_mask(pc.invert(known)), check.fields.label, "unknown_label", detail)


def _tags(check: _Check, ontology: Ontology, is_tag: pa.ChunkedArray) -> None:
    known = pc.is_in(check.rows["label"], value_set=pa.array(ontology.tags, pa.string()))
    check.refuse(
        _mask(pc.and_(is_tag, pc.invert(known))),
        check.fields.label,
        "unknown_tag",
        lambda i: (
            f"{check.text('label', i)} is not a tag of the ontology."
            f" {nearest(check.rows['label'][i].as_py()[:120], ontology.tags)}"
        ),
    )


def _attributes(check: _Check, ontology: Ontology) -> pa.Array:
    """Attributes with yes and no as true and false; values that the ontology lacks are left out.

    Attributes that it does not declare stay as they are.
    """
    encoded = check.rows["attributes"].combine_chunks().dictionary_encode()
    cleaned: list[str] = []
    for code, text in enumerate(encoded.dictionary.to_pylist()):
        attributes = json.loads(text)
        for name, allowed in ontology.attributes.items():
            if name not in attributes:
                continue
            value = _allowed(attributes[name], allowed)
            if value is not None:
                attributes[name] = value
                continue
            expected = ", ".join(allowed) or "yes or no"
            shown = repr(attributes.pop(name))[:60]
            check.report(
                (encoded.indices.to_numpy() == code) & check.kept,
                f"{{object}}: {name}",
                "unknown_attribute_value",
                _always(f"Expected {expected}, found {shown}; left out."),
            )
        cleaned.append(attributes_json(attributes) or "{}")
    return pa.array(cleaned, pa.string()).take(encoded.indices)


def _allowed(value: object, allowed: tuple[str, ...]) -> object:
    """The value as the ontology has it, None when it does not; a list must fit as a whole."""
    if isinstance(value, list):
        fitting = [_allowed(v, allowed) for v in value]
        return fitting if fitting and None not in fitting else None
    if not allowed:
        return _YES_OR_NO.get(str(value).strip().lower())
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    return text if text in allowed else None


@dataclass(frozen=True)
class _Shapes:
    """Kind and text of every row, and the bounds (n × 4) of those whose shape gives them."""

    kinds: pa.Array
    texts: pa.Array
    bounds: np.ndarray


def _shapes(check: _Check, sizes: tuple[np.ndarray, np.ndarray], ontology: Ontology) -> _Shapes:
    """The shapes in pixels of the stored image."""
    rows = check.rows
    kinds = rows["kind"].combine_chunks()
    bounds = np.full((len(rows), 4), np.nan)
    drawn = _mask(pc.is_in(rows["kind"], value_set=pa.array(SHAPE_KINDS)))
    places = np.flatnonzero(drawn & check.kept)
    if not len(places):
        return _Shapes(kinds, pa.nulls(len(rows), pa.string()), bounds)
    chosen = rows.select(["kind", "geometry", "label"]).take(pa.array(places))
    pointed = {
        place: ontology.keypoints[label]
        for place, label in enumerate(chosen["label"].to_pylist())
        if label in ontology.keypoints
    }
    settled = settle(
        chosen["kind"].to_pylist(),
        chosen["geometry"].to_pylist(),
        sizes=np.stack(sizes, axis=1)[places],
        scaled=_mask(rows["normalized"])[places],
        point_names=pointed,
    )
    field = check.fields.shape or check.fields.box
    for told, tell in ((settled.refused, check.refuse), (settled.reported, check.report)):
        by_reason: dict[str, dict[int, str]] = {}
        for place, found in told.items():
            by_reason.setdefault(found.reason, {})[int(places[place])] = found.detail
        for reason, details in by_reason.items():
            bad = np.zeros(len(rows), dtype=bool)
            bad[list(details)] = True
            tell(bad, field, reason, details.__getitem__)
    bounds[places] = settled.bounds
    new_kinds, texts = np.array(kinds.to_pylist(), object), np.full(len(rows), None)
    new_kinds[places], texts[places] = settled.kinds, settled.texts
    return _Shapes(pa.array(new_kinds, pa.string()), pa.array(texts, pa.string()), bounds)


def _boxes(
    check: _Check, sizes: tuple[np.ndarray, np.ndarray], shapes: _Shapes
) -> dict[str, np.ndarray]:
    """The edges in pixels of the stored image, clipped; NaN for rows that are of a whole image."""
    rows = check.rows
    width, height = sizes
    edges = {n: _floats(rows[n]) for n in ("x_min", "y_min", "x_max", "y_max")}
    given = ~np.isnan(np.stack(list(edges.values()))).any(axis=0)
    # of points alone their object may be larger than what they span
    stated = _mask(pc.equal(rows["kind"], "keypoints")) & given
    is_box = _mask(pc.equal(rows["kind"], "bbox")) | stated
    is_shape = ~np.isnan(shapes.bounds[:, 0]) & ~stated
    scaled = _mask(rows["normalized"]) & ~is_shape
    for place, name in enumerate(edges):
        edges[name] = np.where(is_shape, shapes.bounds[:, place], edges[name])
    field = check.fields.box
    told = _floats(rows["width"]), _floats(rows["height"])
    differs = ~np.isnan(told[0]) & ~np.isnan(told[1]) & ~_mask(rows["normalized"])
    differs &= (told[0] != width) | (told[1] != height)
    check.refuse(
        (is_box | is_shape) & differs,
        field,
        "size_mismatch",
        lambda i: (
            f"Drawn on {told[0][i]:g}×{told[1][i]:g} pixels, but the image has"
            f" {width[i]:g}×{height[i]:g}."
        ),
    )
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is refused below
        for name, side in zip(edges, (width, height, width, height), strict=True):
            edges[name] = np.where(scaled, edges[name] * side, edges[name])
    x_min, y_min, x_max, y_max = (edges[n] for n in ("x_min", "y_min", "x_max", "y_max"))

    def shown(i: int) -> str:
        return f"({x_min[i]:g}, {y_min[i]:g}, {x_max[i]:g}, {y_max[i]:g})"

    finite = np.isfinite(x_min) & np.isfinite(y_min) & np.isfinite(x_max) & np.isfinite(y_max)
    check.refuse(
        is_box & ~finite, field, "not_finite", lambda i: f"Not finite numbers: {shown(i)}."
    )
    check.refuse(
        is_box & ((x_max < x_min) | (y_max < y_min)),
        field,
        "inverted_box",
        lambda i: f"Its edges are the wrong way round: {shown(i)}.",
    )
    check.refuse(
        is_box & ((x_max == x_min) | (y_max == y_min)),
        field,
        "zero_area_box",
        lambda i: f"It has no area: {shown(i)}.",
    )
    outside = (x_min < -CLIPPED_PIXELS) | (x_max > width + CLIPPED_PIXELS)
    outside |= (y_min < -CLIPPED_PIXELS) | (y_max > height + CLIPPED_PIXELS)
    outside |= (x_min >= width) | (y_min >= height) | (x_max <= 0) | (y_max <= 0)
    check.refuse(
        is_box & outside,
        field,
        "out_of_frame_box",
        lambda i: f"{shown(i)} reaches out of the image of {width[i]:g}×{height[i]:g} pixels.",
    )
    return {
        "x_min": np.clip(x_min, 0, width),
        "y_min": np.clip(y_min, 0, height),
        "x_max": np.clip(x_max, 0, width),
        "y_max": np.clip(y_max, 0, height),
    }


def _sizes(image_ids: pa.Array, images: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of the image of each row; NaN where there is none."""
    place = pc.index_in(image_ids, value_set=images["image_id"].combine_chunks())
    if not isinstance(place, pa.Array):
        place = place.combine_chunks()
    return _floats(images["width"].take(place)), _floats(images["height"].take(place))


def _identities(rows: pa.Table) -> pa.Array:
    """SHA-256 (first 32 hex) of source file, original id and image path of each row."""
    # hashing a row costs less than reading it did, and Arrow has no SHA-256
    names = pc.binary_join_element_wise(
        rows["source"], rows["original_id"], rows["image_path"], "\0"
    )
    digests = [hashlib.sha256(name.encode()).hexdigest()[:32] for name in names.to_pylist()]
    return pa.array(digests, pa.string())


def _repeated(check: _Check, table: pa.Table, reason: str, detail: str) -> None:
    """Refuse every row whose content an earlier row that stands has already."""
    places = np.flatnonzero(check.kept)
    standing = table.take(pa.array(places)).append_column("place", pa.array(places))
    first = standing.group_by(table.column_names).aggregate([("place", "min")])["place_min"]
    again = check.kept.copy()
    again[first.to_numpy()] = False
    check.refuse(again, "{object}", reason, _always(detail))


def _copies(check: _Check, image_ids: pa.Array) -> None:
    """Of one annotator's boxes on several copies of an image keep those on one copy.

    Together they would show every object twice. The copy that changed last counts, else the one
    with the first path. Image-level labels stay: where copies disagree, that is to be seen.
    """
    rows = check.rows
    boxes = pa.table(
        {
            "place": np.arange(len(rows)),
            "image_id": image_ids,
            "annotator": rows["annotator"],
            "path": normal_paths(rows["image_path"].combine_chunks()),
            "changed": changed_at(rows),
        }
    )
    of_object = pc.is_in(rows["kind"], value_set=pa.array(KINDS_OF_TASK["detection"]))
    boxes = boxes.filter(pc.and_(pa.array(check.kept), of_object))
    keys = ["image_id", "annotator", "path"]
    copies = boxes.group_by(keys).aggregate([("changed", "max")])
    counts = first_of_each(
        copies, keys=keys[:2], order=[("changed_max", "descending"), ("path", "ascending")]
    )
    others = boxes.join(counts.select(keys), keys=keys, join_type="left anti")
    copied = np.zeros(len(rows), dtype=bool)
    copied[others["place"].to_numpy()] = True
    check.refuse(
        copied,
        check.fields.image,
        "copied_image",
        lambda i: f"The same annotator's boxes on a copy of {check.text('image_path', i)} count.",
    )


def _always(detail: str) -> Callable[[int], str]:
    return lambda _: detail


def _mask(values: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)


def _floats(values: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False))
