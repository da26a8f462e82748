"""Labels of older versions of the ontology, made labels of the current one.

What can be converted is, and says what it was. What cannot is set apart with the reason, and with
it every other label of that annotator's image, which would otherwise look as if it were complete.
The result depends on the rows and the ontology alone; each distinct label is looked at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.annotations.ontology.chain import Chain, ChainStep
from cv_pipeline.annotations.values import attributes_json
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.errors import nearest
from cv_pipeline.ontology import Ontology
from cv_pipeline.ontology_steps import Split

WAS = "ontology.was"
"""Attribute of a converted label that says what it was: ``LABEL@VERSION``."""

DROPPED = "deleted_class"
RELABEL = "label_to_be_made_again"
SIBLING = "image_to_be_labelled_again"
UNKNOWN_VERSION = "unknown_ontology_version"
UNKNOWN_LABEL = "unknown_label"

CONVERTED, KEPT_TO_RELABEL = "", "kept"
_YES_OR_NO = {True: "yes", False: "no"}
_BOOLEAN = {"yes": True, "no": False}


@dataclass(frozen=True)
class StepCount:
    """What a step did.

    Attributes:
        from_version: version before its migration.
        to: version after it.
        key: where it is declared.
        kind: which word it is: split, rename, ….
        converted: labels that it changed and that came along.
        dropped: labels that went with their class.
        relabel: labels that people must make again, or complete.
    """

    from_version: str
    to: str
    key: str
    kind: str
    converted: int
    dropped: int
    relabel: int


@dataclass(frozen=True)
class Migrated:
    """Labels under the current version, and those that could not come along.

    Attributes:
        rows: with the columns that came in; converted ones have the current label, attributes and
            version, and the attribute ``ontology.was``.
        unconverted: as they came in, with ``reason`` and ``detail``.
        relabel: ids of the images that people must label again, sorted.
        counts: what each step did, in order.
    """

    rows: pa.Table
    unconverted: pa.Table
    relabel: pa.Array
    counts: tuple[StepCount, ...]

    def refusals(self) -> list[Refusal]:
        """What is to be quarantined: each row that could not come along, with the reason."""
        told = self.unconverted.select(["source", "original_id", "reason", "detail"])
        return [
            Refusal(r["source"], r["original_id"], r["reason"], r["detail"])
            for r in told.to_pylist()
        ]


def migrate(rows: pa.Table, ontology: Ontology) -> Migrated:
    """Bring labels of older versions to the current one.

    Args:
        rows: columns ``image_id``, ``annotator``, ``kind``, ``label``, ``attributes`` (a JSON
            object) and ``ontology_version``, the version that each was made under, and any
            others; for ``refusals`` also ``source`` and ``original_id``.
        ontology: the current one, with its migrations.
    """
    chain = Chain.of(ontology)
    reason = pa.field("reason", pa.string(), nullable=False)
    detail = pa.field("detail", pa.string(), nullable=False)
    none = rows.schema.append(reason).append(detail).empty_table()
    older = _mask(pc.not_equal(rows["ontology_version"], ontology.version))
    if not older.any():
        counts = tuple(_count(s, (0, 0, 0)) for s in chain.steps)
        return Migrated(rows, none, pa.array([], pa.string()), counts)
    distinct, of_row = _distinct(rows)
    said = distinct.to_pylist()
    fates = [_fate(entry, chain, ontology) for entry in said]
    reasons = pa.array([f.reason for f in fates], pa.string()).take(pa.array(of_row))
    details = pa.array([f.detail for f in fates], pa.string()).take(pa.array(of_row))
    lost = _mask(pc.is_valid(reasons))
    again = np.array([f.relabel for f in fates], bool)[of_row]
    incomplete = older & ~lost & _beside(rows, lost & again)
    reasons = pc.if_else(pa.array(incomplete), SIBLING, reasons)
    sentence = "Another label of this image must be made again, so its labels are not complete."
    details = pc.if_else(pa.array(incomplete), sentence, details)
    gone = lost | incomplete
    changed = _changed(rows, said, fates, of_row)
    came = np.bincount(of_row[~gone], minlength=len(distinct))
    all_of = np.bincount(of_row, minlength=len(distinct))
    unconverted = rows.append_column(reason, reasons.fill_null(""))
    unconverted = unconverted.append_column(detail, details.fill_null("")).filter(pa.array(gone))
    return Migrated(
        rows=changed.filter(pa.array(~gone)),
        unconverted=unconverted,
        relabel=_to_relabel(rows, again, older),
        counts=tuple(_of_step(chain.steps, fates, came=came, all_of=all_of)),
    )


@dataclass
class _Fate:
    """What becomes of a label: the same for every row that says the same.

    Attributes:
        version: it is made under; the current one once it is through.
        label: its class.
        attributes: its attributes.
        reason: why it cannot come along; None when it can.
        detail: the same in words.
        relabel: whether people must look at its image again.
        steps: keys of the steps that changed it.
        stopped: key of the step that it did not get through.
        asked: keys of the steps that ask for more of it.
    """

    version: str
    label: str
    attributes: dict[str, Any]
    reason: str | None = None
    detail: str | None = None
    relabel: bool = False
    steps: tuple[str, ...] = ()
    stopped: str = ""
    asked: tuple[str, ...] = ()

    def lose(self, reason: str, detail: str, *, relabel: bool = False, step: str = "") -> None:
        """It cannot come along."""
        self.reason, self.detail, self.stopped = reason, detail, step
        self.relabel |= relabel


def _fate(entry: dict[str, str], chain: Chain, ontology: Ontology) -> _Fate:
    version, label = entry["ontology_version"], entry["label"]
    fate = _Fate(version, label, json.loads(entry["attributes"]))
    if version == ontology.version:
        return fate
    is_tag = entry["kind"] == "tag"
    try:
        steps = chain.steps_from(version)
    except KeyError:
        fate.lose(
            UNKNOWN_VERSION,
            f"It was made under ontology version {version!r}, from which no migration leads to"
            f" {ontology.version!r}. {nearest(version, chain.versions)}",
        )
        return fate
    for step in () if is_tag else steps:  # no step is about tags
        _through(fate, step)
        if fate.reason is not None:
            return fate
    known, what = (ontology.tags, "tag") if is_tag else (ontology.labels, "class")
    if fate.label not in known:
        hint = nearest(fate.label, known)
        fate.lose(UNKNOWN_LABEL, f"{fate.label!r} is no {what} of the ontology. {hint}")
        return fate
    fate.attributes.setdefault(WAS, f"{label}@{version}")
    fate.version = ontology.version
    return fate


def _through(fate: _Fate, at: ChainStep) -> None:
    """Take a label through one step."""
    step, before = at.step, (fate.label, json.dumps(fate.attributes))
    if step.rename:
        fate.label = step.rename.get(fate.label, fate.label)
    elif step.split and step.split.label == fate.label:
        _split(fate, step.split, at)
    elif step.merge and fate.label in step.merge.labels:
        fate.label = step.merge.into
    elif step.delete and step.delete.label == fate.label:
        again = step.delete.then == "relabel"
        told = f"Version {at.to} has no class {fate.label!r} any more"
        told += ", and its image is to be labelled again." if again else "."
        fate.lose(RELABEL if again else DROPPED, told, relabel=again, step=at.key)
    elif step.add_attribute:
        added = step.add_attribute
        if added.value is not None:
            value = _BOOLEAN.get(added.value, added.value) if not added.values else added.value
            fate.attributes.setdefault(added.name, value)
        if added.then == "relabel":
            fate.relabel, fate.asked = True, (*fate.asked, at.key)
    else:
        _attributes(fate, at)
    if (fate.label, json.dumps(fate.attributes)) != before:
        fate.steps = (*fate.steps, at.key)


def _split(fate: _Fate, split: Split, at: ChainStep) -> None:
    if isinstance(split.into, dict) and split.by is not None:
        value = fate.attributes.get(split.by)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        yes_or_no = not at.before.attributes[split.by]
        if value is None:
            # a box that was not ticked leaves nothing behind
            value = "no" if yes_or_no and "" not in split.into else ""
        elif isinstance(value, bool):
            value = _YES_OR_NO[value]
        found = split.into.get(value) if isinstance(value, str) else None
        if found is not None:
            fate.label = found
            return
        why = f"its {split.by} is {value!r:.60}" if value else f"it does not say its {split.by}"
    else:
        why = "only people can tell which"
    classes = ", ".join(split.classes)
    fate.lose(
        RELABEL,
        f"Version {at.to} splits {fate.label!r} into {classes}, and {why}.",
        relabel=True,
        step=at.key,
    )


def _attributes(fate: _Fate, at: ChainStep) -> None:
    """Take the attributes of a label through a step that is about them."""
    step, had = at.step, fate.attributes
    if step.rename_attributes:
        fate.attributes = {step.rename_attributes.get(n, n): v for n, v in had.items()}
    elif step.remove_attributes:
        fate.attributes = {n: v for n, v in had.items() if n not in step.remove_attributes}
    for name, renamed in step.rename_values.items():
        if name in had:
            had[name] = _renamed(had[name], renamed)
            if not at.after.attributes[name]:
                had[name] = _BOOLEAN.get(had[name], had[name])
    for name, removed in step.remove_values.items():
        kept = [v for v in _listed(had.get(name)) if v not in removed]
        if name in had and len(kept) < len(_listed(had[name])):
            if kept:
                had[name] = kept
            else:
                del had[name]


def _renamed(value: object, renamed: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(one, renamed) for one in value]
    text = _YES_OR_NO[value] if isinstance(value, bool) else value
    return renamed.get(text, value) if isinstance(text, str) else value


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _distinct(rows: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """What rows say, each once, and which of these each row says."""
    names = ("ontology_version", "kind", "label", "attributes")
    encoded = [rows[name].combine_chunks().dictionary_encode() for name in names]
    code = np.zeros(len(rows), np.int64)
    for column in encoded:
        code = code * len(column.dictionary) + column.indices.to_numpy()
    _, first, of_row = np.unique(code, return_index=True, return_inverse=True)
    said = rows.select(list(names)).take(pa.array(first))
    return said, of_row.reshape(-1)


def _beside(rows: pa.Table, lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of the images and annotators of the rows that are lost."""
    keys = pc.binary_join_element_wise(rows["image_id"], rows["annotator"], "\0")
    return _mask(pc.is_in(keys, value_set=pc.unique(keys.filter(pa.array(lost)))))


