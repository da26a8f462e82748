from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.evaluation.measure import Counts
from cv_pipeline.evaluation.slicing.ratios import Sums, ratio_terms

# image, class, objects, found, predicted
ROWS = np.array(
    [
        (0, 0, 2, 1, 1),
        (0, 1, 1, 1, 3),
        (1, 1, 0, 0, 1),
        (3, 0, 3, 3, 4),
    ]
)
COUNTS = Counts(*ROWS.T)


def plain(sums: Sums) -> dict[str, float]:
    return {name: float(number) for name, number in vars(sums).items()}


@pytest.mark.parametrize(
    ("metric", "x", "y"),
    [
        # by class, and all together
        ("recall", [4, 1, 5], [5, 1, 6]),
        ("precision", [4, 1, 5], [5, 4, 9]),
        ("f1", [4, 1, 5], [5, 2.5, 7.5]),
        ("accuracy", [0, 0, 5], [0, 0, 4]),
    ],
)
def test_ratios_of_the_whole(metric, x, y):
    whole = ratio_terms(COUNTS, metric, images=4, labels=2).whole()
    assert whole.x.tolist() == x
    assert whole.y.tolist() == y


def test_sums_by_cell_are_those_of_the_images():
    rng = np.random.default_rng(0)
    images, labels, cells = 50, 3, 4
    objects = rng.poisson(1, (images, labels))
    found = rng.binomial(objects, 0.7)
    image, label = np.nonzero(objects)
    held = objects[image, label]
    counts = Counts(image, label, held, found[image, label], held)
    terms = ratio_terms(counts, "recall", images=images, labels=labels)
    cell = rng.integers(0, cells, images)
    made = terms.sums(terms.of_rows(cell), cells)
    for c in range(cells):
        inside = cell == c
        for k in range(labels):
            expected = Sums.of(found[inside, k].astype(float), objects[inside, k].astype(float))
            assert plain(made[c, k]) == pytest.approx(plain(expected))
        together = Sums.of(found[inside].sum(1).astype(float), objects[inside].sum(1).astype(float))
        assert plain(made[c, labels]) == pytest.approx(plain(together))


def test_of_nothing():
    empty = Counts(*np.zeros((5, 0), dtype=np.int64))
    assert ratio_terms(empty, "recall", images=0, labels=2).whole().y.tolist() == [0, 0, 0]
