"""What a killed process left is swept; what a living one, or another host, has is not."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cv_pipeline.storage.scratch import scratch_folder

CODE = """
import sys, time
from pathlib import Path
from cv_pipeline.storage.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), project=sys.argv[2]) as folder:
    (folder / "staged").mkdir()
    (folder / "staged" / "images").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    """Starts a process that works in a scratch folder of a project."""
    started = []

    def begin(project: str) -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(tmp_path), project], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_folder_is_gone_at_the_end(tmp_path):
    with scratch_folder(tmp_path / "scratch", project="cells") as folder:
        (folder / "file").write_bytes(b"x")
    assert not folder.exists()
    with (
        pytest.raises(ValueError, match="broken"),
        scratch_folder(tmp_path / "scratch", project="cells") as folder,
    ):
        raise ValueError("broken")
    assert not folder.exists()


def test_what_a_killed_process_left_is_swept(tmp_path, start):
    process, left = start("red-cells")
    with scratch_folder(tmp_path, project="red-cells"):
        assert (left / "staged" / "images").exists()  # it is at work
    process.send_signal(signal.SIGKILL)
    process.wait()
    for other in ("cells", "red"):
        with scratch_folder(tmp_path, project=other):
            assert left.exists()  # not this project's
    with scratch_folder(tmp_path, project="red-cells") as folder:
        assert not left.exists()
        with scratch_folder(tmp_path, project="red-cells"):
            assert folder.exists()


def test_the_start_time_tells_a_process_from_a_later_one(tmp_path):
    me = psutil.Process()
    here = tmp_path / platform.node()
    earlier = here / f"cells-{me.pid}-{me.create_time() - 3600:.2f}-abc"
    nearly = here / f"cells-{me.pid}-{me.create_time() - 2:.2f}-abc"  # the clock was set
    for folder in (earlier, nearly):
        folder.mkdir(parents=True)
    with scratch_folder(tmp_path, project="cells"):
        assert (earlier.exists(), nearly.exists()) == (False, True)


def test_other_hosts_and_other_names_are_left_alone(tmp_path):
    kept = [
        tmp_path / "another-host" / "cells-1-0.00-abc",
        tmp_path / platform.node() / "cells-notes",
        tmp_path / platform.node() / "cells-a-b-c",
    ]
    for folder in kept:
        folder.mkdir(parents=True)
    with scratch_folder(tmp_path, project="cells"):
        assert all(folder.exists() for folder in kept)
