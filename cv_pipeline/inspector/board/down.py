"""Which parts beside the inspector do not answer, found out quickly and not too often."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
from dagster import DagsterInstance
from pydantic import BaseModel

_logger = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds that a part is given to answer."""
FRESH = 5.0
"""Seconds for which an answer stands."""
_START = "Start everything with: cvp ui"

_lock = threading.Lock()
_known: dict[tuple[str, str, int], tuple[float, list[PartDown]]] = {}


class PartDown(BaseModel):
    """A part that does not answer, what is missing without it, and what to do."""

    part: str
    missing: str
    do: str


def parts_down(*, dagster_ui: str, mlflow_ui: str, instance: DagsterInstance) -> list[PartDown]:
    """The parts that do not answer now.

    Args:
        dagster_ui: address of the Dagster webserver.
        mlflow_ui: address of MLflow.
        instance: the Dagster instance, whose daemon launches runs.
    """
    key = (dagster_ui, mlflow_ui, id(instance))
    with _lock:
        at, found = _known.get(key, (0.0, []))
        if time.monotonic() - at < FRESH and at:
            return found
    with ThreadPoolExecutor(3) as pool:
        asked = [
            pool.submit(_webserver, dagster_ui),
            pool.submit(_daemon, instance),
            pool.submit(_mlflow, mlflow_ui),
        ]
        found = [part for one in asked if (part := one.result()) is not None]
    with _lock:
        _known[key] = (time.monotonic(), found)
    return found


def _webserver(address: str) -> PartDown | None:
    return _unless(
        lambda: _answers(f"{address}/server_info"),
        PartDown(
            part=f"Dagster's webserver at {address}",
            missing="No run can be launched from here; what has run already is shown.",
            do=_START,
        ),
    )


def _daemon(instance: DagsterInstance) -> PartDown | None:
    def beats() -> bool:
        status = instance.get_daemon_statuses().get("QUEUED_RUN_COORDINATOR")
        return status is None or bool(status.healthy)

    return _unless(
        beats,
        PartDown(
            part="Dagster's daemon",
            missing="Runs that are launched wait in the queue until it is back.",
            do=_START,
        ),
    )


def _mlflow(address: str) -> PartDown | None:
    return _unless(
        lambda: _answers(f"{address}/health"),
        PartDown(
            part=f"MLflow at {address}",
            missing="Links to its pages lead nowhere; everything else is as ever.",
            do=_START,
        ),
    )


def _answers(url: str) -> bool:
    return httpx.get(url, timeout=PATIENCE).status_code < 500


def _unless(answers: Callable[[], bool], part: PartDown) -> PartDown | None:
    try:
        return None if answers() else part
    except Exception as error:  # whatever it is, the page must still answer
        _logger.info("%s does not answer: %s", part.part, error)
        return part
