"""Which image goes to which split.

Near-duplicates and images of one group never part, save where an official split parts them; every
class is stratified, the rarest first, so that one which only six images show is still in every
split. The result depends on the images, the rule and its seed alone, and images that are added
later move few others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.components import connected
from cv_pipeline.datasets.stratification import OPEN, ClassUnits, stratify
from cv_pipeline.project import Split, SplitName

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
"""Every split, in the order of the numbers that stand for them."""


@dataclass(frozen=True)
class Shortfall:
    """A class that a split had to be left without.

    Attributes:
        label: the class.
        split: the split that has no image of it.
        units: independent units that show the class, in any split.
    """

    label: str
    split: SplitName
    units: int


@dataclass(frozen=True, eq=False)
class SplitAssignment:
    """The split of each image.

    Attributes:
        splits: (N,) array of ``train``, ``val`` or ``test``.
        units: (N,) smallest row of the independent unit that each image belongs to: near-duplicate
            clusters and groups, joined where they share an image.
        shortfalls: classes that some split has no image of, by class and split.
    """

    splits: pa.Array
    units: NDArray[np.int64]
    shortfalls: tuple[Shortfall, ...]


def assign_splits(
    *,
    image_ids: pa.Array,
    labels: pa.Table,
    clusters: NDArray[np.int64],
    groups: Sequence[pa.Array],
    official: pa.Array,
    rule: Split,
) -> SplitAssignment:
    """Divide images into train, val and test.

    An image with an official split has it, whatever else holds. An open image of a unit that has
    official ones joins them. All other units are shared out among the splits that are not
    official, by their ratios; where every split is official, they are for training.

    Args:
        image_ids: (N,) lower-case hex SHA-256, sorted, each once.
        labels: columns ``image_id`` and ``label``; repeated rows count once.
        clusters: (N,) smallest row of each image's near-duplicate cluster.
        groups: for each group key an (N,) array of its values; null belongs to no group.
        official: (N,) split that the source declares, or null.
        rule: shares of the splits, and the seed.
    """
    units = _units(clusters, groups)
    anchors, unit = np.unique(units, return_inverse=True)
    declared = pc.index_in(official, pa.array(SPLITS)).fill_null(OPEN)
    declared = declared.to_numpy(zero_copy_only=False).astype(np.int64)
    names, classes = _classes(image_ids, labels, unit)
    everything = ClassUnits(np.arange(len(anchors)), np.bincount(unit, minlength=len(anchors)))
    division = stratify(
        classes=[*classes, everything],
        fixed=_official_of_units(declared, unit, len(anchors)),
        shares=_open_shares(declared, rule),
        order=_draw(image_ids.take(pa.array(anchors)), rule.seed),
    )
    split = np.where(declared == OPEN, division[unit], declared)
    return SplitAssignment(
        splits=pa.array(SPLITS).take(pa.array(split)),
        units=units,
        shortfalls=_shortfalls(image_ids, labels, split, names, classes),
    )


def _units(clusters: NDArray[np.int64], groups: Sequence[pa.Array]) -> NDArray[np.int64]:
    """(N,) smallest row of each image's unit."""
    edges = [np.stack([np.arange(len(clusters)), clusters])]
    for values in groups:
        code = pc.dictionary_encode(values).indices.fill_null(OPEN)
        code = code.to_numpy(zero_copy_only=False)
        member = np.flatnonzero(code != OPEN)
        _, first, group = np.unique(code[member], return_index=True, return_inverse=True)
        edges.append(np.stack([member, member[first][group]]))
    i, j = np.concatenate(edges, axis=1)
    return connected(len(clusters), i, j)


def _official_of_units(
    declared: NDArray[np.int64], unit: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """(U,) most frequent official split of each unit, the more protected of equals, or ``OPEN``."""
    rows = np.flatnonzero(declared != OPEN)
    counts = np.zeros((size, len(SPLITS)), np.int64)
    np.add.at(counts, (unit[rows], declared[rows]), 1)
    winner = len(SPLITS) - 1 - np.argmax(counts[:, ::-1], axis=1)
    return np.where(counts.any(axis=1), winner, OPEN)


def _open_shares(declared: NDArray[np.int64], rule: Split) -> NDArray[np.float64]:
    """(3,) share of each split among the images that are still open; they add up to 1."""
    shares = np.array([rule.ratios.get(split, 0.0) for split in SPLITS])
    shares[np.unique(declared[declared != OPEN])] = 0
    if not shares.any():
        shares[0] = 1
    return np.asarray(shares / shares.sum())


def _draw(anchors: pa.Array, seed: int) -> NDArray[np.uint64]:
    """(U,) place of each unit in the order of assignment.

    The first 64 bits of the SHA-256 that names the unit's first image, mixed with the seed by the
    finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014). A unit keeps its place when others come.
    """
    text = pc.utf8_slice_codeunits(anchors, 0, 16).cast(pa.binary(16))
    octets = np.frombuffer(b"".join(text.to_pylist()), np.uint8).reshape(-1, 16)
    digit = np.where(octets < ord("a"), octets - ord("0"), octets - ord("a") + 10)
    pairs = np.ascontiguousarray(digit[:, ::2] << 4 | digit[:, 1::2])
    place = pairs.view(">u8").ravel().astype(np.uint64)
    place += np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        place = (place ^ (place >> np.uint64(shift))) * np.uint64(factor)
    return place


def _classes(
    image_ids: pa.Array, labels: pa.Table, unit: NDArray[np.int64]
) -> tuple[list[str], list[ClassUnits]]:
    """Names of the classes, and the units that show each, with their number of such images."""
    names = pc.unique(labels["label"]).sort()
    row, label = _image_labels(image_ids, labels, names)
    key, images = np.unique(label * (len(unit) + 1) + unit[row], return_counts=True)
    label, unit = np.divmod(key, len(unit) + 1)
    starts = np.searchsorted(label, np.arange(1, len(names)))
    units, weights = np.split(unit, starts), np.split(images, starts)
    classes = [ClassUnits(u, w) for u, w in zip(units, weights, strict=True)][: len(names)]
    return names.to_pylist(), classes


def _image_labels(
    image_ids: pa.Array, labels: pa.Table, names: pa.Array
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row of the image and number of the class, for each class that an image shows, each once."""
    row = pc.index_in(labels["image_id"], image_ids)
    label = pc.index_in(labels["label"], names)
    shown = pc.and_(row.is_valid(), label.is_valid())
    rows = row.filter(shown).to_numpy().astype(np.int64)
    classes = label.filter(shown).to_numpy().astype(np.int64)
    key = np.unique(rows * max(len(names), 1) + classes)
    return np.divmod(key, max(len(names), 1))


def _shortfalls(
    image_ids: pa.Array,
    labels: pa.Table,
    split: NDArray[np.int64],
    names: list[str],
    classes: list[ClassUnits],
) -> tuple[Shortfall, ...]:
    row, label = _image_labels(image_ids, labels, pa.array(names, pa.string()))
    images = np.zeros((len(names), len(SPLITS)), np.int64)
    np.add.at(images, (label, split[row]), 1)
    used = np.bincount(split, minlength=len(SPLITS)) > 0
    return tuple(
        Shortfall(names[c], SPLITS[s], len(classes[c].units))
        for c, s in zip(*np.nonzero((images == 0) & used), strict=True)
    )
