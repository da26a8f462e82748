"""The images of one state of the grid, in their order: a query, and what an evaluation adds to it.

The same state gives the same images in the same order, and its total is the number of images that
can be scrolled to. Ties go by image id. Nothing is computed image by image in Python.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.datalake.more_like import more_like
from cv_pipeline.catalog.datalake.selection import Selection
from cv_pipeline.catalog.query import QueryNode
from cv_pipeline.catalog.query.checks import mentions
from cv_pipeline.catalog.query.nodes import Comparison, Condition, Field, Not, Rows
from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.snapshot.look_up import find_images
from cv_pipeline.errors import EvaluationError, QueryError, nearest
from cv_pipeline.evaluation.detection.error_kinds import KINDS
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.assignments import visible_numbers
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.images.among import Among, image_ids
from cv_pipeline.inspector.images.asking import Ask, asker
from cv_pipeline.inspector.images.conditions import read, text_of, with_condition
from cv_pipeline.inspector.images.marks import Outcomes, outcomes
from cv_pipeline.inspector.problems import Forbidden
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.epochs import images_that_got_worse
from cv_pipeline.provenance.evaluated import Evaluated

Sort = Literal["", "worst", "best", "missed", "false", "confident", "query"]
"""Orders that an evaluation gives; ``worst`` is by the image's score. Empty is the same, but with a
kind those with most of it come first, and with a class those with most of it missed; without an
evaluation it is the query's own."""

ERROR_KINDS = ("error", *KINDS)
"""Kinds that images can be filtered by; ``error`` is every one but ``correct``."""

MOST_EXAMPLES = 100
"""Images that others can be asked to be like in an address."""
MOST_ALIKE = 500
"""Images that are shown as being like some."""

_OF_LABELS = ("label", "annotator", "annotations_count", "labels_count", "annotators_count")
_OF_OTHER_IMAGES = ("similarity", "set_aside", "image")
"""What is answered otherwise when there are other images than one's own."""
_NOT_FOR_ANNOTATORS = (*_OF_LABELS, *_OF_OTHER_IMAGES, "disagreement", "tags_count", "labelled")


@dataclass(frozen=True)
class GridState:
    """What the address of the grid says, but for how it looks.

    Attributes:
        q: text of the query; empty for all images, or for the split of the evaluation.
        evaluation: digest of an evaluation, a prefix of it, or ``latest``; empty for none.
        label: class that is looked at; needs an evaluation.
        kind: kind of error that the images must have; needs an evaluation.
        sort: the order.
        model: digest of a model whose training is looked at; empty for none.
        epoch: epoch of it, whose images that got worse are shown.
        like: images, by commas, that the others are to be like: the most alike come first.
        as_of: as of when the lake is asked: a time, a dataset version, an evaluation or a condition
            on a metric; empty for now.
        among: images that are named as a whole, see :mod:`cv_pipeline.inspector.images.among`;
            empty for any.
    """

    q: str = ""
    evaluation: str = ""
    label: str = ""
    kind: str = ""
    sort: str = ""
    model: str = ""
    epoch: int = 0
    like: str = ""
    as_of: str = ""
    among: str = ""


@dataclass(frozen=True, eq=False)
class Grid:
    """The images of a state.

    Attributes:
        state: the state, with the query of the evaluation's split where none was asked.
        query: the query.
        selection: what it selected, and where.
        numbers: int32, the images in their order.
        outcomes: of the evaluation; None without one.
        visible: numbers of the images that may be seen, ascending; None for all.
        named: numbers of the images that are named as a whole, in their order; None for any.
        ask: asks another query of the same lake.
        moment: as of when it was asked, in words; empty for now.
    """

    state: GridState
    query: QueryNode
    selection: Selection
    numbers: NDArray[np.int32]
    outcomes: Outcomes | None
    visible: NDArray[np.int32] | None
    named: NDArray[np.int32] | None
    ask: Ask
    moment: str

    @property
    def total(self) -> int:
        """How many images there are."""
        return len(self.numbers)


