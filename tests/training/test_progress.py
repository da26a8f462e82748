from __future__ import annotations

import os

import pytest

from cv_pipeline.training import progress as module
from cv_pipeline.training.progress import Progress, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_lines_are_due_a_few_seconds_after_the_last(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    reader, writer = os.pipe()
    progress = Progress(writer)
    assert not progress.due()
    now[0] += 3
    assert progress.due()
    progress.tell("épreuve")
    assert not progress.due()
    os.close(writer)
    assert os.read(reader, 100).decode() == "épreuve\n"
    os.close(reader)
