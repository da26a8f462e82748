"""Which image goes to which split, and to which fold of a cross-validation.

Near-duplicates and images of one group never part, save where an official split parts them. By
strategy ``stratified`` every class has its share of every split, the rarest first, so that one
which only six images show is still in each; by ``time`` the oldest are trained on. The result
depends on the images, what earlier versions gave them, the rule and its seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.splitting.bonds import OPEN, Bonds
from cv_pipeline.datasets.splitting.inheritance import inherit
from cv_pipeline.datasets.splitting.stratification import ClassUnits, stratify
from cv_pipeline.datasets.splitting.time_order import UNKNOWN, divide_by_time
from cv_pipeline.distinct import distinct
from cv_pipeline.project import Split, SplitName

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
"""Every split, in the order of the numbers that stand for them."""
FILLED_FIRST = (1, 2, 0)
"""The order in which splits take units: what cannot be tested cannot be trusted."""
TEST = SPLITS.index("test")


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
class Places:
    """Where N images must go; ``OPEN`` where they need not go anywhere.

    Attributes:
        split: (N,) number of the split: official, kept from an earlier version, or taken from
            an image that it belongs to.
        fold: (N,) fold, kept or taken likewise.
        official: (N,) whether the source declares the split.
        kept: (N,) whether an earlier version gave it.
    """

    split: NDArray[np.int64]
    fold: NDArray[np.int64]
    official: NDArray[np.bool_]
    kept: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> Places:
        """Those of some images."""
        return Places(self.split[rows], self.fold[rows], self.official[rows], self.kept[rows])


@dataclass(frozen=True, eq=False)
class SplitAssignment:
    """The split of each image.

    Attributes:
        splits: (N,) array of ``train``, ``val`` or ``test``.
        folds: (N,) int32 array: fold from 1, or 0 for images that are only ever trained on; null
            for test images, and for all where the rule has no folds.
        units: (N,) smallest row of the independent unit that each image belongs to: near-duplicate
            clusters and groups, joined where they share an image.
        shortfalls: classes that some split has no image of, by class and split.
    """

    splits: pa.Array
    folds: pa.Array
    units: NDArray[np.int64]
    shortfalls: tuple[Shortfall, ...]


def places_of(
    *,
    official: pa.Array | pa.ChunkedArray,
    kept: pa.Array | pa.ChunkedArray,
    kept_folds: pa.Array | pa.ChunkedArray,
    bonds: Bonds,
) -> tuple[Places, NDArray[np.bool_]]:
    """Where images must go, and those that cannot go anywhere.

    An official split counts for more than a kept one: whoever declares it asks for it. Open images
    take the split, and the fold, of those that they belong to; see
    :func:`cv_pipeline.datasets.splitting.inheritance.inherit`.

    Args:
        official: (N,) split that the source declares, or null.
        kept: (N,) split that an earlier version gave, or null.
        kept_folds: (N,) fold likewise.
        bonds: what belongs together.

    Returns:
        The places, and (N,) whether an image belongs to images of two splits or folds, so that it
        would leak in either.
    """
    declared, earlier = (
        pc.index_in(given, pa.array(SPLITS)).fill_null(OPEN).to_numpy(zero_copy_only=False)
        for given in (official, kept)
    )
    given = np.where(declared != OPEN, declared, earlier).astype(np.int64)
    folds = kept_folds.fill_null(OPEN).to_numpy(zero_copy_only=False).astype(np.int64)
    splits = inherit(given, bonds)
    folds[splits.left_out | (splits.values == TEST)] = OPEN
    of_folds = inherit(folds, bonds.among(~splits.left_out & (splits.values != TEST)))
    places = Places(splits.values, of_folds.values, declared != OPEN, earlier != OPEN)
    return places, splits.left_out | of_folds.left_out


def assign_splits(
    *,
    image_ids: pa.Array,
    labels: pa.Table,
    captured_at: pa.Array | pa.ChunkedArray,
    bonds: Bonds,
    places: Places,
    rule: Split,
) -> SplitAssignment:
    """Divide images into train, val and test, and into folds where the rule asks for them.

    An image whose place is given has it, whatever else holds. All other units are shared out among
    the splits that are not official, by their ratios; where every split is official, they are for
    training. Units without a capture time are for training when they are divided by time.

    Folds divide the images that are not for testing. By strategy ``stratified`` they are K equal
    parts, 1 to K. By ``time`` they are K + 1 consecutive ones, 0 to K, of which each is validated
    on after training on those before it (forward chaining, as scikit-learn's TimeSeriesSplit);
    part 0 is only ever trained on.

    Args:
        image_ids: (N,) lower-case hex SHA-256, sorted, each once.
        labels: columns ``image_id`` and ``label``; repeated rows count once.
        captured_at: (N,) capture times, UTC, or null.
        bonds: what belongs together.
        places: where images must go.
        rule: strategy, shares of the splits, folds, and the seed.
    """
    units = bonds.units()
    anchors, unit = np.unique(units, return_inverse=True)
    dated = captured_at.cast(pa.int64()).fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
    names, shown = _shown(image_ids, labels)
    images = _Images(
        unit=unit,
        shown=shown,
        classes=len(names),
        captured_at=dated,
        kept=places.kept & ~places.official,
        order=_draw(image_ids.take(pa.array(anchors)), rule.seed),
    )
    everywhere = np.ones(len(unit), bool)
    shares = _open_shares(places, rule)
    division = images.divide(rule, places.split, shares, FILLED_FIRST, among=everywhere)
    split = np.where(places.split == OPEN, division, places.split)
    fold = np.full(len(unit), OPEN)
    if rule.folds:
        parts = rule.folds + 1
        equal = np.ones(parts)
        equal[0] = rule.strategy == "time"
        division = images.divide(
            rule, places.fold, equal / equal.sum(), range(parts), among=split != TEST
        )
        fold = np.where((places.fold == OPEN) & (split != TEST), division, places.fold)
        fold[split == TEST] = OPEN
    return SplitAssignment(
        splits=pa.array(SPLITS).take(pa.array(split)),
        folds=pa.array(fold, pa.int32(), mask=fold == OPEN),
        units=units,
        shortfalls=_shortfalls(names, shown, split, unit),
    )


@dataclass(frozen=True, eq=False)
class _Images:
    """N images in U units, with all that a division looks at.

    Attributes:
        unit: (N,) unit of each image.
        shown: (2, P) image and class, for each class that an image shows, each once.
        classes: number of classes.
        captured_at: (N,) microseconds, or ``UNKNOWN``.
        kept: (N,) whether an earlier version gave the split or fold.
        order: (U,) the lower, the earlier a unit is assigned.
    """

    unit: NDArray[np.int64]
    shown: NDArray[np.int64]
    classes: int
    captured_at: NDArray[np.int64]
    kept: NDArray[np.bool_]
    order: NDArray[np.uint64]

    def divide(
        self,
        rule: Split,
        fixed: NDArray[np.int64],
        shares: NDArray[np.float64],
        filled_first: Sequence[int],
        *,
        among: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """(N,) part of each image, where units are divided; ``OPEN`` outside ``among``."""
        size = len(self.order)
        weights = np.bincount(self.unit[among], minlength=size)
        of_units = _part_of_units(np.where(among, fixed, OPEN), self.unit, size)
        if rule.strategy == "time":
            part = divide_by_time(
                latest=self._latest(among),
                weights=weights,
                shares=list(shares),
                fixed=of_units,
                known=self._latest(among & self.kept & (fixed != OPEN)),
                order=self.order,
            )
        else:
            everything = ClassUnits(np.flatnonzero(weights), weights[weights > 0])
            part = stratify(
                classes=[*self._units_of_classes(among), everything],
                fixed=of_units,
                shares=shares,
                order=self.order,
                filled_first=filled_first,
            )
        return np.where(among, part[self.unit], OPEN)

    def _latest(self, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(U,) time of the newest of some images of each unit."""
        latest = np.full(len(self.order), UNKNOWN)
        np.maximum.at(latest, self.unit[among], self.captured_at[among])
        return latest

    def _units_of_classes(self, among: NDArray[np.bool_]) -> list[ClassUnits]:
        """The units that show each class, with their number of such images."""
        row, label = self.shown[:, among[self.shown[0]]]
        size = len(self.order) + 1
        key, images = np.unique(label * size + self.unit[row], return_counts=True)
        label, unit = np.divmod(key, size)
        starts = np.searchsorted(label, np.arange(1, self.classes))
        units, weights = np.split(unit, starts), np.split(images, starts)
        pairs = zip(units, weights, strict=True)
        return [ClassUnits(u, w) for u, w in pairs][: self.classes]


def _part_of_units(
    fixed: NDArray[np.int64], unit: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """(U,) most frequent fixed part of each unit, the greater of equals, or ``OPEN``."""
    rows = np.flatnonzero(fixed != OPEN)
    parts = int(fixed.max(initial=0)) + 1
    counts = np.zeros((size, parts), np.int64)
    np.add.at(counts, (unit[rows], fixed[rows]), 1)
    winner = parts - 1 - np.argmax(counts[:, ::-1], axis=1)
    return np.where(counts.any(axis=1), winner, OPEN)


def _open_shares(places: Places, rule: Split) -> NDArray[np.float64]:
    """(3,) share of each split among the images that are still open; they add up to 1."""
    shares = np.array([rule.ratios.get(split, 0.0) for split in SPLITS])
    shares[places.split[places.official]] = 0
    if not shares.any():
        shares[0] = 1
    return np.asarray(shares / shares.sum())


def _draw(anchors: pa.Array, seed: int) -> NDArray[np.uint64]:
    """(U,) place of each unit in the order of assignment.

    The first 64 bits of the SHA-256 that names the unit's first image, mixed with the seed by the
    finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014). A unit keeps its place when others come.
    """
    text = pc.utf8_slice_codeunits(anchors, 0, 16)
    octets = np.frombuffer(b"".join(text.cast(pa.binary()).to_pylist()), np.uint8).reshape(-1, 16)
    digit = np.where(octets < ord("a"), octets - ord("0"), octets - ord("a") + 10)
    pairs = np.ascontiguousarray(digit[:, ::2] << 4 | digit[:, 1::2])
    place = pairs.view(">u8").ravel().astype(np.uint64)
    place += np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        place = (place ^ (place >> np.uint64(shift))) * np.uint64(factor)
    return place


def _shown(image_ids: pa.Array, labels: pa.Table) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the classes; and (2, P) image and class, for each class that an image shows."""
    names = pc.unique(labels["label"]).drop_null().sort()
    row = pc.index_in(labels["image_id"], image_ids)
    label = pc.index_in(labels["label"], names)
    known = pc.and_(row.is_valid(), label.is_valid())
    rows = row.filter(known).to_numpy().astype(np.int64)
    classes = label.filter(known).to_numpy().astype(np.int64)
    count = max(len(names), 1)
    return names.to_pylist(), np.stack(np.divmod(distinct(rows * count + classes), count))


def _shortfalls(
    names: list[str], shown: NDArray[np.int64], split: NDArray[np.int64], unit: NDArray[np.int64]
) -> tuple[Shortfall, ...]:
    row, label = shown
    images = np.zeros((len(names), len(SPLITS)), np.int64)
    np.add.at(images, (label, split[row]), 1)
    pairs = distinct(label * (len(unit) + 1) + unit[row])
    units = np.bincount(pairs // (len(unit) + 1), minlength=len(names))
    used = np.bincount(split, minlength=len(SPLITS)) > 0
    return tuple(
        Shortfall(names[c], SPLITS[s], int(units[c]))
        for c, s in zip(*np.nonzero((images == 0) & used), strict=True)
    )
