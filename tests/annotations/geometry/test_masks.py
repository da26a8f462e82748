"""Masks, polygons and brushes: what one says, the other says."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from label_studio_sdk.converter.brush import decode_rle, mask2rle
from pycocotools import mask as coco_mask

from cv_pipeline.annotations.geometry import BadShape, Mask, polygon
from cv_pipeline.annotations.geometry.brush import brush_of_mask, mask_of_brush
from cv_pipeline.annotations.geometry.masks import (
    crop_of_rows,
    mask_of_crop,
    mask_of_polygon,
    polygon_of_mask,
    rows_of_crop,
)
from cv_pipeline.annotations.geometry.run_lengths import (
    area_of_runs,
    encode_counts,
    mask_of_runs,
    runs_of_mask,
)

some = hnp.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))).filter(np.any)


@settings(max_examples=60, deadline=None)
@given(some)
def test_an_outline_that_is_filled_is_the_mask(pixels):
    mask = Mask(pixels.shape, runs_of_mask(pixels))
    assert mask_of_polygon(polygon_of_mask(mask), pixels.shape).text == mask.text


def test_polygons_are_filled_as_coco_fills_them():
    ring = [(3.5, 2.25), (30.2, 7.0), (22.0, 25.5), (4.0, 19.0)]
    flat = [v for place in ring for v in place]
    (expected,) = coco_mask.frPyObjects([flat], 30, 40)
    found = mask_of_polygon(polygon([ring]), (30, 40))
    assert encode_counts(found.counts) == expected["counts"].decode()
    hole = [(10, 10), (20, 10), (20, 15), (10, 15)]
    holed = mask_of_polygon(polygon([ring, hole], [1]), (30, 40))
    assert area_of_runs(holed.counts) == area_of_runs(found.counts) - 50


@settings(max_examples=40, deadline=None)
@given(some)
def test_brushes_are_those_of_label_studio(pixels):
    mask = Mask(pixels.shape, runs_of_mask(pixels))
    ours, theirs = brush_of_mask(pixels), mask2rle(pixels.astype(np.uint8) * 255)
    alpha = decode_rle(ours).reshape(*pixels.shape, 4)[:, :, 3]
    assert ((alpha > 0) == pixels).all()
    for rle in (ours, theirs):
        assert mask_of_brush(rle, size=pixels.shape).text == mask.text


def test_colours_of_a_brush_do_not_count():
    # a red pixel and a clear one, as literal values: what the browser writes
    bits = f"{8:032b}{7:05b}" + "".join(f"{s - 1:04b}" for s in (3, 4, 8, 16))
    bits += "0" + "00" + f"{7:03b}" + "".join(f"{v:08b}" for v in (255, 0, 0, 255, 9, 9, 9, 0))
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]
    assert mask_of_runs(mask_of_brush(rle, size=(1, 2)).counts, (1, 2)).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("rle", "reason"),
    [
        ([], "bad_mask"),
        ([255] * 40, "size_mismatch"),  # it claims four thousand million values
        ([0, 0, 0, 16, 255, 255, 255, 255, 255], "bad_mask"),
        (["a"], "bad_mask"),
        ([256] * 9, "bad_mask"),
        ([0] * 10_000, "bad_mask"),
        (brush_of_mask(np.ones((2, 2), bool))[:-2], "bad_mask"),
    ],
)
def test_brushes_that_are_none(rle, reason):
    with pytest.raises(BadShape) as error:
        mask_of_brush(rle, size=(2, 2))
    assert error.value.reason == reason


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 255), max_size=60))
def test_bytes_from_outside_are_a_mask_or_refused(rle):
    header = [0, 0, 0, 4 * 12]
    for data in (rle, header + rle):
        with contextlib.suppress(BadShape):
            assert mask_of_brush(data, size=(3, 4)).size == (3, 4)


@settings(max_examples=30, deadline=None)
@given(some)
def test_rows_of_a_part(pixels):
    counts = rows_of_crop(pixels).tolist()
    height, width = pixels.shape
    assert (crop_of_rows(counts, width=width, height=height) == pixels).all()
    size = height + 5, width + 7
    whole = mask_of_runs(mask_of_crop(pixels, left=7, top=5, size=size).counts, size)
    assert (whole[5:, 7:] == pixels).all()
    assert whole.sum() == pixels.sum()
    with pytest.raises(BadShape, match="out_of_frame_shape"):
        mask_of_crop(pixels, left=8, top=5, size=size)
