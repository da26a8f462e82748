"""The checks on a dataset candidate that did not pass, asked for all at once."""

from __future__ import annotations

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
)

from cv_pipeline.datasets.checks import CHECKS
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.provenance.event_log import Materialization


def failed_checks(instance: DagsterInstance, candidate: Materialization) -> list[Verdict]:
    """Verdicts on exactly this candidate that did not pass.

    A check that was not run on it yet is not among them: the run may still be going on.

    Args:
        instance: the Dagster instance.
        candidate: materialization of the candidate.
    """
    asset = AssetKey.from_user_string(candidate.key)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [AssetCheckKey(asset, name) for name in CHECKS]
    )
    found = []
    for key, record in latest.items():
        event = record.event.dagster_event if record.event else None
        said = event.event_specific_data if event else None
        if not isinstance(said, AssetCheckEvaluation) or said.passed:
            continue
        target = said.target_materialization_data
        if target is None or target.storage_id != candidate.storage_id:
            continue
        warns = said.severity == AssetCheckSeverity.WARN
        found.append(
            Verdict(
                check=key.name,
                passed=False,
                severity="warn" if warns else "error",
                summary=said.description or "",
            )
        )
    return sorted(found, key=lambda v: (v.severity, v.check))
