from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.project import Augmentation
from cv_pipeline.training.augmentation import draw_parameters
from cv_pipeline.training.framing import Frames, augmented_frames, whole_frames


def one(crop, size, *, flip=False, input_size=(100, 100)) -> Frames:
    return Frames(
        crop=np.array([crop]),
        size=np.array([size]),
        flip=np.array([flip]),
        colour=np.ones((1, 3), dtype=np.float32),
        input_size=input_size,
    )


@pytest.mark.parametrize(
    ("stored", "input_size", "content"),
    [
        ((480, 640), (160, 213), (160, 213)),  # 213.3 is rounded
        ((480, 640), (96, 128), (96, 128)),
        ((640, 480), (96, 128), (96, 72)),  # upright in a wide input
        ((32, 32), (64, 128), (64, 64)),  # small images are scaled up
        ((1, 5000), (100, 100), (1, 100)),  # never less than a pixel
    ],
)
def test_content_is_the_largest_that_fits(stored, input_size, content):
    frames = whole_frames(np.array([stored]), input_size=input_size)
    assert tuple(frames.size[0]) == content
    assert tuple(frames.crop[0]) == (0, 0, stored[1], stored[0])


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        # the box is (20, 10)–(60, 50) in an image of 200 × 100
        (one((0, 0, 200, 100), (50, 100)), (10, 5, 30, 25)),  # halved
        (one((0, 0, 200, 100), (50, 100), flip=True), (70, 5, 90, 25)),  # content 100 wide
        (one((10, 0, 100, 100), (100, 100)), (10, 10, 50, 50)),  # cropped from x = 10
        (one((40, 0, 100, 100), (50, 50)), (0, 5, 10, 25)),  # half of it is cut away
        # upright content 50 wide is flipped within itself, not within the padded input
        (one((0, 0, 100, 200), (100, 50), flip=True), (20, 5, 40, 25)),
    ],
)
def test_boxes_follow_the_pixels(frames, expected):
    boxes, keep = frames.to_input(np.array([[20.0, 10, 60, 50]]), np.array([0]))
    assert boxes[0].tolist() == pytest.approx(expected)
    assert keep.all()


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((0, 0, 30, 10), True),  # 20 of 30 columns are left
        ((0, 0, 12, 10), False),  # 2 of 12 are left: less than three tenths
        ((0, 0, 10, 10), False),  # nothing is left
        ((50, 50, 50.4, 90), False),  # thinner than a pixel
    ],
)
def test_what_the_crop_cuts_off_is_no_target(box, kept):
    _, keep = one((10, 0, 90, 100), (100, 90)).to_input(np.array([box], float), np.array([0]))
    assert keep[0] == kept


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(8, 900),
    width=st.integers(8, 900),
    crop=st.floats(0, 0.9),
    seed=st.integers(0, 1000),
    input_size=st.tuples(st.integers(16, 200), st.integers(16, 200)),
)
def test_there_and_back(height, width, crop, seed, input_size):
    ids = pa.array(["a", "b", "c"])
    sizes = np.array([[height, width]] * 3)
    augmentation = Augmentation(flip=0.5, crop=crop)
    drawn = draw_parameters(ids, augmentation=augmentation, seed=seed, epoch=1)
    frames = augmented_frames(sizes, drawn, input_size=input_size)
    x, y, w, h = frames.crop.T
    assert (x >= 0).all()
    assert (y >= 0).all()
    assert (x + w <= width).all()
    assert (y + h <= height).all()
    assert (frames.size >= 1).all()
    assert (frames.size <= np.array(input_size)).all()
    inside = np.stack([x + 0.1 * w, y + 0.2 * h, x + 0.6 * w, y + 0.9 * h], axis=1)
    boxes, _ = frames.to_input(inside, np.arange(3))
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert frames.to_image(boxes, np.arange(3)) == pytest.approx(inside)


def test_boxes_in_the_padding_come_back_without_area():
    frames = one((0, 0, 100, 50), (50, 100))
    back = frames.to_image(np.array([[10.0, 60, 40, 90]]), np.array([0]))
    assert back[0].tolist() == [10, 50, 40, 50]
