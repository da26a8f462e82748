"""Who labels: how good, how fast and how busy everybody is, and what they may work on.

Whoever labelled something in the project, or is named in ``labeling.annotators``, belongs to it.
Who is not qualified on gold gets pilot rounds, easy images and gold images only; hard images are
for those who are good on gold by a stricter measure. Where a project has no gold images nobody can
be examined, and all count as qualified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.division import difficulties
from cv_pipeline.labeling.batches.states import Declared
from cv_pipeline.labeling.exchange.people import with_account
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.settings.work_section import Annotator, PayRole
from cv_pipeline.labeling.workload.labels_made import labels_made
from cv_pipeline.labeling.workload.pace import Pace, pace_of
from cv_pipeline.labeling.workload.skill import COLUMNS, skills_of
from cv_pipeline.quality.gold import gold_labels


@dataclass(frozen=True)
class Worker:
    """One annotator.

    Attributes:
        name: pseudonym.
        account: account of the inspector; empty for none.
        role: by which the hours are paid.
        hours_per_week: hours of labelling in a week.
        absent: whether no work is given to them for now.
        skill: accuracy or F1 on gold; None for who labelled no gold.
        gold_images: gold images that they labelled.
        qualified: whether they get medium images.
        for_hard: whether they get hard images.
        seconds: of a label, by difficulty.
        labels: labels that they made.
        in_tool: whether they have an account in the annotation tool; nobody needs one before the
            first push.
    """

    name: str
    account: str
    role: PayRole
    hours_per_week: float
    absent: bool
    skill: float | None
    gold_images: int
    qualified: bool
    for_hard: bool
    seconds: tuple[float, float, float]
    labels: int
    in_tool: bool = True

    @property
    def level(self) -> int:
        """The hardest that they get: 0 for easy, 1 for medium, 2 for hard images."""
        return 2 if self.for_hard else 1 if self.qualified else 0


@dataclass(frozen=True, eq=False)
class Workforce:
    """Everybody who labels in a project.

    Attributes:
        workers: by pseudonym.
        pace: how long labels take.
        gold: ids of the gold images, sorted.
        labels: every label that was made, schema ``LABELS``.
    """

    workers: tuple[Worker, ...]
    pace: Pace
    gold: pa.Array
    labels: pa.Table

    @property
    def present(self) -> tuple[Worker, ...]:
        """Those whom work can be given to."""
        return tuple(w for w in self.workers if w.in_tool and not w.absent)

    @property
    def without_account(self) -> tuple[str, ...]:
        """Names of those who would get work, and have no account in the annotation tool."""
        return tuple(w.name for w in self.workers if not w.in_tool and not w.absent)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(present, 3) seconds of a label, by difficulty."""
        return np.array([w.seconds for w in self.present], np.float64).reshape(-1, 3)

    @property
    def capacity(self) -> NDArray[np.float64]:
        """(present,) seconds of work in a week."""
        return np.array([w.hours_per_week * 3600 for w in self.present], np.float64)


def workforce_of(
    catalog: Catalog, labeling: Labeling, declared: Mapping[str, Declared]
) -> Workforce:
    """Everybody who labels in a project.

    Args:
        catalog: the project's tables.
        labeling: what the project declares of labelling.
        declared: name of a batch to what was declared of it.
    """
    labels = labels_made(catalog, declared)
    longest = labeling.prices.longest_minutes
    pace = pace_of(labels, longest=None if longest is None else longest * 60)
    truth = gold_labels(catalog, query=labeling.hand_off.gold.query, columns=COLUMNS)
    gold = pc.unique(truth["image_id"]).sort()
    hard = difficulties(catalog, gold, rule=labeling.batches.difficulty)
    skills = skills_of(catalog, truth, pa.table({"image_id": gold, "level": pa.array(hard)}))
    made = {
        row["annotator"]: row["count_all"]
        for row in labels.group_by("annotator").aggregate([([], "count_all")]).to_pylist()
    }
    names = sorted({*made, *labeling.annotators})
    in_tool = with_account(catalog, names)
    skill, examined = skills.of(names)
    rules = labeling.work
    # whoever is good enough may work; where there is no gold nobody can be examined
    enough = examined >= rules.gold_least
    qualified = (enough & (skill[:, 0] >= rules.qualified_at)) | (skills.gold == 0)
    for_hard = qualified & ((skill[:, 3] >= rules.hard_at) | (skills.gold == 0))
    seconds = pace.of(names)
    workers = []
    for place, name in enumerate(names):
        told = labeling.annotators.get(name, Annotator())
        workers.append(
            Worker(
                name=name,
                account=told.account,
                role=told.role,
                hours_per_week=told.hours_per_week,
                absent=told.absent,
                skill=None if np.isnan(skill[place, 0]) else float(skill[place, 0]),
                gold_images=int(examined[place]),
                qualified=bool(qualified[place]),
                for_hard=bool(for_hard[place]),
                seconds=(seconds[place, 0], seconds[place, 1], seconds[place, 2]),
                labels=made.get(name, 0),
                in_tool=name in in_tool,
            )
        )
    return Workforce(tuple(workers), pace, gold, labels)
