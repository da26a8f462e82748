"""The gate between trying out and volume work: what must stand first, and what is missing of it.

Volume work starts when the schema is locked, a gold set covers every class and edge case, the
loop that looks after quality is defined, and a pilot round of the current versions showed that
people agree. Whatever is missing is named, with what to do next; a pilot batch needs only the
schema and the guideline. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from cv_pipeline.annotations.ontology import changed_versions, guideline_path, read_guideline
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.batches.gate_facts import GoldCount, Known
from cv_pipeline.labeling.batches.pilot import Pilot, handed_off_as_pilots
from cv_pipeline.labeling.batches.progress import LabelingBatch
from cv_pipeline.labeling.exchange.imported import pulled_and_not_imported
from cv_pipeline.project import Project

SCHEMA, GOLD, REVIEW, PILOT = "schema", "gold", "review", "pilot"
PARTS = {
    SCHEMA: "Schema locked",
    GOLD: "Gold set",
    REVIEW: "QA loop",
    PILOT: "Pilot round",
}
"""Each part of the gate with its title."""


@dataclass(frozen=True)
class Missing:
    """One thing that must stand before volume work starts, and does not.

    Attributes:
        part: schema, gold, review or pilot.
        what: what is missing, as a sentence.
        do: what to do next.
    """

    part: str
    what: str
    do: str

    def __str__(self) -> str:
        """Both sentences."""
        return f"{self.what} {self.do}"


@dataclass(frozen=True)
class HandOffState:
    """How the gate stands.

    Attributes:
        missing: what is missing, by part in their order; empty when volume work may start.
        enforced: whether a push is refused for it.
        gold: what the gold set covers: classes, then edge cases.
        pilots: pilot rounds of the current versions, the latest first.
    """

    missing: tuple[Missing, ...]
    enforced: bool
    gold: tuple[GoldCount, ...]
    pilots: tuple[Pilot, ...]

    def of(self, part: str) -> tuple[Missing, ...]:
        """What is missing of one part."""
        return tuple(m for m in self.missing if m.part == part)


def missing(
    project: Project,
    *,
    catalog: Catalog,
    batch: str,
    projects: Path | None = None,
    known: Known | None = None,
) -> tuple[Missing, ...]:
    """What must stand before a batch is pushed, and does not; empty when it may be.

    A batch that was begun under other versions of ontology or guideline may not be pushed on,
    whatever else stands.

    Args:
        project: whose batch it is.
        catalog: its tables.
        batch: name of the batch; a pilot needs less.
        projects: folder of the projects; ``CV_PROJECTS`` by default.
        known: what was looked up for other batches.
    """
    begun = _begun(project, catalog, batch)
    if begun or not project.labeling.hand_off.enforce:
        return begun
    known = known or Known(project, catalog)
    found = next((b for b in known.batches if b.name == batch), None)
    if found is not None and found.pilot:
        lacking = _schema(project, catalog, projects)
        if found.overlap < 2:
            lacking.append(
                Missing(
                    PILOT,
                    f"The pilot {batch!r} has an overlap of {found.overlap}, so nobody's agreement"
                    " can be measured.",
                    f"Run: cvp batch {project.name} {batch} --overlap 2",
                )
            )
        return (*lacking, *_too_much(project, catalog, batch, images=found.images))
    return state(project, catalog=catalog, batch=batch, projects=projects, known=known).missing


def _too_much(
    project: Project, catalog: Catalog, batch: str, *, images: int
) -> tuple[Missing, ...]:
    """That a pilot, with those that were handed off before it, is so large that it is no pilot."""
    most = project.labeling.hand_off.pilot.max_images
    before = {n: c for n, c in handed_off_as_pilots(project, catalog).items() if n != batch}
    total = images + sum(before.values())
    if total <= most:
        return ()
    told = f"The pilot {batch!r} has {images:,} images"
    if before:
        listed = ", ".join(sorted(before)[:8]) + (" …" if len(before) > 8 else "")
        told += f", {total:,} with the pilots of these versions before it ({listed})"
    return (
        Missing(
            PILOT,
            f"{told}, and pilots may have {most:,} together: more is volume work.",
            "Set fewer images aside as a pilot, let the gate pass by what the pilots before showed,"
            " or raise labeling.hand_off.pilot.max_images.",
        ),
    )


def _begun(project: Project, catalog: Catalog, batch: str) -> tuple[Missing, ...]:
    """That a batch was begun under other versions: the tool goes on showing those classes."""
    keys = ["ontology_version", "guideline_version"]
    tasks = catalog.table("labeling_tasks").read(
        columns=[*keys, "state"], filter=one_of("batch", [batch])
    )
    begun = tasks.filter(pc.equal(tasks["state"], "pushed")).group_by(keys).aggregate([])
    now = (project.ontology.version, project.ontology.guideline_version)
    others = [then for row in begun.to_pylist() if (then := tuple(row[k] for k in keys)) != now]
    return tuple(
        Missing(
            SCHEMA,
            f"Batch {batch!r} was begun under ontology {ontology!r} and guideline {guideline!r},"
            f" which are {now[0]!r} and {now[1]!r} now.",
            "Let it be labelled to its end as it is, and set the images that it lacks aside as"
            " another batch.",
        )
        for ontology, guideline in others
    )


def state(
    project: Project,
    *,
    catalog: Catalog,
    batch: str = "",
    projects: Path | None = None,
    known: Known | None = None,
) -> HandOffState:
    """How the gate stands for volume work.

    Args:
        project: which project.
        catalog: its tables.
        batch: batch that is to be pushed, whose overlap counts; none by default.
        projects: folder of the projects; ``CV_PROJECTS`` by default.
        known: what was looked up for other batches.
    """
    known = known or Known(project, catalog)
    gold, pilots = known.gold, known.pilots
    return HandOffState(
        missing=(
            *_schema(project, catalog, projects),
            *_gold(project, gold),
            *_review(project, known.batches, batch),
            *_pilot(project, catalog, pilots),
        ),
        enforced=project.labeling.hand_off.enforce,
        gold=gold,
        pilots=pilots,
    )


def _schema(project: Project, catalog: Catalog, projects: Path | None) -> list[Missing]:
    lacking = [
        Missing(SCHEMA, error.what, error.do)
        for error in changed_versions(project, catalog, projects=projects)
    ]
    if read_guideline(project, projects=projects) is None:
        version = project.ontology.guideline_version
        path = guideline_path(project, version, projects=projects)
        lacking.append(
            Missing(
                SCHEMA,
                f"There is no text of guideline version {version!r}.",
                f"Write what annotators are to do into {path}.",
            )
        )
    return lacking


def _gold(project: Project, counts: Iterable[GoldCount]) -> list[Missing]:
    short = [c for c in counts if not c.enough]
    if not short:
        return []
    told = ", ".join(f"{c.name} ({c.images} of {c.needed})" for c in short[:8])
    more = f" and {len(short) - 8} more" if len(short) > 8 else ""
    return [
        Missing(
            GOLD,
            f"The gold set has too few images of {told}{more}.",
            "Label such images with certainty and name them: annotations.gold, or"
            f" labeling.hand_off.gold.query of projects/{project.name}/project.yaml.",
        )
    ]


def _review(project: Project, every: Iterable[LabelingBatch], batch: str) -> list[Missing]:
    rule, lacking = project.labeling.hand_off.review, []
    if not rule.share or not rule.owner:
        absent = " and ".join(
            name for name, given in (("share", rule.share), ("owner", rule.owner)) if not given
        )
        lacking.append(
            Missing(
                REVIEW,
                f"It is not said how labels are reviewed while work goes on: {absent} of"
                " labeling.hand_off.review is missing.",
                "Declare the share of images that is reviewed and who does it.",
            )
        )
    batches = [b for b in every if b.name == batch or b.state in ("pushed", "in_progress", "done")]
    total = sum(b.images for b in batches)
    twice = sum(b.images for b in batches if b.overlap > 1)
    if total and twice < rule.overlap_share * total:
        lacking.append(
            Missing(
                REVIEW,
                f"{twice / total:.1%} of the images in batches are labelled by two people, and"
                f" {rule.overlap_share:.1%} are to be.",
                f"Give this batch, or a smaller one, an overlap of 2: cvp batch {project.name}"
                f" {batch or 'BATCH'} --overlap 2",
            )
        )
    return lacking


def _pilot(project: Project, catalog: Catalog, pilots: tuple[Pilot, ...]) -> list[Missing]:
    name, rule = project.name, project.labeling.hand_off.pilot
    if not pilots:
        return [
            Missing(
                PILOT,
                f"No pilot round was labelled under ontology {project.ontology.version!r} and"
                f" guideline {project.ontology.guideline_version!r}.",
                f"Set {rule.min_images} images or more aside, and run: cvp batch {name} BATCH"
                " --pilot --overlap 2, then cvp push and cvp pull.",
            )
        ]
    latest = pilots[0]
    if not latest.finished:
        return [
            Missing(
                PILOT,
                f"The pilot {latest.batch!r} is not finished: {latest.labelled} of"
                f" {latest.images} images are labelled.",
                f"Let it be labelled to its end, then run: cvp pull {name}",
            )
        ]
    mistakes = latest.shortcomings(rule)
    if latest.agreement.images >= rule.min_images and not mistakes:
        return []
    states = pulled_and_not_imported(catalog)
    if states:  # what people said is not known yet, so nobody is to blame
        return [
            Missing(
                PILOT,
                f"{states:,} states of annotations are pulled and not imported yet, so what the"
                f" pilot {latest.batch!r} shows is not known.",
                f"Materialize annotation_exports: cvp run {name} --select annotation_exports",
            )
        ]
    if latest.agreement.images < rule.min_images:
        return [
            Missing(
                PILOT,
                f"Of the pilot {latest.batch!r}, {latest.agreement.images} images were labelled by"
                f" two people, and {rule.min_images} are needed.",
                "Label a larger pilot; images whose labels are in the quarantine do not count.",
            )
        ]
    return [
        Missing(
            PILOT,
            f"The pilot {latest.batch!r} shows too little agreement: {mistake}.",
            "See where people differ, say it in the next version of the guideline, and label"
            " another pilot.",
        )
        for mistake in mistakes
    ]
