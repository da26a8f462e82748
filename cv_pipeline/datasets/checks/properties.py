"""What is known of an image besides what it shows: metadata, format, brightness and the like."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.statistics import MEASURES

BINS = 16
"""Most bins of a number."""
IMAGES_IN_BIN = 10
"""Least images of a bin, on average."""
VALUES = 1000
"""Values of a key that are told apart; the rarer ones count as one."""
NONE, OTHER = "(none)", "(other)"


@dataclass(frozen=True, eq=False)
class Property:
    """A property of n images, with few distinct values.

    Attributes:
        name: such as ``camera`` or ``image brightness``.
        code: (n,) number of each image's value.
        names: the values, or ranges of them.
        numbers: (n,) the values themselves, of a property that is a number.
    """

    name: str
    code: NDArray[np.int64]
    names: list[str]
    numbers: NDArray[np.float64] | None = None


def image_properties(context: CheckContext, manifest: pa.Table) -> list[Property]:
    """Metadata keys and image properties that are not the same for every image.

    Args:
        context: the candidate.
        manifest: the rows of its manifest to look at.
    """
    found = [*_metadata(context.metadata, manifest), *_file(manifest), *_time(manifest)]
    found += _measures(context.measures, manifest)
    return [p for p in found if (p.code != p.code[:1]).any()]


def _metadata(metadata: pa.Table, manifest: pa.Table) -> list[Property]:
    image_ids = manifest["image_id"].combine_chunks()
    found = []
    for key in sorted(pc.unique(metadata["key"]).to_pylist()):
        rows = metadata.filter(pc.equal(metadata["key"], key))
        at = pc.index_in(image_ids, value_set=rows["image_id"].combine_chunks())
        found.append(of_texts(key, rows["value"].combine_chunks().take(at)))
    return found


def _file(manifest: pa.Table) -> list[Property]:
    texts = [of_texts(f"image {name}", manifest[name]) for name in ("format", "dtype", "bands")]
    width, height = (manifest[name].to_numpy().astype(float) for name in ("width", "height"))
    numbers = {"width": width, "height": height, "proportions": width / height}
    return [*texts, *(of_numbers(f"image {name}", v) for name, v in numbers.items())]


def _time(manifest: pa.Table) -> list[Property]:
    at = manifest["captured_at"]
    return [
        of_texts("capture month", pc.strftime(at, "%Y-%m")),
        of_texts("capture hour", pc.strftime(at, "%H")),
    ]


def _measures(measures: pa.Table, manifest: pa.Table) -> list[Property]:
    known = measures["image_id"].combine_chunks()
    at = pc.index_in(manifest["image_id"], value_set=known)
    return [of_numbers(f"image {n}", measures[n].take(at).to_numpy()) for n in MEASURES]


def of_texts(name: str, values: pa.Array | pa.ChunkedArray) -> Property:
    """A text of each image; null is a value too."""
    values = values.cast(pa.string()).fill_null(NONE)
    counts = sorted(values.value_counts().to_pylist(), key=lambda c: (-c["counts"], c["values"]))
    names = [c["values"] for c in counts[:VALUES]]
    known = pa.array(names, pa.string())
    code = pc.index_in(values, value_set=known).fill_null(len(names)).to_numpy()
    return Property(name, code.astype(np.int64), [*names, OTHER])


def of_numbers(name: str, values: NDArray[np.float64]) -> Property:
    """A number of each image, in bins of equal count."""
    bins = int(np.clip(len(values) // IMAGES_IN_BIN, 2, BINS))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1))) if len(values) else values
    code = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(len(edges) - 2, 0))
    ranges = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    return Property(name, code, ranges or [NONE], values)
