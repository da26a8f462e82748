"""The worst slices among all values and pairs of values, beside a plain pandas loop.

python benchmarks/slice_finding.py [--images N] [--columns N] [--pairs N]

Half of the columns are texts of 2 to 8 values, half numbers that are divided into 5 ranges; every
image has one label out of three. Four slices are bad: one value, one value for one class, a range
of a number, and a pair of values neither of which is bad elsewhere. What is timed is all from the
columns to the sentences. pandas groups by the same codes of --pairs pairs of columns and sums what
was found, without any interval or test; its time for all pairs is that of those, multiplied.
"""

from __future__ import annotations

import argparse
import platform
import resource
import sys
import time
from importlib.metadata import version
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from cv_pipeline.evaluation.slicing.facts import Fact

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path

LABELS = ("apple", "orange", "tomato")
SEED = 0


def main() -> None:
    """Time both sides and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=20)
    given = parser.parse_args()

    from cv_pipeline.catalog.query.nodes import Field
    from cv_pipeline.catalog.schemas.matches import MATCHES
    from cv_pipeline.evaluation.measure import Counts
    from cv_pipeline.evaluation.slicing.facts import of_column
    from cv_pipeline.evaluation.slicing.finder import Setting, find_slices

    print(f"{platform.platform()}, Python {platform.python_version()}, {_cores()} cores")
    print(", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "pyarrow", "pandas")))
    print(f"{given.images:,} images, {given.columns} columns, seed {SEED}")
    rng = np.random.default_rng(SEED)
    columns = [_column(rng, n, given.images) for n in range(given.columns)]
    label = rng.integers(0, len(LABELS), given.images)
    found = (rng.random(given.images) < _rates(columns, label)).astype(np.int64)
    image = np.arange(given.images)
    # the class of what was called otherwise is the next one
    said = np.where(found == 1, label, (label + 1) % len(LABELS))
    counts = Counts.of(
        objects=(image, label), predicted=(image, said), right=found == 1, labels=len(LABELS)
    )
    matches = pa.schema([("image", pa.int64()), *list(MATCHES)[2:]]).empty_table()

    began = time.perf_counter()
    made = [
        of_column(f"column {n}", pa.array(values), Field("metadata", key=f"column {n}"), least=50)
        for n, values in enumerate(columns)
    ]
    facts = [fact for fact in made if fact is not None]
    prepared = time.perf_counter()
    setting = Setting(
        split="test",
        image_ids=pa.array(np.char.zfill(image.astype(str), 64)),
        counts=counts,
        labels=LABELS,
        overall="accuracy",
        least=50,
        matches=matches,
    )
    began += time.perf_counter() - prepared  # making ids is no part of it
    worst = find_slices(setting, facts)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    slices = sum(len(f.values) for f in facts)
    slices += sum(len(a.values) * len(b.values) for a, b in combinations(facts, 2))
    print(f"\n{slices:,} slices for {len(LABELS) + 1} classes: {seconds:.1f} s, peak {peak:.1f} GB")
    for sentence in worst["sentence"].to_pylist():
        print(f"  {sentence}")
    _pandas(facts, label, found, given.pairs)


def _column(rng: np.random.Generator, n: int, images: int) -> np.ndarray:
    if n % 2:
        return np.round(rng.gamma(2.0, 1.0, images), 6)
    return rng.choice(list("abcdefgh")[: 2 + n // 2 % 7], images)


def _rates(columns: list[np.ndarray], label: np.ndarray) -> np.ndarray:
    """The probability that an image is called right."""
    rate = np.full(len(label), 0.9)
    rate[columns[4] == "b"] -= 0.05
    rate[(columns[6] == "c") & (label == 2)] -= 0.3
    rate[columns[1] > np.quantile(columns[1], 0.8)] -= 0.04
    rate[(columns[8] == "a") & (columns[10] == "b")] -= 0.2
    return rate


def _pandas(facts: list[Fact], label: np.ndarray, found: np.ndarray, pairs: int) -> None:
    import pandas as pd

    frame = pd.DataFrame({str(n): fact.codes for n, fact in enumerate(facts)})
    frame["label"], frame["found"] = label, found
    every = len(facts) * (len(facts) - 1) // 2
    began = time.perf_counter()
    for a, b in islice(combinations(range(len(facts)), 2), pairs):
        frame.groupby([str(a), str(b), "label"])["found"].agg(["sum", "count"])
        frame.groupby([str(a), str(b)])["found"].agg(["sum", "count"])
    seconds = time.perf_counter() - began
    print(
        f"\npandas groupby: {pairs} of {every:,} pairs in {seconds:.1f} s, so all in about"
        f" {seconds / pairs * every:.0f} s, without intervals and tests"
    )


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
