"""Addresses of the images behind the parts of an evaluation, as queries of the query language."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from cv_pipeline.evaluation import Evaluation
from cv_pipeline.inspector.board.alerts import images_address, quoted
from cv_pipeline.inspector.images.among import Among
from cv_pipeline.provenance.slice_images import within_split

_PREFIX = 16


class Selections:
    """Makes the addresses of one evaluation.

    A condition is asked as of the evaluation's dataset version, so that what is labelled or tagged
    anew does not come into the images that were measured.

    Args:
        project: name of the project.
        evaluation: the evaluation.
    """

    def __init__(self, project: str, evaluation: Evaluation) -> None:
        self._project = project
        self._evaluation = evaluation

    def of(self, condition: str | None, *, label: str | None = None) -> str:
        """Images of the headline split that meet a condition, and hold a class."""
        return self.asked(self.condition(condition, label=label), label=label)

    def condition(self, condition: str | None, *, label: str | None = None) -> str:
        """The query for the same."""
        parts = [self._bracketed(condition)] if condition else []
        if label is not None:
            parts.append(f"label = {quoted(label)}")
        return within_split(self._evaluation, " and ".join(parts)) if parts else self._split()

    def asked(self, query: str, *, label: str | None = None) -> str:
        """Images that a query selects, with the predictions of this evaluation."""
        return images_address(
            self._project,
            query,
            evaluation=self._evaluation.digest,
            label=label,
            as_of=None if query == self._split() else self._moment,
        )

    def among(self, among: Among, **more: str | None) -> str:
        """All images that are named as a whole."""
        return images_address(
            self._project,
            "all images",
            evaluation=self._evaluation.digest,
            among=among.text,
            **more,
        )

    def errors(self, **which: Any) -> str:
        """The way to the images of a kind of error, or of a cell of the confusion."""
        kept = {k: v for k, v in which.items() if v is not None}
        return f"/p/{self._project}/evaluations/{self._evaluation.digest}/errors?{urlencode(kept)}"

    def wrong(self, kind: str, *, split: str | None = None, sort: str = "confident") -> str:
        """All images of a split with a kind of error, by default the surest mistakes first."""
        return images_address(
            self._project,
            self._split(split),
            evaluation=self._evaluation.digest,
            kind=kind,
            sort=sort,
        )

    def label_errors(self, issue: str | None = None) -> str:
        """The way to the images whose labels are likely to be wrong."""
        which = f"?{urlencode({'issue': issue})}" if issue else ""
        base = f"/p/{self._project}/evaluations/{self._evaluation.digest}"
        return f"{base}/label-errors{which}"

    def _split(self, split: str | None = None) -> str:
        record = self._evaluation.record
        return f"dataset('{record.dataset[:_PREFIX]}', split = '{split or record.split}')"

    @property
    def _moment(self) -> str:
        return self._evaluation.record.dataset[:_PREFIX]

    @staticmethod
    def _bracketed(condition: str) -> str:
        return f"({condition})" if " or " in condition else condition
