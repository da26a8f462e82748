"""Retrains when a recorded evaluation falls too far below the best or the last one.

The sensor only compares numbers that ``eval_slices`` recorded. Its cursor is the storage id of the
last evaluation that is settled, so that none is missed when several arrive between two ticks.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from cv_pipeline.monitoring.metric_drift import EvaluationPoint, RetrainDecision, decide
from cv_pipeline.project import Project
from cv_pipeline.provenance import EventLog
from resources import Projects
from sensors.jobs import CAUSE_TAG, REASON_TAG, Attempts, launched_since

INTERVAL_SECONDS = 30


def metric_drift_sensor(project: str) -> dg.SensorDefinition:
    """The metric-drift sensor of one project."""
    job = f"{project}_retraining"

    @dg.sensor(
        name=f"{project}_metric_drift",
        job_name=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Retrains {project} when its metric drops against the best or the last.",
    )
    def sensor(context: dg.SensorEvaluationContext, projects: Projects) -> dg.SensorResult:
        settings = projects.get(project)
        cursor = int(context.cursor or 0)
        points = evaluations(EventLog(context.instance), settings)
        messages: list[str] = []
        for position, point in enumerate(points):
            if point.storage_id <= cursor:
                continue
            decision = _decide(context.instance, settings, points[: position + 1], job)
            attempts = Attempts(context.instance, job=job, cause=str(point.storage_id))
            if decision.against is None or attempts.settled:
                cursor = point.storage_id
                messages.append(decision.reason)
                continue
            if attempts.in_progress:
                messages.append(f"retraining for evaluation {point.storage_id} is in progress")
                break
            if decision.retrain:
                request = _request(settings, point, decision, attempts)
                return dg.SensorResult(run_requests=[request], cursor=str(cursor))
            if position + 1 == len(points):  # blocked for now, and nothing newer supersedes it
                messages.append(decision.reason)
                break
            cursor = point.storage_id
        reason = "; ".join(messages[-3:]) or "no new evaluation"
        return dg.SensorResult(skip_reason=reason, cursor=str(cursor))

    return sensor


def evaluations(log: EventLog, project: Project) -> list[EvaluationPoint]:
    """Every distinct evaluation of the project's metric, oldest first.

    A run on unchanged data records the same evaluation again; that is no news.
    """
    metric = project.metric
    points: dict[str, EvaluationPoint] = {}
    for event in log.oldest_first(f"{project.name}/eval_slices"):
        value = event.metadata.get(metric)
        if event.version not in points and isinstance(value, int | float):
            points[event.version] = EvaluationPoint(
                storage_id=event.storage_id, metric=metric, value=float(value), at=event.timestamp
            )
    return list(points.values())


def _decide(
    instance: dg.DagsterInstance, project: Project, history: list[EvaluationPoint], job: str
) -> RetrainDecision:
    now = datetime.now(UTC)
    return decide(
        history,
        drift=project.monitoring.metric_drift,
        retraining=project.retraining,
        now=now,
        recent_retrainings=launched_since(instance, job=job, since=now - timedelta(days=1)),
    )


def _request(
    project: Project, point: EvaluationPoint, decision: RetrainDecision, attempts: Attempts
) -> dg.RunRequest:
    """Retrain on the newest data; a new seed, so that unchanged data do not give the same model."""
    seed = project.training.seed + point.storage_id
    return dg.RunRequest(
        run_key=attempts.run_key,
        run_config={"ops": {"trained_model": {"config": {"seed": seed, "reuse": False}}}},
        tags={
            CAUSE_TAG: attempts.cause,
            REASON_TAG: "metric_drift",
            "cv_pipeline/drift": decision.reason,
        },
    )
