"""Runs training and prediction in a child process and relays what it says.

The memory of torch goes back to the system when the work is done, running out of it does not kill
the caller, and no child is left behind: it ends when the caller is interrupted, fails or dies.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cv_pipeline.errors import TrainingError
from cv_pipeline.training.spec import (
    ActivationReport,
    ActivationSpec,
    Failure,
    Job,
    PredictionReport,
    PredictionSpec,
    Record,
    TrainingReport,
    TrainingSpec,
)

JOB = "job.json"
REPORT = "report.json"
FAILURE = "failure.json"
NO_MEMORY = (
    "Lower training.batch_size or training.input_size, or give the machine more memory; what ran"
    " beside it counts too."
)
_COMMAND = (sys.executable, "-m", "cv_pipeline.training")
_ENVIRONMENT = {
    # Threads that wait sleep: on a shared machine they would otherwise burn the cores that the
    # others need (an epoch took five times as long beside four busy processes).
    "OMP_WAIT_POLICY": "PASSIVE",
    # What cuBLAS needs for the same result twice.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
_GRACE_SECONDS = 10
_LAST_LINES = 15

Report = TypeVar("Report", bound=Record)


def run_training(spec: TrainingSpec, *, log: Callable[[str], None]) -> TrainingReport:
    """Train a model in a child process; ``spec.out`` is complete when this returns.

    Args:
        spec: what to train.
        log: takes a line of progress every few seconds.

    Raises:
        TrainingError: it could not be done; the message holds the reason, or the exit signal and
            the last lines of the process. Nothing is at ``spec.out`` then.
    """
    return _run(spec, TrainingReport, log=log)


def run_prediction(spec: PredictionSpec, *, log: Callable[[str], None]) -> PredictionReport:
    """Predict in a child process; ``spec.out`` is complete when this returns.

    Args:
        spec: what to predict.
        log: takes a line of progress every few seconds.

    Raises:
        TrainingError: it could not be done; nothing is at ``spec.out`` then.
    """
    return _run(spec, PredictionReport, log=log)


def run_explanation(spec: ActivationSpec, *, log: Callable[[str], None]) -> ActivationReport:
    """Make class-activation maps in a child process; ``spec.out`` is complete when this returns.

    Args:
        spec: what to explain.
        log: takes a line of progress every few seconds.

    Raises:
        TrainingError: it could not be done; nothing is at ``spec.out`` then.
    """
    return _run(spec, ActivationReport, log=log)


def _run(
    spec: TrainingSpec | PredictionSpec | ActivationSpec,
    report: type[Report],
    *,
    log: Callable[[str], None],
) -> Report:
    if spec.out.exists():
        raise TrainingError(f"{spec.out} exists already.", do="Name a folder that does not exist.")
    beside = spec.out.parent  # who clears that folder clears what a killed process left in it
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{spec.out.name}.job-", dir=beside) as name:
        folder = Path(name)
        job = Job(parent=os.getpid(), work=spec)
        (folder / JOB).write_text(job.model_dump_json(), encoding="utf-8")
        with (folder / "stderr.log").open("wb") as stderr:
            code = _relay(folder / JOB, stderr=stderr.fileno(), log=log)
        if code == 0:
            return report.model_validate_json((folder / REPORT).read_bytes())
        raise _error(spec.kind, code, folder)


def _relay(job: Path, *, stderr: int, log: Callable[[str], None]) -> int:
    """Run the child to its end and return its exit status."""
    process = subprocess.Popen(
        [*_COMMAND, str(job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=_ENVIRONMENT | os.environ,
        start_new_session=True,  # Ctrl-C reaches the parent, which then stops the child once
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            log(line.rstrip("\n"))
        return process.wait()
    finally:  # also when interrupted, whatever the exception is
        _stop(process)
        process.stdout.close()


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _error(kind: str, code: int, folder: Path) -> TrainingError:
    if (folder / FAILURE).exists():
        failure = Failure.model_validate_json((folder / FAILURE).read_bytes())
        return TrainingError(failure.what, do=failure.do)
    if code == -signal.SIGKILL:
        return TrainingError(
            f"The {kind} process was killed (SIGKILL), as the system does when memory runs out.",
            do=NO_MEMORY,
        )
    number = -code if code < 0 else code - 128  # a process that cleans up first exits with 128 + n
    known = number in set(signal.Signals)
    end = f"was ended by {signal.Signals(number).name}" if known else f"exited with status {code}"
    text = (folder / "stderr.log").read_text(encoding="utf-8", errors="replace")
    last = "\n".join(text.splitlines()[-_LAST_LINES:]) or "(it wrote nothing)"
    return TrainingError(
        f"The {kind} process {end}. Its last lines:\n{last}\n",
        do="If this is no fault of the data or the configuration, please report it.",
    )
