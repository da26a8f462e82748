"""Masks, polygons and brushes: what one says, the other says."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from label_studio_sdk.converter.brush import decode_rle, mask2rle
from PIL import Image
from pycocotools import mask as coco_mask

from cv_pipeline.annotations.formats import cvat
from cv_pipeline.annotations.geometry import BadShape, Mask, polygon
from cv_pipeline.annotations.geometry.brush import brush_of_mask, part_of_brush
from cv_pipeline.annotations.geometry.masks import (
    mask_of_polygon,
    polygon_of_mask,
    rows_of_crop,
)
from cv_pipeline.annotations.geometry.parts import MaskPart, picture_text, whole_mask
from cv_pipeline.annotations.geometry.run_lengths import (
    area_of_runs,
    encode_counts,
    mask_of_runs,
    runs_of_mask,
)
from cv_pipeline.annotations.geometry.settle import settle

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
        assert part_of_brush(rle, size=pixels.shape).whole.text == mask.text


def test_colours_of_a_brush_do_not_count():
    # a red pixel and a clear one, as literal values: what the browser writes
    bits = f"{8:032b}{7:05b}" + "".join(f"{s - 1:04b}" for s in (3, 4, 8, 16))
    bits += "0" + "00" + f"{7:03b}" + "".join(f"{v:08b}" for v in (255, 0, 0, 255, 9, 9, 9, 0))
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]
    found = part_of_brush(rle, size=(1, 2)).whole
    assert mask_of_runs(found.counts, (1, 2)).tolist() == [[True, False]]


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
        part_of_brush(rle, size=(2, 2))
    assert error.value.reason == reason


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 255), max_size=60))
def test_bytes_from_outside_are_a_mask_or_refused(rle):
    header = [0, 0, 0, 4 * 12]
    for data in (rle, header + rle):
        with contextlib.suppress(BadShape):
            assert part_of_brush(data, size=(3, 4)).whole.size == (3, 4)


@settings(max_examples=60, deadline=None)
@given(some, st.tuples(*[st.integers(0, 3)] * 4))
def test_a_part_is_the_mask_that_it_is_part_of(pixels, around):
    top, bottom, left, right = around
    size = pixels.shape[0] + top + bottom, pixels.shape[1] + left + right
    whole = np.zeros(size, dtype=bool)
    whole[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    part = MaskPart(size, (top, left), pixels.shape, rows_of_crop(pixels))
    expected = Mask(size, runs_of_mask(whole))
    assert whole_mask(part.text, size=size).text == part.whole.text == expected.text
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "PNG")
    encoded = base64.b64encode(picture.getvalue()).decode()
    text = picture_text(encoded, at=(top, left), size=size)
    assert whole_mask(text, size=size).text == expected.text
    with pytest.raises(BadShape, match="size_mismatch"):
        whole_mask(part.text, size=(size[0], size[1] + 1))
    with pytest.raises(BadShape, match="out_of_frame_shape"):
        MaskPart(size, (top + bottom + 1, left), pixels.shape, rows_of_crop(pixels))


SIDE = 11_585
"""Of the largest square image that a mask is read of."""


def striped(side: int) -> list[int]:
    """A brush whose picture has every other line inside, and that is a few bytes a line long."""
    bits = [f"{4 * side * side:032b}", f"{7:05b}", *(f"{s - 1:04b}" for s in (3, 4, 8, 16))]
    bits += [f"111{4 * side - 1:016b}{255 * (line % 2):08b}" for line in range(side)]
    text = "".join(bits)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - ord("0")).tolist()


def small_png(side: int) -> str:
    picture = io.BytesIO()
    Image.new("1", (side, side), 1).save(picture, "PNG", optimize=True)
    return base64.b64encode(picture.getvalue()).decode()


@pytest.mark.parametrize("kind", ["brush", "cvat", "labelme", "coco"])
def test_a_mask_takes_no_memory_for_the_size_that_it_states(kind):
    brush = striped(SIDE)
    picture = small_png(4_000)
    tracemalloc.start()
    try:
        if kind == "brush":
            text = part_of_brush(brush, size=(SIDE, SIDE)).text
        elif kind == "cvat":
            mask = (
                f'<annotations><image name="a.jpg" width="{SIDE}" height="{SIDE}"><mask label="p"'
                f' rle="0,{SIDE * SIDE}" left="0" top="0" width="{SIDE}" height="{SIDE}"/></image>'
                "</annotations>"
            )
            text = cvat.parse({"a.xml": mask.encode()}).rows["geometry"][0].as_py()
        elif kind == "labelme":
            text = picture_text(picture, at=(0, 0), size=(4_000, 4_000))
        else:
            text = json.dumps(
                {"size": [SIDE, SIDE], "counts": encode_counts(np.array([0, SIDE**2]))}
            )
        found = settle(["mask"], [text], sizes=np.array([[64.0, 48.0]]), scaled=np.array([False]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.refused[0].reason == "size_mismatch"
    assert peak < 8_000_000, "its pixels were made"
