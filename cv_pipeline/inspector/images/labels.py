"""Labels of images as marks: as they are now, as they were, and as models suggested them.

Their bounds come from the snapshot of the lake; shapes, and what else is known of a label, from the
catalogue's table at the very version of that snapshot, for the images that are looked at alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from cv_pipeline.catalog.schemas.annotations import SHAPE_KINDS
from cv_pipeline.catalog.schemas.earlier import EARLIER
from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.datasets.image_rows import rows_of_images
from cv_pipeline.datasets.record import ANNOTATIONS_FILE
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.images.marks import Mark, RowsByImage, box_of
from cv_pipeline.inspector.images.shapes import LARGE, SMALL, MarkShape, shapes_of
from cv_pipeline.inspector.workspace import Workspace

Size = tuple[int, int]

_IN_GRID = ("n", "label", "kind", "x_min", "y_min", "x_max", "y_max", "annotator")
_OF_LABEL = (
    *("annotation_id", "label", "kind", "x_min", "y_min", "x_max", "y_max", "geometry"),
    *("attributes", "annotator", "role", "lead_time", "ontology_version", "guideline_version"),
    *("created_at", "updated_at"),
)
_DATASET = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9]{1,9}")


class LabelMark(Mark):
    """A label with what is known of how it was made.

    Attributes:
        role: in what role it was made: annotator, reviewer, model or gold.
        lead_time: seconds of work; None where the tool does not say.
        ontology_version: version of the ontology that it was made under.
        guideline_version: version of the guideline that it was made under.
        created_at: when it was made.
        updated_at: when it was last changed.
    """

    role: str = ""
    lead_time: float | None = None
    ontology_version: str = ""
    guideline_version: str = ""
    created_at: str | None = None
    updated_at: str | None = None


class LabelsThen(BaseModel):
    """The labels of an image in an earlier state.

    Attributes:
        state: digest of a dataset version, or a version of the table of annotations.
        labels: its labels there.
        problem: why they cannot be told.
    """

    state: str
    labels: list[LabelMark] = []
    problem: str = ""


class Prelabelled(BaseModel):
    """What a model suggested to annotators on an image.

    Attributes:
        model: its digest, or the name of an algorithm without one.
        at: when.
        marks: what it suggested, the surest first; empty where it suggested nothing.
    """

    model: str
    at: str
    marks: list[Mark]


def label_marks(
    workspace: Workspace, snapshot: Snapshot, numbers: NDArray[np.int32], sizes: Sequence[Size]
) -> list[list[Mark]]:
    """The labels of each of some images as a snapshot has them, as a grid shows them."""
    identities = snapshot.identities
    key = ("labels", snapshot.project, identities["images"], identities["annotations"])
    rows: RowsByImage = workspace.kept.get(
        key, lambda: RowsByImage(snapshot.annotations.select(list(_IN_GRID)))
    )
    found = rows.of(numbers)
    shapes = _shapes_in_grid(workspace, snapshot, numbers, sizes, found)
    return [
        [
            Mark.model_construct(
                kind="label",
                label=row["label"],
                truth=None,
                score=None,
                iou=None,
                box=box_of(row, size),
                truth_box=None,
                annotator=row["annotator"],
                rank=None,
                annotation_id=None,
                attributes=None,
                geometry=row["kind"],
                shape=shape,
            )
            for row, shape in zip(of_image, drawn, strict=True)
        ]
        for of_image, size, drawn in zip(found, sizes, shapes, strict=True)
    ]


def labels_now(
    workspace: Workspace, project: str, snapshot: Snapshot, image_id: str, size: Size
) -> list[LabelMark]:
    """The labels of an image as a snapshot has them, of every annotator."""
    version = snapshot.table_versions["annotations"]
    rows = _rows_at(workspace.lake(project).catalog, image_id, version)
    return labels_of(rows, size, order=workspace.project(project).ontology.keypoints)


def labels_in(
    workspace: Workspace, project: str, dataset: str, image_id: str, size: Size
) -> list[LabelMark]:
    """The labels of an image as they were in a dataset version.

    Raises:
        DatasetError: the version's labels cannot be read.
    """
    where = workspace.store.arrow(f"projects/{project}/datasets/{dataset}/{ANNOTATIONS_FILE}")
    # a column that an earlier release did not write is not there
    rows = rows_of_images(where, [image_id], columns=["image_id", *_OF_LABEL]).to_pylist()
    return labels_of(rows, size, order=workspace.project(project).ontology.keypoints)


def labels_then(
    workspace: Workspace, project: str, state: str, image_id: str, size: Size
) -> LabelsThen:
    """The labels of an image in a state that its history names.

    Args:
        workspace: what pages read.
        project: name of the project.
        state: digest of a dataset version, or a version of the table of annotations.
        image_id: the image.
        size: its width and height.
    """
    try:
        if _DATASET.fullmatch(state):
            return LabelsThen(
                state=state, labels=labels_in(workspace, project, state, image_id, size)
            )
        if _VERSION.fullmatch(state):
            rows = _rows_at(workspace.lake(project).catalog, image_id, int(state))
            order = workspace.project(project).ontology.keypoints
            return LabelsThen(state=state, labels=labels_of(rows, size, order=order))
    except CVPipelineError as error:
        return LabelsThen(state=state, problem=f"{error.what} {error.do}".strip())
    return LabelsThen(
        state=state[:80], problem="A state is a dataset version's digest, or a table's version."
    )


def labels_of(
    rows: Sequence[Mapping[str, Any]], size: Size, *, order: Mapping[str, Sequence[str]]
) -> list[LabelMark]:
    """Rows of the table of annotations as marks, with what is known of each.

    Args:
        rows: of one image.
        size: its width and height.
        order: class to the names of its key points.
    """
    plain = [{"kind": _kind_of(row), "geometry": None, **row} for row in rows]
    shapes = shapes_of(plain, [size] * len(plain), detail=LARGE, order=order)
    return [
        LabelMark(
            kind="label",
            label=row["label"],
            box=box_of(row, size),
            annotator=row["annotator"],
            annotation_id=row.get("annotation_id"),
            attributes=row["attributes"] if row["attributes"] != "{}" else None,
            geometry=row["kind"],
            shape=shape,
            role=row.get("role") or EARLIER["role"],
            lead_time=row.get("lead_time"),
            ontology_version=row.get("ontology_version") or "",
            guideline_version=row.get("guideline_version") or "",
            created_at=_moment(row.get("created_at")),
            updated_at=_moment(row.get("updated_at")),
        )
        for row, shape in zip(plain, shapes, strict=True)
    ]


def prelabels_of(
    workspace: Workspace, project: str, image_id: str, size: Size
) -> list[Prelabelled]:
    """What models suggested to annotators on an image, the newest first."""
    table = workspace.lake(project).catalog.table("prelabels")
    rows = table.read(filter=pc.field("image_id") == image_id)
    rows = rows.sort_by(
        [("made_at", "descending"), ("model", "ascending"), ("object", "ascending")]
    )
    by_model: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        by_model.setdefault(row["model"], []).append(row)
    order = workspace.project(project).ontology.keypoints
    return [
        Prelabelled(
            model=model,
            at=of_model[0]["made_at"].isoformat() if of_model[0]["made_at"] else "",
            marks=_suggested([r for r in of_model if r["kind"] != "none"], size, order),
        )
        for model, of_model in by_model.items()
    ]


def _suggested(
    rows: Sequence[dict[str, Any]], size: Size, order: Mapping[str, Sequence[str]]
) -> list[Mark]:
    shapes = shapes_of(rows, [size] * len(rows), detail=LARGE, order=order)
    return [
        Mark(
            kind="prelabel",
            label=row["label"],
            score=row["score"],
            rank=row["object"] + 1,
            box=box_of(row, size),
            geometry=row["kind"],
            shape=shape,
        )
        for row, shape in zip(rows, shapes, strict=True)
    ]


def _shapes_in_grid(
    workspace: Workspace,
    snapshot: Snapshot,
    numbers: NDArray[np.int32],
    sizes: Sequence[Size],
    found: Sequence[Sequence[Mapping[str, Any]]],
) -> list[list[MarkShape | None]]:
    """The shapes of the labels of a grid's images; None for those that have none but bounds."""
    nothing: list[list[MarkShape | None]] = [[None] * len(rows) for rows in found]
    has = [i for i, rows in enumerate(found) if any(row["kind"] in SHAPE_KINDS for row in rows)]
    if not has:
        return nothing
    catalog = workspace.lake(snapshot.project).catalog
    ids = snapshot.image_ids(numbers[has]).to_pylist()
    stored = _stored(catalog, ids, snapshot.table_versions["annotations"])
    rows, of, where = [], [], []
    for i, image_id in zip(has, ids, strict=True):
        same = stored.get(image_id, [])
        for at, row in enumerate(found[i]):
            # both are in the order of annotation ids
            if row["kind"] in SHAPE_KINDS and at < len(same) and same[at]["kind"] == row["kind"]:
                rows.append({**row, "geometry": same[at]["geometry"]})
                of.append(sizes[i])
                where.append((i, at))
    order = workspace.project(snapshot.project).ontology.keypoints
    for (i, at), shape in zip(where, shapes_of(rows, of, detail=SMALL, order=order), strict=True):
        nothing[i][at] = shape
    return nothing


