"""The descriptor turns little when a picture is re-encoded, and much between pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cv_pipeline.imaging.descriptor import LENGTH, descriptor
from tests.datasets.pictures import Change, belt, cropped, frame, free_scene, re_encoded, resized

Picture = NDArray[np.uint8]


def alike(a: Picture, b: Picture) -> float:
    return float(descriptor(a) @ descriptor(b))


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)),
        elements=st.integers(0, 255),
    )
)
def test_any_picture_has_a_vector_of_length_1(picture: Picture) -> None:
    vector = descriptor(picture)
    assert (vector.shape, vector.dtype) == ((LENGTH,), np.float32)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert descriptor(picture.copy()).tobytes() == vector.tobytes()


@pytest.mark.parametrize(("change", "least"), [(re_encoded, 0.97), (resized, 0.9), (cropped, 0.75)])
def test_copies_are_close(change: Change, least: float) -> None:
    rng = np.random.default_rng(0)
    background = belt(rng)
    pictures = [free_scene(rng) for _ in range(20)] + [frame(rng, background) for _ in range(20)]
    assert min(alike(change(rng, picture), picture) for picture in pictures) > least


def test_unrelated_pictures_are_about_at_right_angles() -> None:
    rng = np.random.default_rng(0)
    vectors = np.stack([descriptor(free_scene(rng)) for _ in range(60)])
    others = (vectors @ vectors.T)[~np.eye(60, dtype=bool)]
    assert abs(others.mean()) < 0.2
    assert np.quantile(others, 0.95) < 0.6


def flat(colour: tuple[int, int, int]) -> Picture:
    return np.full((50, 70, 3), colour, np.uint8)


def test_colours_tell_even_pictures_apart() -> None:
    assert alike(flat((200, 40, 40)), flat((180, 30, 30))) > 0.9
    assert alike(flat((200, 40, 40)), flat((40, 40, 200))) < 0.3
    assert alike(flat((250, 250, 250)), flat((5, 5, 5))) == pytest.approx(-1, abs=1e-3)


def test_mid_grey_has_a_vector_of_its_own() -> None:
    assert descriptor(flat((128, 128, 128))).tolist() == [1.0] + [0.0] * (LENGTH - 1)


def test_edges_tell_directions_apart() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = 255
    across = np.ascontiguousarray(stripes.transpose(1, 0, 2))
    assert alike(stripes, across) < 0.5
    assert alike(stripes, np.roll(stripes, 2, axis=1)) > 0.9
