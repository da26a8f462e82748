"""References that mean what they meant when a query was asked, wherever ``latest`` is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cv_pipeline.catalog.datalake.references import Moment, References


class PinnedReferences:
    """Follows references, and remembers the folder that each led to.

    Args:
        references: knows what a reference means now.
        pins: what references meant before, as :attr:`pins` of then told it; these are not asked
            anew.

    Attributes:
        pins: reference (``dataset fruit@latest``) to the folder that it means
            (``fruit/datasets/DIGEST``), of all that were followed.
    """

    def __init__(self, references: References, pins: Mapping[str, str] | None = None) -> None:
        self._references = references
        self.pins = dict(pins or {})

    def dataset(self, ref: str) -> Path:
        """Folder of a dataset version."""
        return self._follow("dataset", ref, self._references.dataset)

    def predictions(self, ref: str) -> Path:
        """Folder of the newest predictions of a model, or of those that were."""
        return self._follow("predictions", ref, self._references.predictions)

    def evaluation(self, ref: str) -> Path:
        """Folder of the newest evaluation of a model, or of that which was."""
        return self._follow("evaluation", ref, self._references.evaluation)

    def folder(self, name: str) -> Path:
        """A folder by its name."""
        return self._references.folder(name)

    def moment(self, text: str) -> Moment:
        """The moment that a text names."""
        return self._references.moment(text)

    def _follow(self, kind: str, ref: str, find: Callable[[str], Path]) -> Path:
        key = f"{kind} {ref}"
        if key in self.pins:
            return self.folder(self.pins[key])
        found = find(ref)
        self.pins[key] = "/".join(found.parts[-3:])
        return found
