"""Addresses of the images behind the parts of an evaluation, as queries of the query language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from cv_pipeline.evaluation import Evaluation
from cv_pipeline.inspector.board.alerts import images_address, quoted
from cv_pipeline.provenance.slice_images import within_split

MOST_NAMED = 300
"""Images that a query names one by one at most."""
_PREFIX = 16


class Selections:
    """Makes the addresses of one evaluation.

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
        return images_address(self._project, query, evaluation=self._evaluation.digest, label=label)

    def named(self, image_ids: Sequence[str], *, label: str | None = None) -> str:
        """Some images by their ids."""
        return self.asked(named_images(image_ids), label=label)

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

    @staticmethod
    def _bracketed(condition: str) -> str:
        return f"({condition})" if " or " in condition else condition


def named_images(image_ids: Sequence[str]) -> str:
    """The query that names some images; without one, no image."""
    ids = list(dict.fromkeys(image_ids))[:MOST_NAMED]
    if not ids:
        return "image in ('00000000')"
    return "image in (" + ", ".join(quoted(i[:_PREFIX]) for i in ids) + ")"
