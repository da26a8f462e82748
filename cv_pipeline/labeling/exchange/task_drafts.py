"""Tasks as they are sent to the tool: which image, of which batch, and what to begin with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats.label_studio_results import result_of
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.prelabels.prelabelling import prelabels_for
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses

CHUNK = 250
"""Tasks that are sent at once at most."""
CHUNK_OBJECTS = 5_000
"""Pre-labels that are sent at once, about."""


@dataclass(frozen=True)
class Drafts:
    """Tasks of one batch, ready to be sent.

    Attributes:
        project: name of our project.
        batch: name of the batch.
        start: what the addresses of all images of the batch begin with.
        addresses: signs those of the images.
        sizes: image to its width and height, in pixels.
        model: digest of the model that pre-labels; empty for none.
        prelabels: what it suggests, as ``PRELABELS``, sorted by image.
    """

    project: str
    batch: str
    start: str
    addresses: ImageAddresses
    sizes: Mapping[str, tuple[int, int]]
    model: str
    prelabels: pa.Table

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        batch: str,
        *,
        image_ids: pa.Array,
        model: str,
        start: str,
        addresses: ImageAddresses,
    ) -> Drafts:
        """Tasks for some images of a batch."""
        images = catalog.table("images").read(
            columns=["image_id", "width", "height"],
            filter=one_of("image_id", image_ids.to_pylist()),
        )
        columns = (images[name].to_pylist() for name in images.column_names)
        return cls(
            project=catalog.project,
            batch=batch,
            start=start,
            addresses=addresses,
            sizes={i: (width, height) for i, width, height in zip(*columns, strict=True)},
            model=model,
            prelabels=prelabels_for(catalog, image_ids, model=model if model else ""),
        )

    def chunks(self, image_ids: list[str]) -> Iterator[list[dict[str, Any]]]:
        """The tasks of some images, as many at once as are sent at once."""
        starts = _starts(self.prelabels)
        chunk: list[dict[str, Any]] = []
        objects = 0
        for image_id in image_ids:
            first, count = starts.get(image_id, (0, 0))
            chunk.append(self._draft(image_id, self.prelabels.slice(first, count)))
            objects += count
            if len(chunk) == CHUNK or objects >= CHUNK_OBJECTS:
                yield chunk
                chunk, objects = [], 0
        if chunk:
            yield chunk

    @property
    def prelabelled(self) -> int:
        """Images on which something is suggested."""
        return int(pc.count_distinct(self.prelabels["image_id"]).as_py())

    def address(self, image_id: str) -> str:
        """The address of an image, as annotators' browsers fetch it."""
        return (
            f"{self.start}{image_id}/{self.addresses.signature(self.project, self.batch, image_id)}"
        )

    def _draft(self, image_id: str, suggested: pa.Table) -> dict[str, Any]:
        data = {"image": self.address(image_id), "image_id": image_id, "batch": self.batch}
        if not len(suggested):
            return {"data": data}
        width, height = self.sizes[image_id]
        prediction = {
            "model_version": self.model,
            "score": pc.mean(suggested["score"]).as_py(),
            "result": result_of(suggested, width=width, height=height),
        }
        return {"data": data, "predictions": [prediction]}


def _starts(prelabels: pa.Table) -> dict[str, tuple[int, int]]:
    """Where the rows of each image begin, in a table sorted by image, and how many there are."""
    encoded = prelabels["image_id"].combine_chunks().value_counts()
    found: dict[str, tuple[int, int]] = {}
    place = 0
    for one in encoded.to_pylist():
        found[one["values"]] = (place, one["counts"])
        place += one["counts"]
    return found
