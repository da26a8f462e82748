from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.augment import Donor, Donors, Scene, augmented, augmenter


def make_scene(boxes=((2, 2, 12, 12),), *, content=(30, 40), value=0.0) -> Scene:
    pixels = np.full((3, 32, 48), value, np.float32)
    pixels[:, content[0] :] = 0
    pixels[:, :, content[1] :] = 0
    xyxy = np.array(boxes, np.float64).reshape(-1, 4)
    return Scene(pixels, content, xyxy, np.zeros(len(xyxy), np.int64))


DONORS = Donors(
    of_class=(
        (Donor(np.full((3, 6, 8), 5, np.float32), 0, "common"),),
        (Donor(np.full((3, 8, 6), 7, np.float32), 1, "rare"),),
        (),
    ),
    counts=np.array([90, 10, 3]),
)


def run(name: str, scene: Scene, seed: int, donors: Donors = DONORS):
    rng = np.random.default_rng(seed)
    return augmented(name, augmenter(name, task="detection"), scene, donors=donors, rng=rng)


@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from(["copy_paste", "random_erasing"]),
    corners=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(3, 9), st.integers(3, 9)),
        max_size=4,
    ),
)
def test_what_comes_out_is_sound_and_the_same_again(seed, name, corners):
    scene = make_scene([(x, y, x + w, y + h) for x, y, w, h in corners], value=1.0)
    before = scene.pixels.copy()
    made = run(name, scene, seed)
    assert np.array_equal(scene.pixels, before)  # nothing is written to
    again = run(name, scene, seed)
    assert np.array_equal(made.scene.pixels, again.scene.pixels)
    assert np.array_equal(made.scene.boxes, again.scene.boxes)
    assert made.parameters == again.parameters
    assert (made.scene.pixels[:, 30:] == 0).all()  # padding stays padding
    assert (made.scene.pixels[:, :, 40:] == 0).all()
    if not made.parameters:
        assert np.array_equal(made.scene.pixels, before)


def test_what_is_pasted_is_where_its_box_is_with_its_own_class():
    pasted = 0
    for seed in range(60):
        made = run("copy_paste", make_scene(), seed)
        for one, box, label in zip(
            made.parameters.get("pasted", ()),
            made.scene.boxes[1:].astype(int),
            made.scene.label[1:],
            strict=True,
        ):
            pasted += 1
            donor = DONORS.of_class[label][0]
            x0, y0, x1, y1 = box
            assert (one["x"], one["y"], one["annotation"]) == (x0, y0, donor.annotation)
            assert (y1 - y0, x1 - x0) == donor.pixels.shape[1:]
            inner = made.scene.pixels[:, y0 + 2 : y1 - 2, x0 + 2 : x1 - 2]
            assert np.isin(inner, [donor.pixels[0, 0, 0], 5, 7]).all()
    assert pasted > 20


def test_nothing_there_is_covered_by_more_than_a_tenth():
    for seed in range(200):
        made = run("copy_paste", make_scene([(5, 5, 35, 25)]), seed)
        for x0, y0, x1, y1 in made.scene.boxes[1:]:
            width, height = min(x1, 35) - max(x0, 5), min(y1, 25) - max(y0, 5)
            assert max(width, 0) * max(height, 0) <= 0.1 * (x1 - x0) * (y1 - y0) + 1e-9


def test_rare_classes_are_pasted_by_the_inverse_root_of_their_number():
    labels = [
        label
        for seed in range(1500)
        for label in run("copy_paste", make_scene([]), seed).scene.label.tolist()
    ]
    assert 2 not in labels  # none of its objects may be pasted
    # one by the roots of 90 and of 10: one against three
    share = np.mean(np.array(labels) == 1)
    assert share == pytest.approx(0.75, abs=5 * np.sqrt(3 / 16 / len(labels)))
    assert 800 < len(labels) < 2000


def test_without_donors_nothing_is_pasted():
    assert run("copy_paste", make_scene(), 1, Donors(counts=np.array([1]))).parameters == {}


def test_an_object_that_is_hardly_left_is_no_target_any_more():
    lost = 0
    for seed in range(200):
        made = run("random_erasing", make_scene([(10, 10, 14, 14)], value=1.0), seed)
        left = (made.scene.pixels[0, 10:14, 10:14] == 1).mean()
        assert len(made.scene.boxes) == (left >= 0.3)
        if made.parameters:
            x0, y0, x1, y1 = made.parameters["erased"]
            assert (made.scene.pixels[:, y0:y1, x0:x1] == 0).all()
            assert (made.scene.pixels[0, :30, :40] == 0).sum() == (y1 - y0) * (x1 - x0)
            lost += made.parameters["lost"]
    assert lost > 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            "pixels=scene.pixels[:, :4]",
            r"pixels of float32 \(3, 4, 48\), not float32 \(3, 32, 48\)",
        ),
        ("pixels=scene.pixels.astype('float64')", "pixels of float64"),
        ("pixels=scene.pixels + np.nan", "pixels or boxes that are no numbers"),
        ("boxes=scene.boxes + 100", "boxes that are empty, inverted or outside the picture"),
        ("boxes=scene.boxes[:, [2, 1, 0, 3]]", "empty, inverted or outside"),
        ("label=scene.label + 9", "objects of classes that the project does not have"),
        ("boxes=scene.boxes[:0]", r"boxes of the shape \(0, 4\) with labels of \(1,\)"),
        ("boxes=1 / 0", "'bad' failed: ZeroDivisionError"),
    ],
)
def test_what_a_plugin_makes_is_checked(install, changed, said):
    source = f"""
from dataclasses import replace
import numpy as np
from cv_pipeline.plugins.augment import Augmented

class Bad:
    tasks = ("detection",)
    wants_donors = False
    def __call__(self, scene, *, donors, rng):
        return Augmented(replace(scene, {changed}), {{}})
"""
    install("bad_augment", source, augment={"bad": "bad_augment:Bad"})
    with pytest.raises(PluginError, match=said):
        run("bad", make_scene(), 0)