def _stored(
    catalog: Catalog, image_ids: Sequence[str], version: int
) -> dict[str, list[dict[str, Any]]]:
    """Kind and geometry of the labels of some images, in the order of annotation ids.

    What is too long to be drawn in a grid comes as None.
    """
    rows = catalog.table("annotations").read(
        columns=["image_id", "annotation_id", "kind", "geometry"],
        filter=one_of("image_id", image_ids),
        version=version,
    )
    rows = rows.sort_by([("image_id", "ascending"), ("annotation_id", "ascending")])
    short = pc.fill_null(pc.less_equal(pc.binary_length(rows["geometry"]), SMALL.text), False)
    texts = pc.if_else(short, rows["geometry"], pa.scalar(None, pa.string()))
    found: dict[str, list[dict[str, Any]]] = {}
    for image_id, kind, text in zip(
        rows["image_id"].to_pylist(), rows["kind"].to_pylist(), texts.to_pylist(), strict=True
    ):
        found.setdefault(image_id, []).append({"kind": kind, "geometry": text})
    return found


def _rows_at(catalog: Catalog, image_id: str, version: int) -> list[dict[str, Any]]:
    """The labels of an image at a version of the table, in the order of their ids."""
    rows = catalog.table("annotations").read(
        columns=list(_OF_LABEL), filter=pc.field("image_id") == image_id, version=version
    )
    found: list[dict[str, Any]] = rows.sort_by("annotation_id").to_pylist()
    return found


def _kind_of(row: Mapping[str, Any]) -> str:
    """Kind of geometry of a row that may lack it."""
    return "class" if row.get("x_min") is None else "bbox"


def _moment(value: Any) -> str | None:
    return value.isoformat() if value is not None else None
