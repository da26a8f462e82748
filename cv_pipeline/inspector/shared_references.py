"""What queries refer to, for many threads: one asks at a time.

A query without a reference never waits here.
"""

from __future__ import annotations

import threading
from pathlib import Path

from cv_pipeline.catalog.datalake.references import Moment, References


class SharedReferences:
    """References that several threads may ask.

    Args:
        references: what is asked, by one thread at a time.
    """

    def __init__(self, references: References) -> None:
        self._references = references
        self._lock = threading.Lock()

    def dataset(self, ref: str) -> Path:
        """Folder of a dataset version."""
        with self._lock:
            return self._references.dataset(ref)

    def predictions(self, ref: str) -> Path:
        """Folder of the newest predictions of a model."""
        with self._lock:
            return self._references.predictions(ref)

    def evaluation(self, ref: str) -> Path:
        """Folder of the newest evaluation of a model."""
        with self._lock:
            return self._references.evaluation(ref)

    def folder(self, name: str) -> Path:
        """A folder by its name."""
        with self._lock:
            return self._references.folder(name)

    def moment(self, text: str) -> Moment:
        """The moment that a text names."""
        with self._lock:
            return self._references.moment(text)
