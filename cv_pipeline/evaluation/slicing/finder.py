"""The worst slices of a split, found without being told where to look.

Every slice that is told is worse than the images outside of it after correction for all that were
looked at, and none is told that another one explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.worst_slices import WORST_SLICES
from cv_pipeline.evaluation.measure import LEVEL, Counts
from cv_pipeline.evaluation.slicing.facts import Fact, ids_condition
from cv_pipeline.evaluation.slicing.ratios import Sums, Terms, ratio_terms
from cv_pipeline.evaluation.slicing.search import Candidates, search
from cv_pipeline.evaluation.slicing.statistics import compare, corrected
from cv_pipeline.evaluation.slicing.words import slice_words, worse_words

MOST = 20
"""Slices that are told."""
_LOOKED_AT = 200
"""Candidates that are compared with those told before them, the best first."""
_IDS = 1000
"""Images up to which a slice without a condition is given as a list of them."""


@dataclass(frozen=True, eq=False)
class Setting:
    """The split that slices are looked for in.

    Attributes:
        split: its name.
        image_ids: its images, in the order of ``counts``.
        counts: objects, found and predicted.
        labels: classes.
        overall: what recall over all classes is called: ``recall``, or ``accuracy`` where every
            image has one label.
        least: images below which a slice is not looked at.
        matches: schema MATCHES with the column image (index) in place of image_id and split.
    """

    split: str
    image_ids: pa.Array
    counts: Counts
    labels: tuple[str, ...]
    overall: str
    least: int
    matches: pa.Table


def find_slices(setting: Setting, facts: Sequence[Fact], *, most: int = MOST) -> pa.Table:
    """Find the slices that are worst, for all classes and for each.

    - Looked at is every value and pair of values of all facts, on at least ``least`` images that
      hold the class, by recall: the share of the objects that were found.
    - A slice is a candidate when it is worse than all other images with a corrected probability
      of at most 0.05 (:func:`compare`, then Benjamini and Hochberg's correction for all slices and
      classes that were looked at).
    - A pair stays a candidate when it is worse than what is left of both of its values without it,
      corrected likewise for all pairs so compared.
    - Candidates are ranked by shortfall × √objects: the least distance to the rest that is
      compatible with chance, and the number of objects that it is about. Of slices of one cause,
      the one that fits it best so comes first.
    - From the first on, a candidate is told when what is left of it without all that was told
      before is still worse than the rest, by the probability that made candidates; for a pair,
      worse than what is left of its values.

    Args:
        setting: the split.
        facts: what is known of its images.
        most: at most so many slices.

    Returns:
        Schema WORST_SLICES, the worst first.
    """
    terms = ratio_terms(
        setting.counts, "recall", images=len(setting.image_ids), labels=len(setting.labels)
    )
    found = search(terms, facts, least=setting.least)
    adjusted = corrected(found.compared.p_value, tests=max(found.tests, 1))
    score = found.compared.shortfall * np.sqrt(found.sums.y)
    kept = np.flatnonzero((adjusted <= LEVEL) & (score > 0))
    kept = kept[_worse_than_parents(found.take(kept), terms, facts)]
    kept = kept[np.argsort(-score[kept], kind="stable")]
    limit = float(found.compared.p_value[kept].max(initial=0.0))
    told = _told(found.take(kept[:_LOOKED_AT]), terms, facts, setting, most, limit)
    rows = [
        _row(setting, facts, found, int(kept[n]), adjusted, score) | {"rank": rank}
        for rank, n in enumerate(told, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=WORST_SLICES)


def _worse_than_parents(
    found: Candidates, terms: Terms, facts: Sequence[Fact]
) -> NDArray[np.bool_]:
    """Of single values all; of pairs, those that are worse than both values without them."""
    pairs = np.flatnonzero(found.second >= 0)
    kept = np.ones(len(found), dtype=bool)
    if not len(pairs):
        return kept
    p_value = np.zeros(len(pairs))
    for side, values in ((found.first, found.first_value), (found.second, found.second_value)):
        for fact in np.unique(side[pairs]):
            rows = np.flatnonzero(side[pairs] == fact)
            at = pairs[rows]
            codes = terms.of_rows(facts[fact].codes)
            sums = terms.sums(codes, len(facts[fact].values) + 1)
            part = found.sums[at]
            against = compare(part, sums[values[at], found.label[at]] - part)
            p = np.where(against.difference < 0, against.p_value, 1.0)
            p_value[rows] = np.maximum(p_value[rows], np.nan_to_num(p, nan=1.0))
    kept[pairs] = corrected(p_value) <= LEVEL
    return kept


def _told(
    found: Candidates,
    terms: Terms,
    facts: Sequence[Fact],
    setting: Setting,
    most: int,
    limit: float,
) -> list[int]:
    """The candidates that those before them do not explain."""
    rows = _ClassRows(terms, len(setting.image_ids))
    told: list[tuple[int, NDArray[np.bool_]]] = []
    for n in range(len(found)):
        if len(told) == most:
            break
        label = int(found.label[n])
        values = found.values(n)
        sides = [rows.where(facts[fact].codes == value, label) for fact, value in values]
        inside = np.logical_and.reduce(sides)
        before = np.zeros(len(rows), dtype=bool)
        for earlier, its_rows in told:
            # that a value is bad does not explain why a pair of it is worse still
            if not _is_parent(found, earlier, n, terms.labels):
                before |= its_rows
        if (inside & before).any():
            left = inside & ~before
            part = rows.sums(left)
            # a class that is explained away on one side counts on neither: classes differ
            same = rows.of_classes(left) & ~inside & ~before
            against = sides if len(sides) > 1 else [rows.where(None, label)]
            rests = [rows.sums(side & same) for side in against]
            if part.images < setting.least or not all(_worse(part, r, limit) for r in rests):
                continue
        told.append((n, inside))
    return [n for n, _ in told]


def _is_parent(found: Candidates, earlier: int, pair: int, all_classes: int) -> bool:
    """Whether a slice is one by a value of a pair, for the pair's class or for all."""
    values, of_pair = found.values(earlier), found.values(pair)
    of_class = found.label[earlier] in (found.label[pair], all_classes)
    return bool(of_class and len(values) < len(of_pair) and values[0] in of_pair)


