"""The parent's side, with children that do in a moment what a training may do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cv_pipeline.errors import TrainingError
from cv_pipeline.training import process, run_training

ROOT = Path(__file__).resolve().parents[2]
REPORT = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1]).parent
report = dict(model_digest="a", metrics={}, epochs=[], parameters={}, hardware={}, seconds=1.0,
    training_seconds=1.0, peak_memory_bytes=1, mlflow_experiment_id="1", mlflow_run_id="r")
(folder / "report.json").write_text(json.dumps(report))
"""


@pytest.fixture
def child(monkeypatch, tmp_path) -> Callable[[str], None]:
    """Replaces the child process by a script."""

    def replace(code: str) -> None:
        script = tmp_path / "child.py"
        script.write_text(code)
        monkeypatch.setattr(process, "_COMMAND", (sys.executable, str(script)))

    return replace


@pytest.fixture
def spec(make_world, tmp_path):
    return make_world().spec(tmp_path / "model")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_lines_are_relayed_and_the_report_returned(child, spec):
    child(REPORT + "print('epoch 1'); print('epoch 2')")
    lines: list[str] = []
    report = run_training(spec, log=lines.append)
    assert report.model_digest == "a"
    assert lines == ["epoch 1", "epoch 2"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import os; os.kill(os.getpid(), 9)",
            r"(?s)killed \(SIGKILL\).*memory.*Lower training\.b",
        ),
        ("import os; os.kill(os.getpid(), 11)", r"was ended by SIGSEGV"),
        ("raise SystemExit(143)", r"was ended by SIGTERM"),
        ("raise ValueError('broken')", r"(?s)exited with status 1.*ValueError: broken"),
        ("import sys; print('x' * 9, file=sys.stderr); sys.exit(3)", r"(?s)status 3.*xxxxxxxxx"),
    ],
    ids=["killed", "segfault", "terminated", "traceback", "status"],
)
def test_how_a_child_ended_is_told(child, spec, code, message):
    child(code)
    with pytest.raises(TrainingError, match=message):
        run_training(spec, log=print)


def test_a_failure_that_the_child_explains(child, spec):
    child(
        "import json, pathlib, sys\n"
        "failure = pathlib.Path(sys.argv[1]).with_name('failure.json')\n"
        "failure.write_text(json.dumps({'what': 'It diverged.', 'do': 'Lower it.'}))\n"
        "sys.exit(1)"
    )
    with pytest.raises(TrainingError, match=r"^It diverged\. Lower it\.$"):
        run_training(spec, log=print)


def test_an_existing_output_is_not_overwritten(child, spec):
    spec.out.mkdir()
    with pytest.raises(TrainingError, match="exists already"):
        run_training(spec, log=print)


def test_the_job_lies_beside_the_output_and_is_removed(child, spec, tmp_path):
    child(REPORT + "print(sys.argv[1])")
    spec = spec.model_copy(update={"out": tmp_path / "made" / "model"})
    lines: list[str] = []
    run_training(spec, log=lines.append)
    job = Path(lines[0])
    assert job.parents[1] == tmp_path / "made"
    assert list((tmp_path / "made").iterdir()) == []


class Interrupted(BaseException):
    """Such as KeyboardInterrupt, or Dagster's."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupted, GeneratorExit, ValueError])
def test_an_interrupt_ends_the_child(child, spec, error):
    child("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    pids: list[int] = []

    def log(line: str) -> None:
        pids.append(int(line))
        raise error

    with pytest.raises(error):
        run_training(spec, log=log)
    assert gone(pids[0])


def test_a_child_that_ignores_the_request_is_killed(child, spec, monkeypatch):
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.2)
    child(
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    pids: list[int] = []

    def log(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training(spec, log=log)
    assert gone(pids[0])


def test_threads_of_the_child_sleep_while_they_wait(child, spec, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")  # what the user says counts
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    child(
        REPORT + "import os; print(os.environ['OMP_WAIT_POLICY'],"
        " os.environ['CUBLAS_WORKSPACE_CONFIG'])"
    )
    lines: list[str] = []
    run_training(spec, log=lines.append)
    assert lines == ["ACTIVE :4096:8"]


def test_a_child_dies_with_its_killed_parent():
    child = (
        "import os, sys, time; from cv_pipeline.training.lifeline import die_with\n"
        "die_with(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {child!r}, str(os.getpid())])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        assert gone(pid)


def test_a_child_whose_parent_is_gone_already_does_not_start():
    code = "from cv_pipeline.training.lifeline import die_with; die_with(1); print('alive')"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (out.returncode, out.stdout) == (1, "")
