"""The comparison of two models, worked out in the background and written for a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.evaluation.comparison import Comparison
from cv_pipeline.evaluation.comparison.paired import Difference
from cv_pipeline.evaluation.slicing.facts import REST, named_condition
from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.jobs import Job, Progress, jobs_of
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.project import Project
from cv_pipeline.provenance.comparisons import compare_models
from cv_pipeline.requirement import COSTS

CHANGED_SHOWN = 60
SLICES_SHOWN = 40
_LOWER_IS_BETTER = frozenset(("ece", "log_loss", "brier"))


class Delta(BaseModel):
    """A number of both models, and how surely it differs.

    Attributes:
        name: the metric.
        of: class or slice that it is of; empty for the whole.
        href: where its images are; empty for nowhere.
        images: images that it rests on; None where that is all of them.
        better: whether the second model is better by it; None where that is not sure.
    """

    name: str
    of: str
    href: str
    images: int | None
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    significant: bool
    better: bool | None


class CostPair(BaseModel):
    """What both models cost."""

    name: str
    unit: str
    before: float | None
    after: float | None


class Changed(BaseModel):
    """An image on which the models differ."""

    image_id: str
    score_before: float
    score_after: float
    difference: float
    words: str


class Turned(BaseModel):
    """The images that the second model does better, or worse."""

    count: int
    query: str
    named: int
    images: list[Changed]

    @property
    def first_of(self) -> int:
        """How many there are, where the query names only the first of them; else 0."""
        return links.first_of(self.count)


class Compared(BaseModel):
    """Two models on the same images."""

    verdict: str
    datasets: tuple[str, str]
    metric: str
    split: str
    images: int
    bound: float
    overall: list[Delta]
    classes: list[Delta]
    slices: list[Delta]
    slices_total: int
    gained: Turned
    lost: Turned
    costs: list[CostPair]
    notes: list[str]


def ask_comparison(
    workspace: Workspace, project: str, before: str, after: str, *, evaluations: frozenset[str]
) -> Job[Compared]:
    """The comparison of two models; begun in the background when it is not known.

    Args:
        workspace: what is read.
        project: the project.
        before: digest of the first model.
        after: digest of the second.
        evaluations: digests of their evaluations: with another, it is made anew.
    """
    settings = workspace.project(project)

    def work(_: Progress) -> Compared:
        found = compare_models(
            project,
            before,
            after,
            projects=workspace.projects_folder,
            instance=workspace.instance,
            store=workspace.store,
            cache=workspace.cache,
        )
        return _compared(settings, found)

    return jobs_of(workspace).ask(("compare", project, before, after, evaluations), work)


def _compared(settings: Project, found: Comparison) -> Compared:
    project = settings.name
    dataset = found.datasets[1]
    within = links.of_dataset(project, dataset, split=found.split)
    overall = [_delta(name, d) for name, d in found.overall.items()]
    overall.sort(key=lambda d: d.name != found.metric)
    classes = [
        _delta(
            metric,
            difference,
            of=label,
            href=links.grid(
                project, f"{within} and label = {links.quoted(label)}", as_of=_moment(dataset)
            ),
        )
        for label, metrics in found.classes.items()
        for metric, difference in metrics.items()
    ]
    slices = [
        _slice(settings, within, dataset, row)
        for row in found.slices.slice(0, SLICES_SHOWN).to_pylist()
    ]
    every = [*overall, *classes, *slices]
    ends = [abs(n) for d in every for n in (d.low, d.high, d.difference) if n is not None]
    return Compared(
        verdict=found.verdict,
        datasets=found.datasets,
        metric=found.metric,
        split=found.split,
        images=found.images,
        bound=max([e for e in ends if math.isfinite(e)], default=0.0) or 1.0,
        overall=overall,
        classes=classes,
        slices=slices,
        slices_total=len(found.slices),
        gained=_turned(found, "gained", found.gained),
        lost=_turned(found, "lost", found.lost),
        costs=[
            CostPair(name=name, unit=COSTS.get(name, ""), before=pair[0], after=pair[1])
            for name, pair in found.costs.items()
            if pair != (None, None)
        ],
        notes=list(found.notes),
    )


def _delta(name: str, found: Difference, *, of: str = "", href: str = "") -> Delta:
    better = None
    if found.significant and found.difference:
        better = (found.difference > 0) != (name in _LOWER_IS_BETTER)
    return Delta(
        name=name,
        of=of,
        href=href,
        images=None,
        before=found.before,
        after=found.after,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        significant=found.significant,
        better=better,
    )


def _moment(dataset: str) -> str:
    """As of when conditions are asked: of what was measured, and not of what was tagged since."""
    return dataset[: links.SHORT_DIGEST]


def _slice(settings: Project, within: str, dataset: str, row: Mapping[str, Any]) -> Delta:
    key, value = row["slice_key"], row["slice_value"]
    of = f"{key} = {value}" if value is not None else f"{key} not set"
    declared = settings.evaluation.slice_queries.get(key)
    if declared is not None:
        where = declared.to_ast().where
        condition = f"({condition_text(where)})" if where else "labelled in (true, false)"
        condition, of = f"not {condition}" if value == REST else condition, f"{key}: {value}"
    else:
        condition = named_condition(key, value)
    query = f"{within} and {condition}"
    label = row["label"]
    if label is not None:
        query += f" and label = {links.quoted(label)}"
        of = f"{label} where {of}"
    return Delta(
        name=row["metric"],
        of=of,
        href=links.grid(settings.name, query, as_of=_moment(dataset)),
        images=row["images"],
        before=row["before"],
        after=row["after"],
        difference=row["difference"],
        low=row["low"],
        high=row["high"],
        p_value=row["adjusted_p"],
        significant=row["significant"],
        better=row["difference"] > 0 if row["significant"] else None,
    )


def _turned(found: Comparison, change: str, count: int) -> Turned:
    """The images that changed in one direction, the furthest first."""
    import pyarrow.compute as pc

    rows = found.changed.filter(pc.equal(found.changed["change"], change))
    ids = rows["image_id"].slice(0, links.MOST_IMAGES).to_pylist()
    return Turned(
        count=count,
        query=links.of_images(ids) if ids else "",
        named=len(ids),
        images=[_changed(row) for row in rows.slice(0, CHANGED_SHOWN).to_pylist()],
    )


def _changed(row: Mapping[str, Any]) -> Changed:
    if row["truth"] is not None:
        said = [row[f"predicted_{when}"] or "nothing" for when in ("before", "after")]
        words = f"{row['truth']}: {said[0]} → {said[1]}"
    else:
        counts = {
            "missed": ("false_negatives_before", "false_negatives_after"),
            "false": ("false_positives_before", "false_positives_after"),
        }
        told = [
            f"{row[a]} → {row[b]} {name}" for name, (a, b) in counts.items() if row[a] != row[b]
        ]
        words = ", ".join(told) or "other boxes"
    return Changed(
        image_id=row["image_id"],
        score_before=row["score_before"],
        score_after=row["score_after"],
        difference=row["difference"],
        words=words,
    )
