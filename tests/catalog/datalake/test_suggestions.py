"""What a condition may have meant that no image meets."""

from __future__ import annotations

import pytest

from cv_pipeline.catalog.datalake.suggestions import suggestion
from cv_pipeline.catalog.query import parse
from tests.catalog.datalake_world import DatalakeWorld


def hint(world: DatalakeWorld, text: str) -> str:
    where = parse(text).where
    assert where is not None
    return suggestion(where, world.open().snapshot())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "metadata.scene = 'outdor'",
            "metadata.scene 'outdor'. Did you mean 'outdoor'?",
        ),
        (
            "metadata.scen = 'outdoor'",
            "the metadata key 'scen'. Did you mean 'scene'?",
        ),
        ("metadata.scene in ('outdor', 'outdoor')", "Did you mean 'outdoor'?"),
        ("label = 'kiwwi'", "Did you mean 'kiwi'?"),
        ("label = 'zzzzz'", "No image has the label 'zzzzz'."),
    ],
)
def test_the_nearest_value_or_key_is_named(world: DatalakeWorld, text: str, told: str) -> None:
    assert told in hint(world, text)


@pytest.mark.parametrize(
    "text",
    ["width > 100000", "metadata.scene = 'outdoor'", "brightness = 2", "not label = 'kiwwi'"],
)
def test_what_is_spelt_right_or_no_name_has_no_suggestion(world: DatalakeWorld, text: str) -> None:
    assert hint(world, text) == ""


def test_the_conditions_of_an_empty_result_carry_it(world: DatalakeWorld) -> None:
    found = world.open().query("metadata.scene = 'outdor' and width > 1")
    hints = {c.text: c.hint for c in found.conditions()}
    assert "Did you mean 'outdoor'?" in hints["metadata.scene = 'outdor'"]
    assert hints["width > 1"] == ""
