"""Views: any numbers and any settings give a picture, and the one that is expected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging.color_maps import COLOR_MAPS, color_table
from cv_pipeline.imaging.meaning import Band, Meaning, Window, plain_meaning
from cv_pipeline.imaging.presets import presets_of
from cv_pipeline.imaging.view import Spread, plan_view, render, spread_of
from cv_pipeline.imaging.view_settings import ViewSettings

SCENE = Meaning(
    tuple(Band(kind, kind) for kind in ("blue", "green", "red", "nir", "swir1", "thermal")),
    modality="multispectral",
)
CT = Meaning((Band("Grey", "grey", "HU", 1.0, -1024.0, nodata=-2000),), modality="CT")


def seen(bands: list[np.ndarray], meaning: Meaning, text: str = "") -> np.ndarray:
    plan = plan_view(ViewSettings.parse(text), meaning=meaning, bands=bands)
    return render([bands[n] for n in plan.bands], plan)


# ---------------------------------------------------------------------------- settings

SETTINGS = st.builds(
    ViewSettings,
    preset=st.from_regex(r"[a-z0-9_]{0,10}", fullmatch=True),
    bands=st.sampled_from([(), (0,), (2, 1, 0), (7,)]),
    low=st.sampled_from([(), (-1000.0,), (0.25, -3.5, 1e-7)]),
    high=st.sampled_from([(), (1000.5,), (1e9, 2.0, 3.0)]),
    gamma=st.floats(0.1, 10),
    map=st.sampled_from(["", *COLOR_MAPS]),
    invert=st.booleans(),
    frame=st.integers(0, 1_000_000),
)


@given(SETTINGS)
def test_the_text_of_settings_gives_them_back(view: ViewSettings) -> None:
    assert ViewSettings.parse(view.text()) == view
    assert ViewSettings.parse(view.text()).digest() == view.digest()


@given(SETTINGS, SETTINGS)
def test_the_digest_tells_settings_apart(a: ViewSettings, b: ViewSettings) -> None:
    assert (a.digest() == b.digest()) == (a == b)


def test_the_default_is_no_text_and_numbers_have_one_form() -> None:
    assert ViewSettings().text() == ""
    view = ViewSettings.parse("high=100.0&low=-0.0&invert=1&gamma=1.50")
    assert view.text() == "low=0&high=100&gamma=1.5&invert=true"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("bands=0,1", "one band is seen, or three"),
        ("bands=-1", "greater than or equal to 0"),
        ("low=5&high=5", "low must be less than high"),
        ("low=1,2,3&high=2,2,9", "low must be less than high"),
        ("low=nan", "finite"),
        ("gamma=0", "greater than or equal to 0.1"),
        ("map=jet", "no colour map 'jet'"),
        ("map=viridi", "Did you mean 'viridis'"),
        ("preset=%3Cscript%3E", "lower-case letters"),
        ("nonsense=1", "Extra inputs"),
        ("bands", "is no query"),
        ("bands=" + ",".join("1" * 200), "one band is seen"),
    ],
)
def test_settings_that_are_none_are_refused(text: str, match: str) -> None:
    with pytest.raises(ImageError, match=match) as caught:
        ViewSettings.parse(text)
    assert caught.value.reason == "bad_view"


# ----------------------------------------------------------------------------- windows


def test_a_window_is_in_the_unit_of_the_band() -> None:
    stored = np.array([[0, 1024 - 160, 1024 + 240, 4000]], np.int16)  # -1024, -160, 240, 2976 HU
    assert seen([stored], CT, "low=-160&high=240")[0, :, 0].tolist() == [0, 0, 255, 255]
    middle = np.array([[1024 + 40]], np.int16)
    assert seen([middle], CT, "low=-160&high=240")[0, 0].tolist() == [128, 128, 128]


def test_each_band_may_have_its_own_window() -> None:
    bands = [np.full((2, 2), v, np.uint16) for v in (100, 200, 300)]
    image = seen(bands, plain_meaning(3), "low=0,0,0&high=100,400,1200")
    assert image[0, 0].tolist() == [255, 128, 64]


def test_gamma_and_inversion() -> None:
    half = np.full((1, 1), 0.25, np.float32)
    meaning = plain_meaning(1)
    assert seen([half], meaning, "low=0&high=1")[0, 0, 0] == 64
    assert seen([half], meaning, "low=0&high=1&gamma=2")[0, 0, 0] == 128
    assert seen([half], meaning, "low=0&high=1&invert=true")[0, 0, 0] == 191


def test_what_was_turned_round_is_bright_where_its_values_are_low() -> None:
    meaning = Meaning((Band("Grey", "grey", "", -1.0, 255.0),), inverted=True)
    stored = np.array([[0, 255]], np.uint8)  # values 255 and 0
    assert seen([stored], meaning, "low=0&high=255")[0, :, 0].tolist() == [0, 255]


def test_8_bits_are_seen_as_they_are() -> None:
    bands = [np.random.default_rng(n).integers(0, 256, (9, 8), np.uint8) for n in range(3)]
    assert np.array_equal(seen(bands, plain_meaning(3)), np.dstack(bands))
    assert np.array_equal(seen(bands[:1], plain_meaning(1))[..., 1], bands[0])


def test_other_types_are_seen_between_their_percentiles() -> None:
    ramp = np.linspace(1000, 2000, 101 * 101).reshape(101, 101).astype(np.uint16)
    image = seen([ramp], plain_meaning(1))
    assert image.min() == 0
    assert image.max() == 255
    assert (image == 0).mean() == pytest.approx(0.01, abs=0.005)


def test_hues_stay_in_a_colour_picture_and_combined_bands_are_stretched_each() -> None:
    grey = np.linspace(0, 10_000, 101 * 101).reshape(101, 101)
    bands = [(grey * share).astype(np.uint16) for share in (1, 0.5, 0.1)]
    together = seen(bands, plain_meaning(3))[50, 50].astype(int)
    assert together[0] > 1.8 * together[1] > 1.8 * together[2]
    scene = [*bands, bands[0], bands[0], bands[0]]
    each = seen(scene, SCENE, "preset=natural")[50, 50].astype(int)
    assert np.ptp(each) < 8


def test_no_measurement_and_no_number_are_black() -> None:
    stored = np.array([[-2000, 1500]], np.int16)
    assert seen([stored], CT, "low=-3000&high=-2500&invert=1")[0, 0].tolist() == [0, 0, 0]
    values = np.array([[np.nan, 1.0, np.inf, -np.inf]], np.float32)
    image = seen([values], plain_meaning(1), "low=0&high=2&map=viridis&invert=1")
    assert image[0, 0].tolist() == [0, 0, 0]
    assert image[0, 2].tolist() == color_table("viridis")[0].tolist()
    assert image[0, 3].tolist() == color_table("viridis")[255].tolist()


def test_ndvi_is_the_normalised_difference_of_near_infrared_and_red() -> None:
    bands = [np.zeros((1, 3), np.uint16) for _ in SCENE.bands]
    bands[3][0], bands[2][0] = [300, 100, 0], [100, 100, 0]  # 0.5, 0, and nothing at all
    plan = plan_view(ViewSettings(preset="ndvi"), meaning=SCENE, bands=bands)
    assert (plan.bands, plan.index, plan.low, plan.high) == ((3, 2), True, (-0.2,), (0.9,))
    image = render([bands[n] for n in plan.bands], plan)
    table = color_table("vegetation")
    assert image[0, 0].tolist() == table[round((0.5 + 0.2) / 1.1 * 255)].tolist()
    assert image[0, 1].tolist() == table[round(0.2 / 1.1 * 255)].tolist()
    assert image[0, 2].tolist() == [0, 0, 0]


# ----------------------------------------------------------------------------- presets


@pytest.mark.parametrize(
    ("meaning", "names"),
    [
        (plain_meaning(1), ["auto"]),
        (plain_meaning(3), ["auto"]),
        (plain_meaning(4), ["auto", "natural"]),
        (
            SCENE,
            [
                *("auto", "natural", "near_infrared", "agriculture", "ndvi", "ndwi"),
                *("thermal", "thermal_iron", "thermal_grey"),
            ],
        ),
        (
            Meaning((Band("Temperature", "thermal", "°C"),), modality="thermal"),
            ["thermal", "auto", "thermal_iron", "thermal_grey"],
        ),
        (
            Meaning((Band("Grey", "grey"),), (Window("CHEST PA", 0, 4095),), "DX"),
            ["file_1_chest_pa", "auto", "x_ray"],
        ),
    ],
)
def test_presets_are_offered_where_there_is_what_they_need(
    meaning: Meaning, names: list[str]
) -> None:
    assert [preset.name for preset in presets_of(meaning)] == names


def test_windows_of_ct_are_those_in_use() -> None:
    found = {p.name: p.window for p in presets_of(CT)}
    assert found["ct_lung"] == (-1350, 150)
    assert found["ct_soft_tissue"] == (-150, 250)
    assert found["ct_brain"] == (0, 80)
    assert found["ct_bone"] == (-500, 1300)


def test_false_colour_shows_near_infrared_red_and_green() -> None:
    bands = [np.zeros((2, 2), np.uint16) for _ in SCENE.bands]
    plan = plan_view(ViewSettings(preset="near_infrared"), meaning=SCENE, bands=bands)
    assert plan.bands == (3, 2, 1)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("preset=ct_lung", "has no preset 'ct_lung'"),
        ("bands=6", "has 6 bands and none of number 6"),
        ("bands=0,1,99", "none of number 99"),
    ],
)
def test_what_a_picture_does_not_have_is_refused(text: str, match: str) -> None:
    bands = [np.zeros((2, 2), np.uint16) for _ in SCENE.bands]
    with pytest.raises(ImageError, match=match):
        plan_view(ViewSettings.parse(text), meaning=SCENE, bands=bands)


# --------------------------------------------------------------------------- colour maps


@pytest.mark.parametrize("name", COLOR_MAPS)
def test_colour_maps_have_256_colours_that_are_not_to_be_changed(name: str) -> None:
    table = color_table(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


@pytest.mark.parametrize("name", ["grey", "iron", "inferno", "magma", "viridis", "hot"])
def test_maps_of_amounts_grow_brighter(name: str) -> None:
    luma = color_table(name).astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(luma) >= -1.0).all()
    assert luma[-1] > luma[0] + 100


# ------------------------------------------------------------------ whatever the numbers

ANY_TYPE = st.sampled_from(
    [
        *(np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64),
        *(np.float16, np.float32, np.float64, np.bool_),
    ]
)
ANY_BAND = ANY_TYPE.flatmap(lambda dtype: hnp.arrays(dtype, (5, 4)))
ANY_MEANING = st.builds(
    Band,
    name=st.just("Band"),
    kind=st.sampled_from(["", "red", "nir", "thermal", "green", "blue"]),
    scale=st.floats(-1e300, 1e300).filter(bool),
    offset=st.floats(-1e300, 1e300),
    nodata=st.none() | st.floats(allow_nan=False),
)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_numbers_and_settings_give_a_picture(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    bands = [data.draw(ANY_BAND) for _ in range(count)]
    meaning = Meaning(
        tuple(data.draw(ANY_MEANING) for _ in range(count)), inverted=data.draw(st.booleans())
    )
    view = data.draw(SETTINGS).model_copy(
        update={"preset": data.draw(st.sampled_from([p.name for p in presets_of(meaning)]))}
    )
    if any(n >= count for n in view.bands):
        view = view.model_copy(update={"bands": (count - 1,)})
    plan = plan_view(view, meaning=meaning, bands=bands)
    image = render([bands[n] for n in plan.bands], plan)
    assert image.shape == (5, 4, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert isinstance(spread_of(bands[0], meaning.bands[0]), Spread)


@given(hnp.arrays(np.uint16, (6, 7)), st.integers(0, 3), st.integers(0, 3))
def test_a_part_is_rendered_as_in_the_whole(band: np.ndarray, top: int, left: int) -> None:
    meaning = plain_meaning(1)
    plan = plan_view(ViewSettings(), meaning=meaning, bands=[band])
    whole = render([band], plan)
    part = render([band[top : top + 3, left : left + 3]], plan)
    assert np.array_equal(whole[top : top + 3, left : left + 3], part)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_looking_up_and_calculating_agree(dtype: type) -> None:
    large = np.arange(1 << 17, dtype=np.uint32).reshape(256, -1).astype(dtype)
    meaning = Meaning((Band("B", scale=0.37, offset=-12.5, nodata=7),))
    plan = plan_view(ViewSettings.parse("low=3&high=70&gamma=1.7"), meaning=meaning, bands=[large])
    wide = large.astype(np.int64)
    assert np.abs(render([large], plan).astype(int) - render([wide], plan)).max() <= 1
