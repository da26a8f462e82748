"""COCO's run lengths: as pycocotools has them, and safe against text from outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from cv_pipeline.annotations.geometry.run_lengths import (
    MOST_PIXELS,
    BadShape,
    area_of_runs,
    bounds_of_runs,
    check_runs,
    check_size,
    decode_counts,
    encode_counts,
    mask_of_runs,
    runs_of_mask,
)

masks = hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


@settings(max_examples=60, deadline=None)
@given(masks)
def test_run_lengths_are_those_of_coco(mask):
    runs = runs_of_mask(mask)
    text = encode_counts(runs)

    assert text == coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode()
    assert decode_counts(text, mask.size).tolist() == runs.tolist()
    assert (mask_of_runs(runs, mask.shape) == mask).all()
    assert area_of_runs(runs) == mask.sum()
    if mask.any():
        rows, columns = np.nonzero(mask)
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert bounds_of_runs(runs, mask.shape[0]) == edges


def test_long_runs_of_a_large_mask():
    mask = np.zeros((3000, 4000), dtype=bool)
    mask[10:2900, 5:3900] = True
    text = encode_counts(runs_of_mask(mask))
    assert text == coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode()
    assert area_of_runs(decode_counts(text, mask.size)) == mask.sum()


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="ascii"), max_size=30), st.integers(1, 10**6))
def test_text_from_outside_is_run_lengths_of_that_size_or_refused(text, pixels):
    try:
        runs = decode_counts(text, pixels)
    except BadShape as error:
        assert error.reason == "bad_mask"  # noqa: PT017 - either outcome is right
    else:
        assert runs.sum() == pixels
        assert runs.min() >= 0


@pytest.mark.parametrize("text", ["", "é", "0" * 9, "oooooooo0", "P", "1" * 5 + "o"])
def test_what_are_no_run_lengths(text):
    with pytest.raises(BadShape, match="bad_mask"):
        decode_counts(text, 100)


@pytest.mark.parametrize("counts", [[50, 51], [-1, 101], [1.0, 99], [True, 99], ["1", 99], []])
def test_uncompressed_run_lengths_that_are_wrong(counts):
    assert check_runs([50, 50], 100).tolist() == [50, 50]
    with pytest.raises(BadShape, match="bad_mask"):
        check_runs(counts, 100)


def test_a_size_is_refused_before_anything_is_made_of_it():
    with pytest.raises(BadShape, match="mask_too_large"):
        check_size(MOST_PIXELS, 2)
    with pytest.raises(BadShape, match="bad_mask"):
        check_size(0, 5)
