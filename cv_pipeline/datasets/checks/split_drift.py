"""Whether the splits look alike: what is known of their images, and what is on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.checks.context import CheckContext, Shown
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.datasets.checks.properties import Property, image_properties, of_numbers
from cv_pipeline.datasets.splitting.splits import SPLITS

SPLIT_DRIFT = pa.schema(
    [
        # metadata key, image property, objects per image, or label
        pa.field("property", pa.string(), nullable=False),
        # the split that is compared with train
        pa.field("split", pa.string(), nullable=False),
        # population stability index: 0 for equal distributions
        pa.field("psi", pa.float64(), nullable=False),
        # kolmogorov_smirnov (numbers) or chi_square (texts and labels)
        pa.field("test", pa.string(), nullable=False),
        # what the test measures
        pa.field("statistic", pa.float64(), nullable=False),
        # probability of such a statistic by chance, corrected for the number of comparisons
        pa.field("p", pa.float64(), nullable=False),
        # the value, or range of values, whose share differs most
        pa.field("value", pa.string(), nullable=False),
        # its share in train
        pa.field("share_train", pa.float64(), nullable=False),
        # its share in the other split
        pa.field("share_split", pa.float64(), nullable=False),
        # whether the split drifts
        pa.field("found", pa.bool_(), nullable=False),
    ]
)
LABEL, OBJECTS = "label", "objects per image"
CHANCE = 0.01
"""Corrected probability below which a difference is none of chance."""
EXACT = 1000
"""Images of a split up to which the probability is exact: the limit needs many."""
SAMPLE = 200_000
"""Images that are looked at: the first by id, which is a hash."""


def check_split_drift(context: CheckContext, threshold: float) -> Finding:
    """Compare validation and test images with training images, property by property.

    Properties are metadata keys (without those that the split keeps together, which differ by
    intent), image properties, capture times, the number of objects and the classes shown. The
    size of a difference is the population stability index, Σ (p - q) ln(p / q) over the values (at
    most 16 ranges of a number), with half a count added to each; 0.1 to 0.25 is usually called a
    moderate and more a major shift (Siddiqi, *Credit Risk Scorecards*, 2006). Whether it is chance
    is tested by Kolmogorov and Smirnov's test for numbers, and Pearson's χ² for the rest,
    corrected for the number of comparisons after Benjamini and Hochberg (JRSS B 57, 1995). A split
    drifts where the index exceeds the threshold and chance does not explain it. Images that belong
    together are not independent, so that chance explains a little more than the tests say.

    Args:
        context: the candidate.
        threshold: largest index that passes.

    Returns:
        Rows of schema :data:`SPLIT_DRIFT`, one for each property and split, the largest index
        first.
    """
    manifest = context.manifest.slice(0, SAMPLE)
    split = pc.index_in(manifest["split"], pa.array(SPLITS)).to_numpy()
    others = [s for s in (1, 2) if (split == s).any() and (split == 0).any()]
    together = set(context.record.rule.group_by)
    properties = [p for p in image_properties(context, manifest) if p.name not in together]
    properties.append(of_numbers(OBJECTS, manifest["objects"].to_numpy().astype(float)))
    rows_of = [compared(p, split, s) for p in properties for s in others]
    rows_of += _of_labels(context.shown, split, others)
    for row, p in zip(rows_of, corrected([r["p"] for r in rows_of]), strict=True):
        row |= {"p": p, "found": bool(row["psi"] > threshold and p < CHANCE)}
    rows = pa.Table.from_pylist(rows_of, schema=SPLIT_DRIFT)
    rows = rows.sort_by([("psi", "descending"), ("property", "ascending"), ("split", "ascending")])
    found = rows.filter(rows["found"])
    metrics = {
        "comparisons": len(rows),
        "drifts": len(found),
        "largest_psi": max(rows["psi"].to_pylist(), default=0.0),
    }
    return Finding(not len(found), _summary(found, len(rows)), metrics, rows)


def _summary(found: pa.Table, comparisons: int) -> str:
    looked = counted(comparisons, "comparison")
    if not len(found):
        return f"Validation and test images look like training images in {looked}."
    told = [
        f"{r['property']} in {r['split']} (index {r['psi']:.2f}; {r['value']} is"
        f" {r['share_split']:.0%} of it and {r['share_train']:.0%} of train)"
        for r in found.slice(0, 3).to_pylist()
    ]
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return f"{len(found):,} of {looked} with train show drift: {'; '.join(told)}{more}."


def compared(values: Property, split: NDArray[np.int64], other: int) -> dict[str, Any]:
    """One comparison of a property of the images of split 0 with those of another split.

    Args:
        values: of n images.
        split: (n,) the split of each.
        other: the split to compare with.

    Returns:
        The columns of schema :data:`SPLIT_DRIFT` but for found; p is not corrected.
    """
    counts = np.stack(
        [np.bincount(values.code[split == s], minlength=len(values.names)) for s in (0, other)]
    )
    if values.numbers is None:
        return _row(values.name, other, counts, values.names)
    from scipy.stats import ks_2samp

    train, held_out = values.numbers[split == 0], values.numbers[split == other]
    method = "exact" if max(len(train), len(held_out)) <= EXACT else "asymp"
    tested = ks_2samp(train, held_out, method=method)
    row = _row(values.name, other, counts, values.names)
    p = 1.0 if np.isnan(tested.pvalue) else tested.pvalue  # one image each tells nothing
    row |= {"test": "kolmogorov_smirnov", "statistic": tested.statistic, "p": p}
    return row


def _of_labels(shown: Shown, split: NDArray[np.int64], others: list[int]) -> list[dict[str, Any]]:
    """Images that show each class, by split."""
    inside = shown.image < len(split)
    names = shown.names
    counts = np.zeros((len(SPLITS), len(names)), np.int64)
    np.add.at(counts, (split[shown.image[inside]], shown.label[inside]), 1)
    return [_row(LABEL, s, counts[[0, s]], names.to_pylist()) for s in others if len(names)]


def _row(name: str, other: int, counts: NDArray[np.int64], values: list[str]) -> dict[str, Any]:
    """One comparison of two rows of counts, by χ²."""
    from scipy.stats import chi2_contingency

    some = np.flatnonzero(counts.any(axis=0))
    counts, values = counts[:, some], [values[n] for n in some]
    train, split = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    terms = (split - train) * np.log(split / train)
    furthest = int(np.argmax(terms)) if len(terms) else 0
    several = counts.shape[1] > 1 and counts.any(axis=1).all()
    tested = chi2_contingency(counts) if several else None
    return {
        "property": name,
        "split": SPLITS[other],
        "psi": float(terms.sum()),
        "test": "chi_square",
        "statistic": float(tested.statistic) if tested else 0.0,
        "p": float(tested.pvalue) if tested else 1.0,
        "value": values[furthest],
        "share_train": float(shares[0, furthest]),
        "share_split": float(shares[1, furthest]),
    }


def corrected(p: list[float]) -> list[float]:
    """Probabilities corrected for their number, after Benjamini and Hochberg."""
    from scipy.stats import false_discovery_control

    return [float(x) for x in false_discovery_control(p)] if p else []
