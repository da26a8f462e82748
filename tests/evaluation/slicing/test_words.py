"""Slices in words."""

from __future__ import annotations

from cv_pipeline.evaluation.slicing.facts import ids_condition
from cv_pipeline.evaluation.slicing.words import short_query


def test_a_query_of_very_many_ids_is_cut():
    assert short_query(None) == "no query"
    assert short_query("metadata.lighting = 'dim'") == "metadata.lighting = 'dim'"
    long = ids_condition([f"{n:064x}" for n in range(1000)])
    told = short_query(long)
    assert told.startswith(long[:300])
    assert told.endswith(f"… ({len(long):,} characters)")
    assert len(told) < 400
