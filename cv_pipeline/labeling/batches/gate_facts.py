"""What the gate before volume work goes by: batches, gold images, pilot rounds.

All of it is about the project as a whole, so it is looked up once for all batches that are asked
about together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import list_labeling_batches
from cv_pipeline.labeling.batches.pilot import Pilot, pilot_rounds
from cv_pipeline.labeling.batches.progress import LabelingBatch
from cv_pipeline.project import Project
from cv_pipeline.quality.gold import gold_labels


@dataclass(frozen=True)
class GoldCount:
    """How much of the gold set there is of a class or an edge case.

    Attributes:
        name: the class, or the edge case as it is declared.
        images: gold images that it is on.
        needed: images that there must be.
    """

    name: str
    images: int
    needed: int

    @property
    def enough(self) -> bool:
        """Whether that is as many as needed."""
        return self.images >= self.needed


class Known:
    """What the gate goes by, looked up once for all batches that are asked about together.

    Args:
        project: which project.
        catalog: its tables.
    """

    def __init__(self, project: Project, catalog: Catalog) -> None:
        self._project = project
        self._catalog = catalog

    @cached_property
    def batches(self) -> list[LabelingBatch]:
        """Every batch, what is urgent first."""
        return list_labeling_batches(self._catalog)

    @cached_property
    def gold(self) -> tuple[GoldCount, ...]:
        """Gold images that each class and each edge case is on."""
        return gold_counts(self._project, self._catalog)

    @cached_property
    def pilots(self) -> tuple[Pilot, ...]:
        """The pilot rounds of the current versions, the latest first."""
        return pilot_rounds(self._project, self._catalog)

    def pushed(self, batch: str) -> None:
        """Take notice that a batch was pushed, which counts for those after it."""
        for place, one in enumerate(self.batches):
            if one.name == batch and one.state == "open":
                self.batches[place] = replace(one, state="pushed")
                if one.pilot:
                    self.__dict__.pop("pilots", None)


def gold_counts(project: Project, catalog: Catalog) -> tuple[GoldCount, ...]:
    """Gold images that each class and each edge case is on."""
    rule = project.labeling.hand_off.gold
    columns = ["image_id", "label", "attributes"]
    rows = gold_labels(catalog, query=rule.query, columns=columns)
    distinct = rows.group_by(columns).aggregate([])
    of_class = distinct.group_by("label").aggregate([("image_id", "count_distinct")])
    images_of = dict(
        zip(
            of_class["label"].to_pylist(),
            of_class["image_id_count_distinct"].to_pylist(),
            strict=True,
        )
    )
    counts = [
        GoldCount(label, images_of.get(label, 0), rule.min_per_class)
        for label in project.ontology.labels
    ]
    for case in rule.edge_cases:
        fits = fitting(distinct["attributes"], case)
        count = pc.count_distinct(distinct["image_id"].filter(fits)).as_py()
        counts.append(GoldCount(case, count, rule.min_per_edge_case))
    return tuple(counts)


def fitting(attributes: pa.ChunkedArray, case: str) -> pa.ChunkedArray:
    """Which rows are of an edge case."""
    name, _, value = (part.strip() for part in case.partition("="))
    wanted: tuple[object, ...] = (value,)
    if value in ("", "yes"):
        wanted = (True, "yes")
    elif value == "no":
        wanted = (False, "no")
    texts = pc.unique(attributes).to_pylist()
    fits = []
    for text in texts:
        found = json.loads(text).get(name)
        listed = found if isinstance(found, list) else [found]
        fits.append(any(one in wanted and type(one) in map(type, wanted) for one in listed))
    chosen = pa.array([t for t, fit in zip(texts, fits, strict=True) if fit], pa.string())
    return pc.is_in(attributes, value_set=chosen)
