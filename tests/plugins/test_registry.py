from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins import GROUPS, load_plugin, plugin_names
from cv_pipeline.plugins.registry import require_plugin

Install = Callable[..., None]

BUILT_IN = {
    "sample": {"random", "uncertainty", "diversity", "rarity", "disagreement", "failures"},
    "label": {"model", "neighbours"},
    "review": {"annotator_risk", "label_errors"},
    "augment": {"copy_paste", "random_erasing"},
}


@pytest.mark.parametrize("point", sorted(GROUPS))
def test_the_built_in_ones_are_entry_points_that_load(point):
    assert set(plugin_names(point)) >= BUILT_IN[point]
    for name in BUILT_IN[point]:
        assert callable(load_plugin(point, name))


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(PluginError, match="No sample algorithm is called 'uncertanty'") as caught:
        load_plugin("sample", "uncertanty")
    assert caught.value.do == "Did you mean 'uncertainty' or 'rarity'?"
    with pytest.raises(ValueError, match="no label algorithm is called 'modell'; Did you mean"):
        require_plugin("label")("modell")
    assert require_plugin("label")("model") == "model"


def test_two_of_one_name_are_not_guessed_at(install: Install):
    install("first", "class A: ...", sample={"mine": "first:A"})
    assert type(load_plugin("sample", "mine")).__name__ == "A"
    install("second", "class A: ...", sample={"mine": "second:A"})
    with pytest.raises(PluginError, match=r"brought by first \(first:A\) and second \(second:A\)"):
        load_plugin("sample", "mine")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("B = 1", "AttributeError"),
        ("class A:\n    def __init__(self):\n        raise OSError('no room')", "OSError: no room"),
    ],
)
def test_one_that_cannot_be_loaded_is_named_with_where_it_comes_from(install, source, said):
    install("broken", source, review={"mine": "broken:A"})
    with pytest.raises(PluginError, match="The review algorithm 'mine' could not be") as caught:
        load_plugin("review", "mine")
    assert said in caught.value.what
    assert caught.value.do == "It comes from broken (broken:A)."


def test_what_is_installed_later_is_found(install: Install, tmp_path: Path):
    before = plugin_names("augment")
    install("late", "class A: ...", augment={"late": "late:A"})
    assert plugin_names("augment") == sorted([*before, "late"])
