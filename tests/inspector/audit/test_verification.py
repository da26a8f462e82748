"""Who alters, removes or inserts a line of the audit log is found, with the line."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from cv_pipeline.inspector.audit import AuditLog, Entry, Head, Wanted, verify


@pytest.fixture
def log(tmp_path):
    log = AuditLog(tmp_path)
    for i in range(1, 9):
        log.append(Entry("tag.set", f"image-{i}", user="ada", project="fruit", why="for a test"))
    yield log
    log.close()


def tamper(log, *statements):
    """Change the file as somebody does who has it, but not the key."""
    with sqlite3.connect(log.folder / "audit.db") as connection:
        connection.execute("DROP TRIGGER never_changed")
        connection.execute("DROP TRIGGER never_removed")
        for statement in statements:
            connection.execute(*statement) if isinstance(statement, tuple) else connection.execute(
                statement
            )
    connection.close()


def faults(log, **more):
    return [(fault.kind, fault.first, fault.last) for fault in verify(log, **more).faults]


def test_an_untouched_log_is_whole(log):
    verdict = verify(log)
    assert verdict.whole
    assert verdict.lines == 8
    assert verdict.remarks == ()
    assert verdict.head.n == 8


TAKE_OUT = "DELETE FROM lines WHERE n = 4"
COPY = (
    "INSERT INTO lines SELECT {}, text, seal, at, user, action, project, target"
    " FROM lines WHERE n = 2"
)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        # what a line says
        (["UPDATE lines SET text = replace(text, 'ada', 'eve') WHERE n = 3"], ("altered", 3, 3)),
        # by one sign
        (["UPDATE lines SET text = text || ' ' WHERE n = 3"], ("altered", 3, 3)),
        # its seal
        (["UPDATE lines SET seal = '00' WHERE n = 1"], ("altered", 1, 1)),
        # the last one
        (["UPDATE lines SET text = replace(text, 'ada', 'eve') WHERE n = 8"], ("altered", 8, 8)),
        # only what it is found by
        (["UPDATE lines SET user = 'eve' WHERE n = 5"], ("altered", 5, 5)),
        (["UPDATE lines SET at = '2020' WHERE n = 5"], ("altered", 5, 5)),
        # no text of a line at all
        (["UPDATE lines SET text = 'null' WHERE n = 5"], ("altered", 5, 5)),
        # one in the middle, the first, several, the last ones
        ([TAKE_OUT], ("removed", 4, 4)),
        (["DELETE FROM lines WHERE n = 1"], ("removed", 1, 1)),
        (["DELETE FROM lines WHERE n BETWEEN 3 AND 5"], ("removed", 3, 5)),
        (["DELETE FROM lines WHERE n > 6"], ("removed", 7, 8)),
        (["DELETE FROM lines"], ("removed", 1, 8)),
        # a made-up line at the end
        (
            ["INSERT INTO lines VALUES (9, '{}', 'x', '2026', 'eve', 'x', '', '')"],
            ("inserted", 9, 9),
        ),
        # a copy of a genuine one at the end
        ([COPY.format(9)], ("inserted", 9, 9)),
    ],
)
def test_what_was_done_to_a_line_is_told_with_its_number(log, statements, expected):
    tamper(log, *statements)
    assert faults(log) == [expected]
    told = verify(log).faults[0].told
    assert str(expected[1]) in told


def test_a_line_between_others_is_told_as_inserted(log):
    tamper(
        log,
        "UPDATE lines SET n = n + 100 WHERE n > 3",
        "UPDATE lines SET n = n - 99 WHERE n > 100",
        "INSERT INTO lines VALUES (4, '{}', 'x', '2026', 'eve', 'x', '', '')",
    )
    found = faults(log)
    assert ("inserted", 4, 4) in found
    assert {kind for kind, *_ in found} == {"inserted", "moved"}


def test_a_line_that_takes_the_place_of_a_removed_one_is_told(log):
    tamper(log, TAKE_OUT, COPY.format(4))
    assert faults(log) == [("inserted", 4, 4), ("removed", 4, 4)]


def test_lines_that_changed_places_are_told(log):
    tamper(
        log,
        "UPDATE lines SET n = 100 WHERE n = 2",
        "UPDATE lines SET n = 2 WHERE n = 3",
        "UPDATE lines SET n = 3 WHERE n = 100",
    )
    assert faults(log) == [("moved", 2, 2), ("moved", 3, 3)]


def test_removal_at_the_end_stays_known_after_more_was_written(log):
    tamper(log, "DELETE FROM lines WHERE n > 6")
    log.append(Entry("tag.set", "later", user="ada"))
    assert faults(log) == [("removed", 7, 8)]
    assert [line.entry.action for line in log.read(Wanted(), limit=2)] == ["tag.set", "audit.gap"]


def test_a_missing_or_forged_head_is_told_for_ever(log):
    tamper(log, "DELETE FROM lines WHERE n > 6")
    head = log.folder / "audit.head"
    head.write_text(json.dumps(json.loads(head.read_text()) | {"n": 6}))
    assert faults(log) == [("headless", 7, 7)]
    head.unlink()
    assert faults(log) == [("headless", 7, 7)]
    log.append(Entry("tag.set", "later", user="ada"))
    assert faults(log) == [("headless", 7, 7)]


def test_going_back_to_an_old_copy_is_found_by_a_head_that_was_noted_elsewhere(log, tmp_path):
    shutil.copytree(log.folder, tmp_path / "old")
    log.append(Entry("tag.set", "to be forgotten", user="eve"))
    noted = verify(log).head
    shutil.rmtree(log.folder)
    shutil.copytree(tmp_path / "old", log.folder)
    assert verify(log).whole  # who has the whole folder can go back, unseen without a note
    assert faults(log, noted=noted) == [("removed", 9, 9)]
    log.append(Entry("tag.set", "another", user="eve"))
    assert faults(log, noted=noted) == [("forked", 9, 9)]
    assert faults(log, noted=Head(8, verify(log).head.seal)) == [("forked", 8, 8)]


def test_lines_of_another_log_are_strangers(log, tmp_path):
    other = AuditLog(tmp_path / "other")
    for i in range(8):
        other.append(Entry("tag.set", f"image-{i}", user="eve"))
    other.close()
    log.close()
    shutil.copy(other.folder / "audit.db", log.folder / "audit.db")
    assert [kind for kind, *_ in faults(log)] == ["altered"] * 8