class _ClassRows:
    """The rows of single classes, and which of them are in a slice."""

    def __init__(self, terms: Terms, images: int) -> None:
        rows = np.flatnonzero(terms.label < terms.labels)
        self._image, self._label = terms.image[rows], terms.label[rows]
        self._x, self._y = terms.x[rows], terms.y[rows]
        self._images, self._all = images, terms.labels

    def __len__(self) -> int:
        return len(self._image)

    def where(self, images: NDArray[np.bool_] | None, label: int) -> NDArray[np.bool_]:
        """(rows,) mask of a class, or of all, on some of the images or on all."""
        inside = np.ones(len(self), dtype=bool) if images is None else images[self._image]
        return inside if label == self._all else inside & (self._label == label)

    def of_classes(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(rows,) mask of the classes that some rows have."""
        there = np.zeros(self._all, dtype=bool)
        there[self._label[mask]] = True
        found: NDArray[np.bool_] = there[self._label]
        return found

    def sums(self, mask: NDArray[np.bool_]) -> Sums:
        """Sums over the images of the rows of a mask."""
        image = self._image[mask]
        x, y = (
            np.bincount(image, weights=v[mask], minlength=self._images).astype(np.float64)
            for v in (self._x, self._y)
        )
        return Sums.of(x, y)


def _worse(part: Sums, rest: Sums, limit: float) -> bool:
    compared = compare(part, rest)
    return bool((compared.difference < 0) & (compared.p_value <= limit))


def _row(
    setting: Setting,
    facts: Sequence[Fact],
    found: Candidates,
    n: int,
    adjusted: NDArray[np.float64],
    score: NDArray[np.float64],
) -> dict[str, Any]:
    sums, compared = found.sums[n], found.compared[n]
    places = found.values(n)
    chosen = [(facts[fact], facts[fact].values[value]) for fact, value in places]
    inside = np.logical_and.reduce([facts[fact].codes == value for fact, value in places])
    label = None
    if found.label[n] < len(setting.labels):
        label = setting.labels[int(found.label[n])]
    objects, missed = round(float(sums.y)), round(float(sums.y - sums.x))
    taken_for, count = _taken_for(setting.matches, inside, label)
    metric = "recall" if label is not None else setting.overall
    second = chosen[1] if len(chosen) > 1 else None
    numbers: dict[str, Any] = {
        "metric": metric,
        "value": float(compared.value),
        "rest": float(compared.rest),
        "objects": objects,
        "images": int(sums.images),
        "adjusted_p": float(adjusted[n]),
        "missed": missed,
        "taken_for": taken_for,
        "taken_for_count": count,
    }
    what = slice_words([value.words for _, value in chosen], label)
    return {
        **numbers,
        "split": setting.split,
        "slice_key": chosen[0][0].name,
        "slice_value": chosen[0][1].text,
        "second_key": second[0].name if second else None,
        "second_value": second[1].text if second else None,
        "label": label,
        "low": float(compared.low),
        "high": float(compared.high),
        "difference": float(compared.difference),
        "shortfall": float(compared.shortfall),
        "p_value": float(compared.p_value),
        "score": float(score[n]),
        "query": _query([value.query for _, value in chosen], setting.image_ids, inside),
        "sentence": worse_words(what, **numbers),
    }


def _query(parts: list[str], image_ids: pa.Array, inside: NDArray[np.bool_]) -> str | None:
    """The condition that selects the images; null where it would name too many of them."""
    if all(parts):
        return " and ".join(f"({p})" if " or " in p else p for p in parts)
    if inside.sum() > _IDS:
        return None
    return ids_condition(image_ids.filter(pa.array(inside)).to_pylist())


def _taken_for(
    matches: pa.Table, inside: NDArray[np.bool_], label: str | None
) -> tuple[str | None, int]:
    """What the missed objects of a class were most often called, and how many of them.

    Args:
        matches: schema MATCHES with the column image in place of image_id and split.
        inside: (images,) mask of the slice.
        label: the class; for None nothing is said.
    """
    if label is None:
        return None, 0
    of_class = pc.fill_null(pc.equal(matches["truth"], label), False)
    rows = matches.filter(pc.and_(pa.array(inside[matches["image"].to_numpy()]), of_class))
    found = rows.filter(pc.equal(rows["kind"], "correct"))["annotation_id"].drop_null()
    called = pc.fill_null(pc.not_equal(rows["predicted"], label), False)
    missed = pc.invert(pc.is_in(rows["annotation_id"], value_set=found.combine_chunks()))
    wrong = rows.filter(pc.and_(called, missed))
    # an object that was called several things counts as the first; classification has no objects
    object_of = wrong["annotation_id"].fill_null("").combine_chunks().dictionary_encode()
    key = np.stack([wrong["image"].to_numpy(), object_of.indices.to_numpy()])
    first = np.unique(key, axis=1, return_index=True)[1]
    names = wrong["predicted"].take(pa.array(first)).value_counts().to_pylist()
    if not names:
        return None, 0
    most = min(names, key=lambda n: (-n["counts"], n["values"]))
    return most["values"], int(most["counts"])
