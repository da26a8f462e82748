"""A slice in words, for people who were not there."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST_QUERY = 300


def slice_words(values: Sequence[str], label: str | None) -> str:
    """Which objects a slice is about: ``tomato in images with lighting = dim``.

    Args:
        values: its values in words.
        label: its class; None for all.
    """
    return f"{label or 'all classes'} in images with {' and '.join(values)}"


def worse_words(
    what: str,
    *,
    metric: str,
    value: float,
    rest: float,
    objects: int,
    images: int,
    adjusted_p: float,
    missed: int,
    taken_for: str | None,
    taken_for_count: int,
) -> str:
    """How bad a slice is: one sentence with the numbers.

    Args:
        what: the slice, as :func:`slice_words` has it.
        metric: name of the number.
        value: on the slice.
        rest: on all other images.
        objects: behind the number.
        images: behind the number.
        adjusted_p: corrected probability.
        missed: objects that were missed.
        taken_for: what most of those were called that were called anything.
        taken_for_count: how many.
    """
    text = (
        f"{what}: {metric} {value:.2f} against {rest:.2f} elsewhere ({objects:,} objects on"
        f" {images:,} images, p = {adjusted_p:.1g} corrected)"
    )
    if taken_for_count:
        text += f"; {taken_for_count:,} of {missed:,} missed ones were called {taken_for}"
    return text


def short_query(query: str | None) -> str:
    """The condition that selects a slice, cut where it is a list of very many ids.

    Args:
        query: the condition; None where there is none.
    """
    if query is None:
        return "no query"
    if len(query) <= _LONGEST_QUERY:
        return query
    return f"{query[:_LONGEST_QUERY]}… ({len(query):,} characters)"
