"""Selections are widened beyond what a model is judged on, and take more images in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.catalog.query import parse
from cv_pipeline.errors import QueryError
from cv_pipeline.inspector.corrective.selection import MOST_MORE, widened, with_more

IDS = [f"{n:064x}" for n in range(600)]


@pytest.mark.parametrize(
    ("text", "wider"),
    [
        (
            "dataset('abc', split = 'test') and metadata.lighting = 'dim' and label = 'tomato'",
            "metadata.lighting = 'dim' and label = 'tomato'",
        ),
        ("label = 'tomato' and dataset = 'fruit@latest'", "label = 'tomato'"),
        # nothing is bound to a version, or nothing else is said
        ("label = 'tomato'", None),
        ("dataset('abc', split = 'test')", None),
        ("all images", None),
        # what is not joined by and keeps its meaning
        ("dataset('abc', split = 'test') or label = 'tomato'", None),
        ("not dataset('abc') and label = 'tomato'", None),
        # a sample is of the images that it was drawn from
        ("dataset('abc', split = 'test') and label = 'tomato' sample 5", None),
        ("dataset('abc', split = 'test') and label = 'tomato' limit 5", None),
    ],
)
def test_a_selection_is_widened(text: str, wider: str | None) -> None:
    assert widened(text) == wider


@given(st.lists(st.sampled_from(IDS), min_size=1, max_size=30))
def test_more_images_are_joined_by_or(ids: list[str]) -> None:
    text = with_more("label = 'tomato' and width > 5", ids)
    node = parse(text)
    assert all(i[:16] in text for i in ids)
    assert parse("label = 'tomato' and width > 5").where in node.where.operands  # type: ignore[union-attr]


def test_without_a_query_the_images_alone_are_selected() -> None:
    assert with_more(None, IDS[:1]) == f"image in ('{IDS[0][:16]}')"
    assert with_more("label = 'tomato'", []) == "label = 'tomato'"
    assert with_more("all images", IDS[:1]) == "all images"
    with pytest.raises(QueryError, match="Nothing is selected"):
        with_more(None, [])


@pytest.mark.parametrize("text", ["all images limit 5", "width > 5 sample 3"])
def test_a_sample_takes_no_more(text: str) -> None:
    with pytest.raises(QueryError, match="cannot be added to a sample"):
        with_more(text, IDS[:1])


def test_too_many_are_refused() -> None:
    with pytest.raises(QueryError, match="cannot be added one by one"):
        with_more("all images", IDS[: MOST_MORE + 1])
