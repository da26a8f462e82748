from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.datasets.training_sample import outside_sample, training_sample

MANIFEST = pa.table(
    {
        "image_id": [f"{n:02}" for n in range(20)],
        "split": ["train"] * 14 + ["val"] * 2 + ["test"] * 4,
    }
)


@pytest.mark.parametrize(("count", "drawn"), [(None, 6), (3, 3), (50, 14), (0, 0)])
def test_as_many_as_are_held_out_unless_it_is_said(tmp_path, count, drawn):
    pq.write_table(MANIFEST, tmp_path / "manifest.parquet")
    size, outside = training_sample(tmp_path, count)
    assert (size, len(outside)) == (drawn, 14 - drawn)
    assert outside <= {f"{n:02}" for n in range(14)}


def test_does_not_depend_on_the_order_of_rows_and_larger_samples_hold_smaller_ones():
    shuffled = MANIFEST.take(pa.array(np.random.default_rng(1).permutation(20)))
    assert outside_sample(shuffled, 5).equals(outside_sample(MANIFEST, 5))
    assert set(outside_sample(MANIFEST, 9).to_pylist()) < set(
        outside_sample(MANIFEST, 5).to_pylist()
    )
