"""What a query may refer to outside the catalogue: dataset versions, models, moments in time.

The catalogue knows tables; which folder a reference such as ``fruit@latest`` means is known to the
record of provenance, which answers through this interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cv_pipeline.catalog.tables import Catalog


@dataclass(frozen=True)
class Moment:
    """A point in the life of a project, as the table versions that were read at it.

    Attributes:
        what: which moment it is, for people: ``fruit/AP50@1a2b3c4d, precision 0.93``.
        table_versions: table to the version that was read; tables that were not are absent.
        dataset: digest of the dataset version that belongs to it; None when none does.
    """

    what: str
    table_versions: Mapping[str, int] = field(default_factory=dict)
    dataset: str | None = None


class References(Protocol):
    """Finds what references mean. Every method raises ``ProvenanceError`` with nearest names.

    A model is ``project@version``, its digest or a prefix; a dataset likewise; ``latest`` stands
    for the newest version. A folder lies where its name says: ``PROJECT/KIND/DIGEST``.
    """

    def dataset(self, ref: str) -> Path:
        """Folder of a dataset version: manifest.parquet, annotations.parquet, dataset.json."""

    def predictions(self, ref: str) -> Path:
        """Folder of the newest predictions of a model: predictions.parquet."""

    def evaluation(self, ref: str) -> Path:
        """Folder of the newest evaluation of a model: per_image.parquet."""

    def folder(self, name: str) -> Path:
        """A folder that a reference led to before, by its name ``PROJECT/KIND/DIGEST``."""

    def moment(self, text: str) -> Moment:
        """The moment that a text names.

        Args:
            text: a dataset reference, a metric (``project/metric@evaluation``), or a condition on
                a metric (``precision >= 0.91``), which means the first evaluation at which it held.
        """


class RecordedReferences:
    """What the record of provenance of a project knows, opened when it is first asked.

    Args:
        catalog: the project's tables.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def dataset(self, ref: str) -> Path:
        """Folder of a dataset version."""
        return self._record.dataset(ref)

    def predictions(self, ref: str) -> Path:
        """Folder of the newest predictions of a model."""
        return self._record.predictions(ref)

    def evaluation(self, ref: str) -> Path:
        """Folder of the newest evaluation of a model."""
        return self._record.evaluation(ref)

    def folder(self, name: str) -> Path:
        """A folder by its name."""
        return self._record.folder(name)

    def moment(self, text: str) -> Moment:
        """The moment that a text names."""
        return self._record.moment(text)

    @cached_property
    def _record(self) -> References:
        from cv_pipeline.provenance.lake_references import LakeReferences

        record: References = LakeReferences(
            project=self._catalog.project, store=self._catalog.store
        )
        return record
