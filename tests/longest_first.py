"""The order of the test files: those that take longest first, so that no worker ends alone.

A worker takes the next file when it has done one. The first three are such that each worker begins
with something else than the world that the others will copy.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

LONGEST = (
    "test_pipeline.py",
    "inspector/test_load.py",
    "labeling/exchange/test_push_and_pull.py",
    "labeling/exchange/test_pull_again.py",
    "labeling/prelabels/test_acceptance.py",
    "labeling/exchange/test_killed.py",
    "sensors/test_daemon.py",
    "test_corrective.py",
    "test_takeout_end_to_end.py",
    "test_kill.py",
    "test_ui.py",
    "test_s3_store.py",
    "test_datalake_end_to_end.py",
    "test_prelabels_end_to_end.py",
    "cli/test_checks.py",
    "training/test_child.py",
    "cli/test_evaluated.py",
    "catalog/ingest/test_ingest.py",
    "samples/fruit/test_gate.py",
    "datasets/test_export_round_trip.py",
    "inspector/test_waiving.py",
    "inspector/images/test_in_browser.py",
    "inspector/test_board_browser.py",
    "inspector/test_data_pages.py",
    "catalog/query/test_compile.py",
    "provenance/test_inputs.py",
    "training/test_trainer.py",
    "provenance/test_takeout.py",
    "provenance/test_lake_references.py",
    "catalog/snapshot/test_snapshot.py",
)


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Whole files, those of ``LONGEST`` in its order before all others in theirs."""
    places = {f"tests/{name}": place for place, name in enumerate(LONGEST)}
    return sorted(items, key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