def _to_relabel(rows: pa.Table, again: NDArray[np.bool_], older: NDArray[np.bool_]) -> pa.Array:
    """Images of the rows that people must look at again, and have not yet.

    What a model or a gold file says of an image, or a tag of it, is not that people looked at it.
    """
    people = _mask(pc.is_in(rows["role"], value_set=pa.array(["annotator", "reviewer"])))
    looked = ~older & people & _mask(pc.not_equal(rows["kind"], "tag"))
    done = rows["image_id"].filter(pa.array(looked))
    images = pc.unique(rows["image_id"].filter(pa.array(again)))
    return images.filter(pc.invert(pc.is_in(images, value_set=pc.unique(done)))).sort()


def _changed(
    rows: pa.Table, said: list[dict[str, str]], fates: list[_Fate], of_row: NDArray[np.int64]
) -> pa.Table:
    place = pa.array(of_row)
    texts = [
        entry["attributes"]
        if entry["ontology_version"] == fate.version
        else attributes_json(fate.attributes) or "{}"
        for entry, fate in zip(said, fates, strict=True)
    ]
    columns = {
        "label": [f.label for f in fates],
        "attributes": texts,
        "ontology_version": [f.version for f in fates],
    }
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        field = rows.schema.field(at)
        rows = rows.set_column(at, field, pa.array(values, pa.string()).take(place))
    return rows


def _of_step(
    steps: Iterable[ChainStep],
    fates: list[_Fate],
    *,
    came: NDArray[np.int64],
    all_of: NDArray[np.int64],
) -> Iterable[StepCount]:
    """What each step did, by how many rows of each fate came along, and how many there were."""
    for step in steps:
        done = (0, 0, 0)
        for fate, along, count in zip(fates, came.tolist(), all_of.tolist(), strict=True):
            stopped = fate.stopped == step.key
            again = step.key in fate.asked or (stopped and fate.reason == RELABEL)
            done = (
                done[0] + along * (step.key in fate.steps),
                done[1] + count * (stopped and fate.reason == DROPPED),
                done[2] + count * again,
            )
        yield _count(step, done)


def _count(step: ChainStep, done: tuple[int, int, int]) -> StepCount:
    return StepCount(step.from_version, step.to, step.key, step.step.kind, *done)


def _mask(values: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)
