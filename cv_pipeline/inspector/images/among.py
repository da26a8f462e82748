"""Images that a page names as a whole, without naming them one by one in an address.

``errors?truth=lemon&predicted=lime`` is a cell of an evaluation's confusion, ``label-errors`` what
is likely to be labelled wrongly, ``epoch?model=…&epoch=3`` what got worse in an epoch of a
training. However many images it has, all of them are meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.errors import EvaluationError, QueryError, nearest
from cv_pipeline.evaluation.error_analysis.confused import confused, of_cell
from cv_pipeline.evaluation.error_analysis.mistakes import NOTHING, pick_mistakes
from cv_pipeline.inspector.evaluation_page.label_errors import label_errors
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.evaluated import Evaluated
from cv_pipeline.storage.folders import fetch
from cv_pipeline.training.epoch_results import worse_images

ERRORS, LABEL_ERRORS, EPOCH = "errors", "label-errors", "epoch"
_PARTS = {
    ERRORS: {"kind", "truth", "predicted", "split"},
    LABEL_ERRORS: {"issue"},
    EPOCH: {"model", "epoch", "against"},
}


@dataclass(frozen=True)
class Among:
    """Some images by what they have in common.

    Attributes:
        of: errors, label-errors or epoch.
        values: what of them.
    """

    of: str
    values: Mapping[str, str]

    @classmethod
    def read(cls, text: str) -> Among:
        """What the text in an address means.

        Raises:
            QueryError: it means nothing.
        """
        of, _, rest = text.partition("?")
        values = dict(parse_qsl(rest))
        if of not in _PARTS or not _PARTS[of].issuperset(values):
            raise QueryError(
                f"{text[:60]!r} names no images.", do=f"Use one of {', '.join(sorted(_PARTS))}."
            )
        return cls(of, values)

    @property
    def text(self) -> str:
        """The text in an address that means this."""
        rest = urlencode(self.values)
        return f"{self.of}?{rest}" if rest else self.of

    @property
    def words(self) -> str:
        """The same in words."""
        said = self.values
        if self.of == LABEL_ERRORS:
            return f"likely label errors {said.get('issue', '')}".strip().replace("_", " ")
        if self.of == EPOCH:
            since = f" since epoch {said['against']}" if "against" in said else ""
            return f"worse in epoch {said.get('epoch')} of {said.get('model', '')[:8]}{since}"
        truth, called = said.get("truth"), said.get("predicted")
        kind = said.get("kind", "")
        if truth is None and called is None:
            return kind or "errors"
        of = "nothing" if truth == NOTHING else truth or "anything"
        named = "not found" if called == NOTHING else f"called {called or 'anything'}"
        return f"{kind} {of}, {named}".strip()


def image_ids(
    workspace: Workspace, project: str, among: Among, evaluated: Evaluated | None
) -> pa.Array:
    """Ids of the images, each once, in the order in which they are worth looking at.

    Raises:
        QueryError: they are of an evaluation, and none is given.
        EvaluationError: there is no such class, kind or split.
        TrainingError: there is no such epoch.
        ProvenanceError: there is no such model.
    """
    if among.of == EPOCH:
        return _of_epoch(workspace, project, among)
    if evaluated is None:
        raise QueryError(
            f"{among.words.capitalize()} are those of an evaluation, and none is given.",
            do="Open the images from an evaluation.",
        )
    if among.of == LABEL_ERRORS:
        rows = label_errors(workspace, evaluated)
        if "issue" in among.values:
            rows = rows.filter(pc.equal(rows["issue"], among.values["issue"]))
        return _distinct(rows)
    key = ("errors", project, evaluated.evaluation.digest, among.text)
    found: pa.Array = workspace.kept.get(key, lambda: _errors(workspace, evaluated, among.values))
    return found


def _errors(workspace: Workspace, evaluated: Evaluated, which: Mapping[str, str]) -> pa.Array:
    made = evaluated.evaluation
    split = which.get("split", made.record.split)
    truth, predicted, kind = (which.get(name) for name in ("truth", "predicted", "kind"))
    if kind is not None or (truth is None and predicted is None):
        rows = pick_mistakes(made.matches, split=split, kind=kind, truth=truth, predicted=predicted)
        return _distinct(rows)
    known = (*made.record.labels, NOTHING)
    for name in (truth, predicted):
        if name is not None and name not in known:
            raise EvaluationError(f"There is no class {name!r}.", do=nearest(name, known))
    rows = workspace.kept.get(
        ("confused", evaluated.project, made.digest, split),
        lambda: confused(
            made,
            split=split,
            dataset=evaluated.dataset_folder(),
            predictions=evaluated.predictions_folder(),
        ),
    )
    return _distinct(of_cell(rows, truth=truth, predicted=predicted))


def _of_epoch(workspace: Workspace, project: str, among: Among) -> pa.Array:
    said = among.values
    try:
        epoch = int(said["epoch"])
        against = int(said["against"]) if "against" in said else None
        model = said["model"]
    except (KeyError, ValueError) as error:
        raise QueryError(
            f"{among.text[:60]!r} names no epoch of a model.", do="Open it from the model's page."
        ) from error
    with workspace.log() as log:
        event = log.of_version(f"{project}/trained_model", model)
    folder = fetch(
        workspace.store,
        f"projects/{project}/models/{event.version}",
        marker="model.json",
        cache=workspace.cache,
    )
    return _distinct(worse_images(folder, epoch=epoch, against=against))


def _distinct(rows: pa.Table) -> pa.Array:
    return pc.unique(rows["image_id"])