def open_grid(workspace: Workspace, access: Access, project: str, state: GridState) -> Grid:
    """The images of a state, as far as whoever asks may see them.

    Raises:
        QueryError: the query cannot be understood.
        EvaluationError: there is no such class, kind or order.
        ProvenanceError: there is no such evaluation, model or epoch.
        Forbidden: an annotator asks for what others said of the images.
    """
    visible = visible_numbers(access, workspace, project)
    if visible is not None:
        _check_blind(state, project)
    evaluated = workspace.evaluated(project, state.evaluation) if state.evaluation else None
    query = read(state.q)
    if evaluated is not None and not state.q.strip():
        query = split_query(evaluated)
        state = replace(state, q=text_of(query))
    if evaluated is None and state.label:  # without an evaluation it is a condition as any other
        query = with_condition(query, Comparison(Field("label"), "=", state.label))
        state = replace(state, q=text_of(query), label="")
    _check(state, evaluated)
    ask, moment = asker(workspace, project, state.as_of)
    selection = ask(query)
    snapshot = selection.snapshot
    found = outcomes(workspace, evaluated, snapshot) if evaluated else None
    key = (
        *("grid", project, state, selection.text),
        *sorted(snapshot.identities.items()),
        *sorted(selection.pins.items()),
        evaluated.event.version if evaluated else "",
        "" if visible is None else visible.tobytes(),
    )
    named = _named(workspace, project, state, snapshot, evaluated)
    if named is not None:
        key = (*key, named.tobytes())
    if "latest" in selection.text:
        numbers = _numbers(workspace, project, state, selection, found, visible, named)
    else:
        numbers = workspace.kept.get(
            key, lambda: _numbers(workspace, project, state, selection, found, visible, named)
        )
    return Grid(state, query, selection, numbers, found, visible, named, ask, moment)


def split_query(evaluated: Evaluated) -> QueryNode:
    """The images that an evaluation's headline numbers are of."""
    record = evaluated.evaluation.record
    inside = Comparison(Field("split"), "=", record.split)
    return QueryNode(Comparison(Rows("dataset", record.dataset[:16], inside), ">=", 1))


def taken_out(grid: Grid) -> tuple[int, str]:
    """How many images a grid would have besides, had they not been taken out, and their query.

    None are counted where the query says something of it itself, or asks for a number of images.
    """
    query = grid.query
    gone = grid.selection.snapshot.images["taken_out"]
    if grid.visible is not None or not pc.any(gone).as_py():
        return 0, ""
    if mentions(query.where, "taken_out", "taken_out_at"):
        return 0, ""
    if query.limit is not None or query.sample is not None:
        return 0, ""
    asked = with_condition(query, Comparison(Field("taken_out"), "=", True))
    numbers = grid.ask(asked).numbers
    if grid.named is not None:
        numbers = numbers[np.isin(numbers, grid.named)]
    numbers = filtered(numbers, grid.state, grid.outcomes)
    return len(numbers), text_of(asked) if len(numbers) else ""


def filtered(
    numbers: NDArray[np.int32], state: GridState, found: Outcomes | None
) -> NDArray[np.int32]:
    """Those of some images that have the class and kind of a state, in their order."""
    if found is None or not (state.kind or state.label):
        return numbers
    rows = found.rows_with(kind=state.kind or None, label=state.label or None)
    having = np.zeros(len(found.score), bool)
    having[found.n[rows]] = True
    return numbers[having[numbers]]


def _numbers(
    workspace: Workspace,
    project: str,
    state: GridState,
    selection: Selection,
    found: Outcomes | None,
    visible: NDArray[np.int32] | None,
    named: NDArray[np.int32] | None,
) -> NDArray[np.int32]:
    numbers = selection.numbers
    if visible is not None:
        numbers = numbers[np.isin(numbers, visible)]
    if named is not None:
        numbers = named[np.isin(named, numbers)]
        if not state.sort or found is None:
            return filtered(numbers, state, found)
    if state.model:
        return _got_worse(workspace, project, state, selection, numbers)
    if state.like:
        return _most_like(workspace, project, state, selection, filtered(numbers, state, found))
    if found is None:
        return numbers
    return _in_order(filtered(numbers, state, found), state, found)


def _named(
    workspace: Workspace,
    project: str,
    state: GridState,
    snapshot: Snapshot,
    evaluated: Evaluated | None,
) -> NDArray[np.int32] | None:
    """Numbers of the images that are named as a whole, as far as the lake has them."""
    if not state.among:
        return None
    ids = image_ids(workspace, project, Among.read(state.among), evaluated)
    numbers: NDArray[np.int32] = snapshot.numbering.find(ids)
    return numbers[numbers >= 0]


