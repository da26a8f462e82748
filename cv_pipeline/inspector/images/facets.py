"""Filters beside the grid, each value with the number of images that a click on it leads to.

Values of a field that an image has one of are counted as if nothing were said of that field, so
that another of them can be chosen; all others are counted within what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from cv_pipeline.catalog.query.nodes import Field, QueryNode
from cv_pipeline.inspector.images.conditions import (
    SEVERAL,
    Choice,
    choice_of,
    filter_name,
    without,
)
from cv_pipeline.inspector.images.facet_index import FacetIndex, Pairs
from cv_pipeline.inspector.images.grid import ERROR_KINDS, Grid, filtered
from cv_pipeline.inspector.images.marks import Outcomes
from cv_pipeline.inspector.workspace import Workspace

MOST_VALUES = 100
BINS = 24

Mask = NDArray[np.bool_]

KIND_TITLES = {
    "error": "any error",
    "correct": "correct",
    "classification": "wrong class",
    "localisation": "wrong place",
    "both": "wrong class and place",
    "duplicate": "duplicate",
    "background": "false positive",
    "missed": "missed",
}


class FacetValue(BaseModel):
    """A value of a filter.

    Attributes:
        value: the value; None stands for images without one.
        title: what it is called.
        count: images that it leads to.
        chosen: ``in`` when the query asks for it, ``out`` when it asks for images without it.
    """

    value: str | bool | None
    title: str
    count: int
    chosen: str = ""


class FacetRange(BaseModel):
    """The spread of a number.

    Attributes:
        least: least value there is.
        most: greatest value there is.
        counts: images in each of as many equal steps from the least to the greatest.
        low: what the query asks for at least.
        high: what it asks for at most.
    """

    least: float
    most: float
    counts: list[int]
    low: float | None
    high: float | None


class Facet(BaseModel):
    """A filter.

    Attributes:
        name: what it is called in a request for another query.
        title: what it is called on the page.
        of: ``query`` when a click changes the query, ``state`` when it changes the parameter of its
            name in the address.
        values: its values, the most frequent first.
        more: values that are left out.
        range: spread of a number; None for a filter of values.
    """

    name: str
    title: str
    of: str = "query"
    values: list[FacetValue] = []
    more: int = 0
    range: FacetRange | None = None


class Facets(BaseModel):
    """The filters of a state.

    Attributes:
        total: images that the state has.
        facets: the filters.
    """

    total: int
    facets: list[Facet]


class FacetCounter:
    """Counts the filters of a grid.

    Args:
        workspace: what pages read.
        project: name of the project.
        grid: what is shown.
    """

    def __init__(self, workspace: Workspace, project: str, grid: Grid) -> None:
        self._workspace = workspace
        self._project = project
        self._grid = grid
        self._snapshot = grid.selection.snapshot
        self._most = _most(grid)
        self._shown = self._mask(grid.numbers if self._most is None else self._meant(grid.query))
        self._index = FacetIndex(self._snapshot, workspace.kept)
        self._visible = None if grid.visible is None else self._mask(grid.visible)

    def count(self) -> Facets:
        """All filters that have something to choose."""
        return Facets(
            total=self._grid.total, facets=[f for f in self._all() if f.values or f.range]
        )

    def _all(self) -> Iterator[Facet]:
        grid, index = self._grid, self._index
        found = grid.outcomes
        if found is not None:
            yield self._kinds(found)
            yield self._classes(found)
            yield from self._results(found)
        blind = grid.visible is not None  # who may not see what others said of the images
        if not blind:
            if found is None:
                yield self._values(Field("label"), "Class", lambda: index.labels)
            else:
                yield self._values(Field("label"), "Labelled now as", lambda: index.labels)
            yield self._state()
        yield self._values(Field("tag"), "Tag", lambda: index.tags)
        yield self._values(Field("split"), "Split of the source", lambda: index.text("split"))
        for key in index.metadata:
            yield self._values(
                Field("metadata", key), key, partial(index.metadata.__getitem__, key), unset=True
            )
        if not blind:
            yield self._values(Field("annotator"), "Annotator", lambda: index.annotators)
            yield self._values(Field("set_aside"), "Set aside as", lambda: index.set_aside)
        yield self._values(Field("format"), "Format", lambda: index.text("format"))
        for name in ("brightness", "contrast", "sharpness"):
            values = index.column(name).astype(np.float64)
            yield self._range(Field(name), name.capitalize(), values)

    def _values(
        self, field: Field, title: str, pairs: Callable[[], Pairs], *, unset: bool = False
    ) -> Facet:
        choice = choice_of(self._grid.query, field)
        shown = self._shown if field.name in SEVERAL else self._shown_without(field, choice)
        of = pairs()
        counts = self._shows(of.count(shown))
        # a value that only images have which may not be seen is not there
        there = np.ones(len(counts), bool) if self._visible is None else of.count(self._visible) > 0
        order = np.lexsort((np.arange(len(counts)), -counts))
        values = [
            FacetValue(
                value=of.values[i],
                title=of.values[i],
                count=int(counts[i]),
                chosen=_chosen(choice, of.values[i]),
            )
            for i in order
            if there[i] and (counts[i] or _chosen(choice, of.values[i]))
        ]
        values.sort(key=lambda v: not v.chosen)
        everywhere = int(there.sum())
        if unset and everywhere:
            having = np.zeros(len(shown), bool)
            having[of.n] = True
            count = int(self._shows((shown & ~having).sum()))
            if count or choice.unset:
                chosen = "in" if choice.unset else ""
                value = FacetValue(value=None, title="not set", count=count, chosen=chosen)
                values.append(value)
                everywhere += 1
        if everywhere < 2 and not any(v.chosen for v in values):
            values = []  # all images have the same: nothing to choose
        return Facet(
            name=filter_name(field),
            title=title,
            values=values[:MOST_VALUES],
            more=max(0, len(values) - MOST_VALUES),
        )

    def _state(self) -> Facet:
        """Whether images have labels, and whether annotators agree on them."""
        annotated = self._index.column("annotations_count") > 0
        contested = self._index.column("disagreement") > 0
        untouched = self._index.column("tags_count") == 0
        flags = (
            ("labelled", "labelled", Field("labelled"), True, annotated),
            ("unlabelled", "unlabelled", Field("labelled"), False, ~annotated),
            ("contested", "contested", Field("disagreement"), None, contested),
            ("untouched", "untouched by people", Field("tags_count"), None, untouched),
        )
        values = []
        for name, title, field, wanted, mask in flags:
            choice = choice_of(self._grid.query, field)
            shown = self._shown if wanted is None else self._shown_without(field, choice)
            chosen = {
                "contested": choice.low is not None,
                "untouched": 0 in choice.values,
            }.get(name, wanted in choice.values)
            values.append(
                FacetValue(
                    value=name,
                    title=title,
                    count=int(self._shows((shown & mask).sum())),
                    chosen="in" if chosen else "",
                )
            )
        return Facet(name="state", title="Labels", values=values)

    def _kinds(self, found: Outcomes) -> Facet:
        """Kinds of errors, of the class that is looked at."""
        state = self._grid.state
        base = self._base_mask()
        values = []
        for kind in ERROR_KINDS:
            rows = found.rows_with(kind=kind, label=state.label or None)
            having = np.zeros(len(base), bool)
            having[found.n[rows]] = True
            chosen = "in" if state.kind == kind else ""
            count = int((base & having).sum())
            if count or chosen:
                title = KIND_TITLES[kind]
                values.append(FacetValue(value=kind, title=title, count=count, chosen=chosen))
        return Facet(name="kind", title="Outcome", of="state", values=values)

    def _classes(self, found: Outcomes) -> Facet:
        """Classes of the evaluation, of the kind that is looked at."""
        state = self._grid.state
        base = self._base_mask()
        values = []
        for label in found.evaluated.evaluation.record.labels:
            rows = found.rows_with(kind=state.kind or None, label=label)
            having = np.zeros(len(base), bool)
            having[found.n[rows]] = True
            chosen = "in" if state.label == label else ""
            count = int((base & having).sum())
            values.append(FacetValue(value=label, title=label, count=count, chosen=chosen))
        values.sort(key=lambda v: -v.count)
        return Facet(
            name="label",
            title="Class in the evaluation",
            of="state",
            values=values[:MOST_VALUES],
            more=max(0, len(values) - MOST_VALUES),
        )

    def _results(self, found: Outcomes) -> Iterator[Facet]:
        """What can be asked of the results of the model, where this is its newest evaluation."""
        model = model_reference(self._workspace, found)
        if model is None:
            return
        field = Field("results.correct", model)
        choice = choice_of(self._grid.query, field)
        shown = self._shown_without(field, choice)
        right = np.zeros(len(shown), bool)
        known = found.evaluated_at >= 0
        correct = found.evaluated.evaluation.per_image["correct"].to_numpy(zero_copy_only=False)
        right[known] = correct[found.evaluated_at[known]]
        yield Facet(
            name=filter_name(field),
            title="Image as a whole",
            values=[
                FacetValue(
                    value=value,
                    title="all correct" if value else "with an error",
                    count=int(self._shows((shown & known & (right == value)).sum())),
                    chosen="in" if value in choice.values else "",
                )
                for value in (True, False)
            ],
        )
        yield self._range(Field("results.score", model), "Score of the image", found.score)

    def _range(self, field: Field, title: str, values: NDArray[np.float64]) -> Facet:
        choice = choice_of(self._grid.query, field)
        shown = self._shown_without(field, choice)
        known = values[shown & np.isfinite(values)]
        facet = Facet(name=filter_name(field), title=title)
        if len(known) and known.min() < known.max():
            counts, _ = np.histogram(known, bins=BINS)
            facet.range = FacetRange(
                least=float(known.min()),
                most=float(known.max()),
                counts=counts.tolist(),
                low=choice.low,
                high=choice.high,
            )
        return facet

    def _base_mask(self) -> Mask:
        """What the query selects, whatever kind and class are looked at."""
        return self._mask(self._seen(self._grid.selection.numbers))

    def _shown_without(self, field: Field, choice: Choice) -> Mask:
        """What would be shown if the query said nothing of a field."""
        if choice.empty:
            return self._shown
        return self._mask(self._meant(without(self._grid.query, field)))

    def _meant(self, query: QueryNode) -> NDArray[np.int32]:
        """The images that meet a query's condition and what else the state asks for.

        A sample and the first of an order are drawn anew from what a click leads to.
        """
        if self._most is not None:
            query = replace(query, sample=None, order_by=(), limit=None)
        selection = self._grid.ask(query)
        if selection.snapshot is not self._snapshot:
            return self._grid.numbers  # the lake has just changed
        return filtered(self._seen(selection.numbers), self._grid.state, self._grid.outcomes)

    def _shows(self, counts: Any) -> Any:
        """How many images a click shows, of as many as it leads to."""
        return counts if self._most is None else np.minimum(counts, self._most)

    def _seen(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        for allowed in (self._grid.visible, self._grid.named):
            if allowed is not None:
                numbers = numbers[np.isin(numbers, allowed)]
        return numbers

    def _mask(self, numbers: NDArray[np.int32]) -> Mask:
        mask = np.zeros(len(self._snapshot.images), bool)
        mask[numbers] = True
        return mask


def _most(grid: Grid) -> int | None:
    """Images that a query has at most, whatever its condition; None for no bound.

    With a class or kind of an evaluation there is none: that is looked for in what was drawn, and
    what another draw has of it is not known before.
    """
    query, state = grid.query, grid.state
    if state.kind or state.label or state.model or state.like or state.among:
        return None
    bounds = [query.limit, query.sample.size if query.sample else None]
    return min((bound for bound in bounds if bound is not None), default=None)


def model_reference(workspace: Workspace, found: Outcomes) -> str | None:
    """What a query calls the model of an evaluation; None unless that is its newest evaluation.

    The results of a model in a query are those of its newest evaluation.
    """
    model = found.evaluated.model
    with workspace.log() as log:
        made = [
            evaluation
            for predictions in log.children(model.key, model.version)
            if predictions.asset == "predictions"
            for evaluation in log.children(predictions.key, predictions.version)
            if evaluation.asset == "eval_slices"
        ]
        others = log.first_of_each_version(model.key)
    newest = max(made, key=lambda event: event.storage_id, default=None)
    if newest is None or newest.version != found.evaluated.event.version:
        return None
    short = model.version[:16]
    alike = any(o.version.startswith(short) and o.version != model.version for o in others)
    return model.version if alike else short


def _chosen(choice: Choice, value: str) -> str:
    if value in choice.values:
        return "in"
    return "out" if value in choice.others else ""
