"""The verdicts of blocking checks on one very materialization, and the gate that needs them.

Dagster stops only the run in which a blocking check fails. The gate therefore asks for a passing
verdict on the exact event that a dataset version is made from; a missing one is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.datasets.waiver import Waiver, unwaived
from cv_pipeline.errors import GateRefused
from cv_pipeline.provenance.event_log import Materialization

HISTORY, PAGE = 1000, 20
"""Executions of a check that are looked through at most, and that are read at once."""


@dataclass(frozen=True)
class CheckResult:
    """What one check said of one candidate.

    Attributes:
        verdict: the verdict; one that failed and says so where the check was never run.
        at: when, UTC; None where it was never run.
        folder: name of the published folder with all its rows, below ``checks/``; None where
            there is none.
        rows: number of its rows.
    """

    verdict: Verdict
    at: datetime | None = None
    folder: str | None = None
    rows: int = 0


class PinnedCheckResult(AssetCheckResult):
    """A check result about the materialization that the check read.

    Dagster would name the latest one when the check's step starts, which in two interleaved runs
    is the other run's. Make it with :func:`pinned`.
    """

    target: Materialization

    def _get_target_materialization_data(
        self, step_context: StepExecutionContext, check_key: AssetCheckKey
    ) -> AssetCheckEvaluationTargetMaterializationData:
        del step_context, check_key  # what was read decides, not what is latest
        return AssetCheckEvaluationTargetMaterializationData(
            run_id=self.target.run_id,
            storage_id=self.target.storage_id,
            timestamp=self.target.timestamp.timestamp(),
        )


def pinned(result: AssetCheckResult, target: Materialization) -> PinnedCheckResult:
    """The same result, about exactly ``target``."""
    made = PinnedCheckResult(**result._asdict())
    made.target = target
    return made


def verdicts_on(
    instance: DagsterInstance, target: Materialization, checks: Sequence[str]
) -> list[Verdict]:
    """The newest verdict of each check on exactly this materialization.

    A check without one gives a failed verdict that says so.

    Args:
        instance: the Dagster instance.
        target: the materialization that the verdicts must be about.
        checks: names of the checks.
    """
    return [r.verdict for r in results_on(instance, target, checks)]


def results_on(
    instance: DagsterInstance, target: Materialization, checks: Sequence[str]
) -> list[CheckResult]:
    """The newest result of each check on exactly this materialization, as :func:`verdicts_on`."""
    return [_result(instance, target, name) for name in checks]


def require_passing(
    target: Materialization, verdicts: Sequence[Verdict], waivers: Sequence[Waiver] = ()
) -> None:
    """The gate: refuse a candidate that has a failed or missing blocking verdict.

    Args:
        target: the candidate.
        verdicts: of every blocking check on it.
        waivers: what was waived of that very candidate, verified by ``waivers.waivers_on``.

    Raises:
        GateRefused: with every reason.
    """
    failed = unwaived(verdicts, waivers)
    if not failed:
        return
    reasons = "\n".join(f"  {v.check}: {v.summary}" for v in failed)
    raise GateRefused(
        f"The gate refused {target.key} {target.version[:12]} (event {target.storage_id}):"
        f" {len(failed)} of {len(verdicts)} checks did not pass.\n{reasons}\n",
        do=f"Mend the data, then run: cvp run {target.project}; or have somebody who may waive the"
        " failures, on the candidate's page in the inspector.",
    )


def _history(instance: DagsterInstance, key: AssetCheckKey) -> Iterator[AssetCheckExecutionRecord]:
    """The newest executions of a check, a few at a time: what is asked for is mostly the last."""
    cursor: int | None = None
    for _ in range(HISTORY // PAGE):
        page = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=PAGE, cursor=cursor
        )
        yield from page
        if len(page) < PAGE:
            return
        cursor = page[-1].id


def _result(instance: DagsterInstance, target: Materialization, name: str) -> CheckResult:
    key = AssetCheckKey(AssetKey.from_user_string(target.key), name)
    for record in _history(instance, key):
        event = record.event.dagster_event if record.event else None
        evaluation = event.event_specific_data if event else None
        if not isinstance(evaluation, AssetCheckEvaluation):
            continue
        data = evaluation.target_materialization_data
        if data is not None and data.storage_id == target.storage_id:
            told = {key: value.value for key, value in evaluation.metadata.items()}
            return CheckResult(
                Verdict(
                    check=name,
                    passed=evaluation.passed,
                    severity="warn" if evaluation.severity == AssetCheckSeverity.WARN else "error",
                    summary=evaluation.description or "",
                ),
                at=datetime.fromtimestamp(record.create_timestamp, UTC),
                folder=str(told["rows_folder"]) if "rows_folder" in told else None,
                rows=int(str(told.get("row_count", 0))),
            )
    never = "it was never run on this candidate"
    return CheckResult(Verdict(check=name, passed=False, severity="error", summary=never))
