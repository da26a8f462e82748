"""Lines of the audit log: written by many at once, whole after a crash, and found again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.inspector.audit import AuditLog, AuditLogError, Entry, Wanted, verify
from cv_pipeline.inspector.audit.entry import line_text, parse_line

_WRITER = """
import sys
from pathlib import Path
from cv_pipeline.inspector.audit import AuditLog, Entry
log = AuditLog(Path(sys.argv[1]))
print("begun", flush=True)
for i in range(int(sys.argv[2])):
    log.append(Entry("tag.set", f"image-{i}", user=sys.argv[3]))
"""


def writer(home, count, user):
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(home), str(count), user], stdout=subprocess.PIPE
    )


@pytest.fixture
def log(tmp_path):
    log = AuditLog(tmp_path)
    yield log
    log.close()


def test_lines_are_numbered_and_the_newest_comes_first(log):
    for name in ("a", "b", "c"):
        log.append(Entry("user.add", name, user="ada"))
    lines = log.read(Wanted())
    assert [(line.n, line.entry.target) for line in lines] == [(3, "c"), (2, "b"), (1, "a")]
    assert [line.entry.target for line in log.read(Wanted(), before=3, limit=1)] == ["b"]
    assert [line.n for line in log.export(Wanted())] == [1, 2, 3]


def test_a_log_without_lines_is_whole_and_empty(log):
    assert log.read(Wanted()) == []
    assert log.count(Wanted()) == 0
    assert verify(log).whole


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(user="ada"), ["a", "c"]),
        (Wanted(action="user"), ["a", "b"]),
        (Wanted(action="user.add"), ["a"]),
        (Wanted(action="use"), []),
        (Wanted(project="fruit"), ["c"]),
        (Wanted(target="b"), ["b"]),
        (Wanted(user="ada", action="user"), ["a"]),
        (Wanted(user="ada' OR '1'='1"), []),
        (Wanted(until=datetime.now(UTC) - timedelta(days=1)), []),
        (Wanted(since=datetime.now(UTC) - timedelta(days=1)), ["a", "b", "c"]),
    ],
)
def test_what_is_wanted_is_found(log, wanted, found):
    log.append(Entry("user.add", "a", user="ada"))
    log.append(Entry("user.disable", "b", user="eve"))
    log.append(Entry("username", "c", user="ada", project="fruit"))
    assert [line.entry.target for line in log.export(wanted)] == found
    assert log.count(wanted) == len(found)


def test_a_line_cannot_be_changed_or_removed_by_a_slip(log):
    log.append(Entry("user.add", "a", user="ada"))
    with sqlite3.connect(log.folder / "audit.db") as connection:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute("UPDATE lines SET user = 'eve'")
        with pytest.raises(sqlite3.IntegrityError, match="never removed"):
            connection.execute("DELETE FROM lines")


def test_nobody_else_may_read_the_log_or_its_key(log):
    log.append(Entry("user.add", "a", user="ada"))
    for path in log.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_several_processes_and_threads_write_one_chain(log, tmp_path):
    processes = [writer(tmp_path, 15, f"process-{i}") for i in range(2)]

    def write(name):
        for i in range(15):
            log.append(Entry("tag.set", f"image-{i}", user=name))

    threads = [threading.Thread(target=write, args=(f"thread-{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    verdict = verify(log)
    assert verdict.whole
    assert verdict.lines == 75
    by_writer = {}
    for line in log.export(Wanted()):
        by_writer.setdefault(line.entry.user, []).append(line.entry.target)
    assert len(by_writer) == 5
    assert all(targets == [f"image-{i}" for i in range(15)] for targets in by_writer.values())


def test_a_process_that_is_killed_leaves_whole_lines(log, tmp_path):
    process = writer(tmp_path, 100_000, "killed")
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 20
    while log.count(Wanted()) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    written = log.count(Wanted())
    assert written >= 20
    assert verify(log).whole
    log.append(Entry("user.add", "after", user="ada"))
    verdict = verify(log)
    assert verdict.whole
    assert verdict.lines in (written + 1, written + 2)  # the second says that it was recovered


def test_a_line_that_the_head_does_not_know_is_kept_and_told(log):
    log.append(Entry("user.add", "a", user="ada"))
    head = (log.folder / "audit.head").read_text()
    log.append(Entry("user.add", "b", user="ada"))
    (log.folder / "audit.head").write_text(head)  # as if the process had ended in between
    verdict = verify(log)
    assert verdict.whole
    assert "line 2" in verdict.remarks[0]
    log.append(Entry("user.add", "c", user="ada"))
    assert [line.entry.action for line in log.export(Wanted())] == [
        "user.add",
        "user.add",
        "audit.recovered",
        "user.add",
    ]
    assert verify(log).whole


def test_a_line_that_was_written_by_half_is_not_there(log):
    log.append(Entry("user.add", "a", user="ada"))
    connection = sqlite3.connect(log.folder / "audit.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO lines VALUES (2, 'half', '', '2026', 'ada', 'x', '', '')")
    connection.close()  # a process that ends never commits
    assert log.count(Wanted()) == 1
    log.append(Entry("user.add", "b", user="ada"))
    assert verify(log).whole


def test_without_its_key_nothing_is_added(log):
    log.append(Entry("user.add", "a", user="ada"))
    (log.folder / "audit.key").unlink()
    with pytest.raises(AuditLogError, match="is gone"):
        log.append(Entry("user.add", "b", user="ada"))
    with pytest.raises(AuditLogError, match="is gone"):
        verify(log)
    assert not (log.folder / "audit.key").exists()


def test_what_is_no_text_is_written_all_the_same(log):
    log.append(Entry("tag.set", "half \ud800 \0", user="ada", details={"\udfff": ["\ud800"]}))
    assert verify(log).whole
    assert log.read(Wanted())[0].entry.target == "half ? \0"


text = st.text(max_size=40)


@given(
    action=text,
    target=text,
    user=text,
    why=text,
    details=st.dictionaries(text, st.one_of(text, st.integers(), st.booleans(), st.none())),
)
def test_a_line_is_read_as_it_was_written(action, target, user, why, details):
    entry = Entry(action, target, user=user, why=why, details=details)
    written = line_text(7, entry, before="seal")
    line = parse_line(written, "its own")
    assert (line.n, line.before, line.entry) == (7, "seal", entry)
    assert "\n" not in written
    assert line_text(7, line.entry, before="seal") == written
    assert json.loads(written)["target"] == target
