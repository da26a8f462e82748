"""Statistics: of the given images alone, whatever their order, and named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.datasets.statistics import MEASURES, fit_statistics, images_digest
from tests.datasets.splitting.examples import ids


def table(names: list[str]) -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table({"image_id": names, **{m: rng.uniform(0, 9, len(names)) for m in MEASURES}})


def test_mean_and_deviation_of_some_images() -> None:
    names = ids(40)
    measures = table(names)
    some = pa.array(names[:10])
    fitted = fit_statistics(some, measures)
    values = measures["hue"].to_numpy()[:10]
    assert fitted.images == 10
    assert fitted.images_digest == images_digest(some)
    assert fitted.measures["hue"].mean == pytest.approx(values.mean())
    assert fitted.measures["hue"].std == pytest.approx(values.std())
    assert set(fitted.measures) == set(MEASURES)


def test_the_order_of_rows_does_not_matter() -> None:
    names = ids(40)
    measures = table(names)
    order = pa.array(np.random.default_rng(1).permutation(40))
    once = fit_statistics(pa.array(names), measures)
    assert fit_statistics(pa.array(names).take(order), measures.take(order)) == once


def test_no_images() -> None:
    fitted = fit_statistics(pa.array([], pa.string()), table(ids(3)))
    assert fitted.images == 0
    assert fitted.measures["hue"].model_dump() == {"mean": 0, "std": 0}
    assert fitted.images_digest != images_digest(pa.array(ids(1)))
