"""Pilot rounds: batches that several people label first, to see whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.batches.declared import list_labeling_batches
from cv_pipeline.labeling.batches.progress import LabelingBatch
from cv_pipeline.labeling.exchange.counted import counted_annotations
from cv_pipeline.labeling.settings.hand_off_section import PilotRule
from cv_pipeline.project import Project
from cv_pipeline.quality.agreement import LOOKED, Agreement, box_agreement, label_agreement


@dataclass(frozen=True)
class Pilot:
    """A pilot round of the current versions, and what it showed.

    Attributes:
        batch: name of the batch.
        finished: whether it is labelled to its end.
        images: images of it.
        labelled: images that are labelled as often as they are to be.
        agreement: how far people agree on it.
    """

    batch: str
    finished: bool
    images: int
    labelled: int
    agreement: Agreement

    def shortcomings(self, rule: PilotRule) -> list[str]:
        """Phrases for what it does not reach."""
        alpha, found = self.agreement.alpha, []
        if alpha.value is None:
            found.append(f"Krippendorff's alpha is not defined, {alpha.why}")
        else:
            reached = alpha.low if rule.bound == "low" else alpha.value
            if reached is None or reached < rule.min_alpha:
                what = "its lower bound" if rule.bound == "low" else "it"
                found.append(
                    f"Krippendorff's alpha is {alpha.value:.3f}"
                    f" [{alpha.low:.3f}, {alpha.high:.3f}], and {what} must be at least"
                    f" {rule.min_alpha:g}"
                )
        overlap = self.agreement.mean_iou
        if overlap is not None and overlap < rule.min_mean_iou:
            found.append(
                f"boxes of the same object overlap by {overlap:.2f} on average, and"
                f" {rule.min_mean_iou:g} is asked for"
            )
        return found


def pilot_rounds(project: Project, catalog: Catalog) -> tuple[Pilot, ...]:
    """The pilot rounds that were labelled under the current versions, the latest first.

    Args:
        project: whose task, versions and rule count.
        catalog: its tables.
    """
    batches = [
        b
        for b in list_labeling_batches(catalog)
        if b.pilot and b.state in ("pushed", "in_progress", "done")
    ]
    if not batches:
        return ()
    tasks = catalog.table("labeling_tasks").read(
        columns=["batch", "image_id", "ontology_version", "guideline_version", "pushed_at"],
        filter=one_of("batch", [b.name for b in batches]),
    )
    current = pc.and_(
        pc.equal(tasks["ontology_version"], project.ontology.version),
        pc.equal(tasks["guideline_version"], project.ontology.guideline_version),
    )
    tasks = tasks.filter(current)
    begun = tasks.group_by("batch").aggregate([("pushed_at", "max")]).to_pylist()
    order = {row["batch"]: row["pushed_at_max"] for row in begun}
    chosen = sorted(
        (b for b in batches if b.name in order), key=lambda b: (order[b.name], b.name), reverse=True
    )
    return tuple(_pilot(project, catalog, b) for b in chosen)


def handed_off_as_pilots(project: Project, catalog: Catalog) -> dict[str, int]:
    """Batch to how many of its images are tasks under the current versions, of pilots.

    A batch that was a pilot once counts, whatever it is called since.
    """
    events = catalog.table("labeling_batches").read(columns=["batch", "pilot"])
    names = pc.unique(events["batch"].filter(events["pilot"])).to_pylist()
    if not names:
        return {}
    tasks = catalog.table("labeling_tasks").read(
        columns=["batch", "image_id"],
        filter=one_of("batch", names)
        & (pc.field("ontology_version") == project.ontology.version)
        & (pc.field("guideline_version") == project.ontology.guideline_version),
    )
    counted = tasks.group_by("batch").aggregate([("image_id", "count_distinct")])
    return dict(
        zip(
            counted["batch"].to_pylist(),
            counted["image_id_count_distinct"].to_pylist(),
            strict=True,
        )
    )


def pilot_labels(
    project: Project, catalog: Catalog, batch: str
) -> tuple[pa.Table, pa.Table | None]:
    """What annotators said in a pilot round, and who looked at which image.

    An annotation of the round that was marked as ground truth counts as what its annotator said,
    as it did before the mark: marking alone changes no agreement. Known truth that is nobody's
    answer in the round does not count.

    Returns:
        Labels with ``attributes``, as their agreement is reckoned from, and who looked, as
        ``LOOKED``; None for the classes of images.
    """
    current = (pc.field("ontology_version") == project.ontology.version) & (
        pc.field("guideline_version") == project.ontology.guideline_version
    )
    images = catalog.table("labeling_tasks").read(
        columns=["image_id"], filter=one_of("batch", [batch]) & current
    )["image_id"]
    edges = ("x_min", "y_min", "x_max", "y_max")
    rows = catalog.table("annotations").read(
        columns=[*LOOKED.names, "label", "kind", *edges, "role", "attributes"],
        filter=one_of("image_id", images.to_pylist())
        & current
        & pc.field("role").isin(["annotator", "gold"]),
    )
    looked = _looked(catalog, batch)
    rows = run_sql(_SAID_SQL, relations={"labels": rows, "looked": looked}).cast(rows.schema)
    if project.task == "classification":
        return rows.filter(pc.equal(rows["kind"], "class")), None
    drawn = rows.filter(pc.invert(pc.is_in(rows["kind"], value_set=_OF_IMAGE)))
    return drawn, looked


def _pilot(project: Project, catalog: Catalog, batch: LabelingBatch) -> Pilot:
    rows, looked = pilot_labels(project, catalog, batch.name)
    if looked is None:
        found = label_agreement(rows)
    else:
        least = project.labeling.hand_off.pilot.least_iou
        found = box_agreement(rows, looked=looked, least_iou=least)
    return Pilot(
        batch=batch.name,
        finished=batch.state == "done",
        images=batch.images,
        labelled=batch.labelled,
        agreement=found,
    )


_OF_IMAGE = pa.array(["class", "tag"])
_SAID_SQL = """
SELECT * EXCLUDE (place) REPLACE ('annotator' AS role)
FROM (SELECT *, row_number() OVER () AS place FROM labels) AS l
WHERE role = 'annotator' OR EXISTS (
    FROM looked AS k WHERE k.image_id = l.image_id AND k.annotator = l.annotator
)
ORDER BY place
"""


def _looked(catalog: Catalog, batch: str) -> pa.Table:
    """Who labelled which image of a batch, of the annotations that count."""
    said = counted_annotations(catalog, columns=[*LOOKED.names, "batch"])
    return said.filter(pc.equal(said["batch"], batch)).select(LOOKED.names)
