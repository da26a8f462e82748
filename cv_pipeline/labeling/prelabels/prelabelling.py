"""Pre-labels: what annotators find on an image when they open it, and how unsure that is.

Each image is looked at once by each model: first those of batches that wait to be pushed, whether
they are to be labelled or labelled again, then all others without labels, each in order of its id,
which is as good as by chance. What was made is never made again. Nothing is written before all of
a run is done, so that a run that was killed left nothing, and the next one makes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.catalog.snapshot import Snapshot, open_snapshot
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import CatalogError, nearest
from cv_pipeline.labeling.batches.declared import declared_batches
from cv_pipeline.labeling.prelabels.prelabel_rows import EDGES, NONE, drawable, prelabel_rows
from cv_pipeline.labeling.sampling import unlabelled as lake
from cv_pipeline.plugins.label import Found, Unlabelled, suggest
from cv_pipeline.plugins.label.interface import labeller
from cv_pipeline.project import Project

Predict = Callable[[pa.Table], pa.Table]
"""Predictions (schema PREDICTIONS) of a model for some rows of the table ``images``."""


@dataclass(frozen=True)
class PrelabelReport:
    """What the pre-labels are after a run.

    Attributes:
        model: digest of the model, or name of the algorithm.
        new: images that this run pre-labelled.
        waiting: images that the next runs will look at.
        images: images that have pre-labels of this model.
        objects: objects, or classes, that are suggested on them.
        digest: SHA-256 of all of them, times left out.
        version: version of the table ``prelabels``.
    """

    model: str
    new: int
    waiting: int
    images: int
    objects: int
    digest: str
    version: int


def make_prelabels(
    project: Project, *, catalog: Catalog, model: str | None, predict: Predict | None
) -> PrelabelReport:
    """Pre-label images that have no pre-labels of this model yet: those of batches that wait to be
    pushed, and those without labels.

    Args:
        project: says the algorithm, the least confidence and how many images at most.
        catalog: its tables.
        model: digest of the model; None where the algorithm needs none.
        predict: what the model says of some images; likewise.

    Raises:
        PluginError: the algorithm is not there, failed, or returned what it must not.
        TrainingError: the model could not be asked.
    """
    wanted = project.labeling.prelabels
    by = model or wanted.algorithm
    snapshot = open_snapshot(catalog)
    table = catalog.table("prelabels")
    seen = table.read(columns=["image_id"], filter=one_of("model", [by]))["image_id"].unique()
    first = _to_push(catalog, snapshot)
    rest = np.setdiff1d(lake.readable(snapshot), first)
    waiting = np.concatenate([first, rest]).astype(np.int32)
    waiting = waiting[~np.isin(waiting, snapshot.numbering.find(seen))]
    todo = np.sort(waiting[: wanted.images])
    if len(todo):
        images = _images(project, catalog, snapshot, todo, predict)
        made = suggest(wanted.algorithm, images, seed=0)
        objects = drawable(made.objects, images)
        rows = prelabel_rows(images, objects, made.uncertainty, by=by)
        table.insert(rows, on=["image_id", "model", "object"])
        table.optimize()
    version = table.index()
    known = table.read(filter=one_of("model", [by]), version=version)
    shown = known.filter(pc.not_equal(known["kind"], NONE))
    content = table_digest(
        known.drop_columns(["made_at"]), schema_id="prelabels/1", sort_by=["image_id", "object"]
    )
    return PrelabelReport(
        model=by,
        new=len(todo),
        waiting=len(waiting) - len(todo),
        images=pc.count_distinct(known["image_id"]).as_py(),
        objects=len(shown),
        digest=combined_digest(by, content),
        version=version,
    )


def prelabels_for(
    catalog: Catalog, image_ids: Iterable[str] | pa.Array | pa.ChunkedArray, *, model: str
) -> pa.Table:
    """What a model suggests on some images: schema PRELABELS, by image and object.

    Images on which it suggests nothing have no row.

    Args:
        catalog: the project's tables.
        image_ids: the images.
        model: its digest, or the name of an algorithm without one.
    """
    ids = image_ids.to_pylist() if hasattr(image_ids, "to_pylist") else list(image_ids)
    wanted = (pc.field("model") == model) & (pc.field("kind") != NONE) & one_of("image_id", ids)
    rows = catalog.table("prelabels").read(filter=wanted)
    return rows.sort_by([("image_id", "ascending"), ("object", "ascending")])


def latest_model(catalog: Catalog) -> str | None:
    """The model, or algorithm, that pre-labelled last; None without pre-labels."""
    return next(iter(models(catalog)), None)


def known_model(catalog: Catalog, model: str | None) -> str | None:
    """The model that a digest, its prefix or an algorithm's name means; by default the newest's.

    Raises:
        CatalogError: no pre-labels are of such a model, or of several.
    """
    known = models(catalog)
    if model is None:
        return known[0] if known else None
    found = [name for name in known if name.startswith(model)]
    if len(found) == 1 or model in found:
        return model if model in found else found[0]
    raise CatalogError(
        f"Project {catalog.project} has pre-labels of {len(found) or 'no'} models {model!r}.",
        do=f"{nearest(model, known)} Have a trained one pre-label: cvp prelabels {catalog.project}"
        " --make --model DIGEST"
        if not found
        else "Give more of its digest.",
    )


def models(catalog: Catalog) -> list[str]:
    """The models, and algorithms, that there are pre-labels of; that of the newest first."""
    rows = catalog.table("prelabels").read(columns=["model", "made_at"])
    last = rows.group_by("model").aggregate([("made_at", "max")])
    order = [("made_at_max", "descending"), ("model", "ascending")]
    found: list[str] = last.sort_by(order)["model"].to_pylist()
    return found


def _to_push(catalog: Catalog, snapshot: Snapshot) -> NDArray[np.int32]:
    """Readable images of batches that wait to be pushed and are no tasks of them yet, ascending."""
    states = declared_batches(catalog)
    held = [name for name, told in states.items() if told.state not in ("open", "pushed")]
    pushed = catalog.table("labeling_tasks").relation()
    rows = run_sql(
        "SELECT DISTINCT image_id FROM image_batches AS b"
        " ANTI JOIN held ON held.name = b.name"
        " ANTI JOIN pushed AS t ON t.batch = b.name AND t.image_id = b.image_id",
        relations={
            "image_batches": catalog.table("image_batches").relation(),
            "held": pa.table({"name": pa.array(held, pa.string())}),
            "pushed": pushed,
        },
    )
    numbers = snapshot.numbering.find(rows["image_id"])
    every = np.union1d(lake.readable(snapshot), lake.readable(snapshot, labelled=True))
    found: NDArray[np.int32] = np.intersect1d(numbers, every).astype(np.int32)
    return found


def _images(
    project: Project,
    catalog: Catalog,
    snapshot: Snapshot,
    numbers: NDArray[np.int32],
    predict: Predict | None,
) -> Unlabelled:
    """What the algorithm asks for, of the images that are to be pre-labelled."""
    needs = labeller(project.labeling.prelabels.algorithm).needs
    labels = project.ontology.labels
    ids = snapshot.image_ids(numbers)
    rows = snapshot.images.take(pa.array(numbers))
    known: dict[str, Any] = {}
    if "found" in needs and predict is not None:
        known["found"] = found_in(predict(rows), image_ids=ids, labels=labels)
    if "embeddings" in needs:
        known["embeddings"] = lake.embeddings(catalog, snapshot, numbers)
    if "labelled" in needs:
        others = np.setdiff1d(lake.labelled(snapshot), numbers)  # none is its own neighbour
        known["labelled"] = lake.embeddings(catalog, snapshot, others)
        known["classes"] = lake.classes(snapshot, others, labels=labels)
    return Unlabelled(
        image_ids=ids,
        labels=labels,
        boxes=project.task == "detection",
        least_score=project.labeling.prelabels.least_score,
        kinds=tuple(k for k in project.ontology.shapes(project.task) if k != "class"),
        points=project.ontology.keypoints,
        sizes=np.stack([rows[n].to_numpy() for n in ("width", "height")], axis=1).astype(float),
        **known,
    )


def found_in(predictions: pa.Table, *, image_ids: pa.Array, labels: tuple[str, ...]) -> Found:
    """Predictions as arrays.

    Args:
        predictions: schema PREDICTIONS.
        image_ids: the images.
        labels: names of the classes; of a model that knows others, these are left out.
    """
    image = pc.index_in(predictions["image_id"], value_set=image_ids)
    label = pc.index_in(predictions["label"], value_set=pa.array(labels, pa.string()))
    use = pc.and_(pc.is_valid(image), pc.is_valid(label))
    rows = predictions.filter(use)
    edges = [rows[e].cast(pa.float64()).fill_null(np.nan).to_numpy() for e in EDGES]
    return Found(
        image=image.filter(use).to_numpy().astype(np.int64),
        label=label.filter(use).to_numpy().astype(np.int64),
        score=rows["score"].to_numpy(),
        boxes=np.stack(edges, axis=1),
    )
