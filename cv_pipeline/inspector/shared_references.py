"""What the queries of one project refer to, for many threads, and of that project alone.

One thread asks at a time; a query without a reference never waits here. Somebody with a role in one
project learns nothing of another by naming it in a query.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from cv_pipeline.catalog.datalake.references import Moment, References
from cv_pipeline.errors import ProvenanceError

_PROJECT = re.compile(r"\s*([a-z][a-z0-9_]*)\s*[/@]")


class SharedReferences:
    """References that several threads may ask, within one project.

    Args:
        project: its name.
        references: what is asked, by one thread at a time.
    """

    def __init__(self, project: str, references: References) -> None:
        self._project = project
        self._references = references
        self._lock = threading.Lock()

    def dataset(self, ref: str) -> Path:
        """Folder of a dataset version."""
        with self._lock:
            return self._references.dataset(self._own(ref))

    def predictions(self, ref: str) -> Path:
        """Folder of the newest predictions of a model."""
        with self._lock:
            return self._references.predictions(self._own(ref))

    def evaluation(self, ref: str) -> Path:
        """Folder of the newest evaluation of a model."""
        with self._lock:
            return self._references.evaluation(self._own(ref))

    def folder(self, name: str) -> Path:
        """A folder by its name."""
        with self._lock:
            return self._references.folder(self._own(name))

    def moment(self, text: str) -> Moment:
        """The moment that a text names."""
        with self._lock:
            return self._references.moment(self._own(text))

    def _own(self, ref: str) -> str:
        """The reference, when it is of this project.

        Raises:
            ProvenanceError: it names another.
        """
        named = _PROJECT.match(ref)
        if named is None or named[1] == self._project:
            return ref
        if named[1] not in _SPLITS or "@" in ref:  # a project can be called as a split is
            raise ProvenanceError(
                f"{ref!r} is not of project {self._project}.",
                do="Refer to a version or model of this project.",
            )
        return ref


_SPLITS = ("train", "val", "test")
"""What a metric's name can begin with: ``val/AP50 >= 0.5``."""
