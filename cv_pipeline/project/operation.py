"""Parts of a ``project.yaml`` that say what is watched, and what runs by itself and when."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from cv_pipeline.cron import require_cron
from cv_pipeline.section import Section
from cv_pipeline.vocabulary import require_timezone

Cron = Annotated[str, AfterValidator(require_cron)]
Timezone = Annotated[str, AfterValidator(require_timezone)]


class MetricDrift(Section):
    """When a new evaluation counts as drift."""

    relative_drop: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.08, description="drop of the metric, relative to the best or the last, that triggers"
    )


class Monitoring(Section):
    """What is watched after training."""

    metric_drift: MetricDrift = Field(default_factory=MetricDrift, description="metric drift")


class Retraining(Section):
    """How often drift may start a retraining."""

    cooldown_minutes: float = Field(360, ge=0, description="least time between two retrainings")
    daily_limit: int = Field(2, ge=0, description="most retrainings in 24 hours; 0 for none")


class Schedule(Section):
    """The nightly run."""

    cron: Cron = Field("0 2 * * *", description="cron expression")
    timezone: Timezone = Field("UTC", description="IANA time zone of the cron expression")