def _in_order(numbers: NDArray[np.int32], state: GridState, found: Outcomes) -> NDArray[np.int32]:
    """Images in the order of an evaluation; those that it is not of come last."""
    if state.sort == "query":
        return numbers
    numbers = np.sort(numbers)
    score = found.score[numbers]
    keys: list[NDArray[np.float64]] = []
    size = len(found.score)
    if state.sort == "best":
        keys = [-score]
    elif state.sort == "confident":
        of_kind = found.rows_with(kind=state.kind or "error", label=state.label or None)
        top = np.full(size, -np.inf)
        scores = found.table["score"].to_numpy()
        np.maximum.at(top, found.n[of_kind], np.nan_to_num(scores[of_kind], nan=-1.0))
        keys = [-top[numbers], score]
    elif state.sort == "false" or (not state.sort and state.kind):
        kinds = found.rows_with(kind=state.kind or "error", label=state.label or None)
        if not state.kind:
            missed = found.rows_with(kind="missed", label=None)
            kinds &= ~missed
        count = np.bincount(found.n[kinds], minlength=size)
        keys = [-count[numbers].astype(np.float64), score]
    elif state.sort == "missed" or (not state.sort and state.label):
        missed_objects = found.missed(state.label or None)
        keys = [-missed_objects[numbers].astype(np.float64), score]
    else:
        keys = [score]
    return numbers[np.lexsort(keys[::-1])]  # not a number comes last


def _got_worse(
    workspace: Workspace,
    project: str,
    state: GridState,
    selection: Selection,
    numbers: NDArray[np.int32],
) -> NDArray[np.int32]:
    """Those images that got worse in an epoch of a training, the worst first."""
    worse = images_that_got_worse(
        f"{project}@{state.model}",
        epoch=state.epoch,
        instance=workspace.instance,
        store=workspace.store,
    )
    ids = pa.array([row["image_id"] for row in worse.images], pa.string())
    found = selection.snapshot.numbering.find(ids)
    return found[np.isin(found, numbers)]


def _most_like(
    workspace: Workspace,
    project: str,
    state: GridState,
    selection: Selection,
    numbers: NDArray[np.int32],
) -> NDArray[np.int32]:
    """Those images that are most like some, the most alike first, without copies of each other."""
    refs = [ref for ref in state.like.split(",") if ref]
    if len(refs) > MOST_EXAMPLES:
        raise QueryError(
            f"{len(refs)} images are too many to be named as examples.",
            do=f"Name {MOST_EXAMPLES} at most, or tag them.",
        )
    catalog, snapshot = workspace.lake(project).catalog, selection.snapshot
    examples = find_images(snapshot, catalog, refs)
    found = more_like(catalog, snapshot, examples=np.unique(examples), among=numbers, n=MOST_ALIKE)
    return snapshot.numbering.find(found.image_ids)


def _check(state: GridState, evaluated: Evaluated | None) -> None:
    if state.sort not in get_args(Sort):
        raise EvaluationError(
            f"{state.sort!r} is no order.", do=nearest(state.sort, get_args(Sort)[1:])
        )
    if evaluated is None:
        if state.kind:
            raise EvaluationError(
                "A kind of error is one of an evaluation, and none is given.",
                do="Open the images from an evaluation.",
            )
        return
    labels = evaluated.evaluation.record.labels
    if state.label and state.label not in labels:
        raise EvaluationError(
            f"There is no class {state.label!r}.", do=nearest(state.label, labels)
        )
    if state.kind and state.kind not in ERROR_KINDS:
        raise EvaluationError(
            f"There is no kind of error {state.kind!r}.", do=nearest(state.kind, ERROR_KINDS)
        )


def _check_blind(state: GridState, project: str) -> None:
    """Refuse an annotator what would tell how others, or a model, judge their images."""
    asked = (state.evaluation, state.model, state.label, state.like, state.as_of, state.among)
    if any(asked):
        raise Forbidden(Permission.VIEW, project)
    query = read(state.q)
    if query.limit is not None or query.sample is not None:  # of all images there are
        raise QueryError(
            "You may not ask for a number of images.", do="Leave out limit and sample."
        )
    if not _is_blind(query):
        raise QueryError(
            "You may ask for images by what they are, not by how they were labelled or predicted.",
            do="Ask for path, size, metadata or tag.",
        )


def _is_blind(query: QueryNode) -> bool:
    conditions: list[Condition] = [Comparison(order.by, ">=", 1) for order in query.order_by]
    conditions += [query.where] if query.where else []
    return not any(_tells(condition) for condition in conditions)


def _tells(condition: Condition) -> bool:
    """Whether a condition is about labels or about what a model said."""
    inner = condition.operand if isinstance(condition, Not) else condition
    if hasattr(inner, "operands"):
        return any(_tells(part) for part in inner.operands)
    if isinstance(inner, Not):
        return _tells(inner)
    operand = getattr(inner, "operand", None)
    if not isinstance(operand, Field):
        return True
    return operand.name in _NOT_FOR_ANNOTATORS or operand.name.startswith("results.")
