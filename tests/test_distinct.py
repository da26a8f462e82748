"""Distinct values are those that NumPy finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.distinct import distinct


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_distinct_values_are_numpy_s(values: list[int]) -> None:
    numbers = np.array(values, np.int64)
    assert distinct(numbers).tolist() == np.unique(numbers).tolist()
    assert numbers.tolist() == values
