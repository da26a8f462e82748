"""What is opened when the inspector starts, what is left to the pages, and who goes first."""

from __future__ import annotations

import threading
import time

import pytest

from cv_pipeline.inspector import rendering, warm_up
from cv_pipeline.inspector.traffic import Traffic
from cv_pipeline.inspector.warm_up import WarmUp


class Opened:
    """Stands in for a workspace of which one project cannot be opened, and says what was asked."""

    def __init__(self, workspace):
        self._workspace = workspace
        self.asked = []

    def project_names(self):
        return ["broken", "large"]

    def snapshot(self, project):
        self.asked.append(("snapshot", project))
        if project == "broken":
            raise OSError("it is gone")
        return self._workspace.snapshot(project)

    def evaluated(self, project):
        self.asked.append(("evaluated", project))
        return self._workspace.evaluated(project)

    @property
    def kept(self):
        return self._workspace.kept


@pytest.fixture
def imported(monkeypatch):
    """Names of modules that it imports; none is."""
    names = []
    monkeypatch.setattr(warm_up, "import_module", names.append)
    monkeypatch.setattr(warm_up, "IDLE_SECONDS", 0.0)
    return names


@pytest.fixture
def opened(inspected, imported):
    return Opened(inspected().app.state.workspace)


def test_a_lake_that_cannot_be_opened_holds_up_no_other_and_what_is_counted_comes_last(opened):
    warming = WarmUp(opened, Traffic())
    warming.start()
    warming._thread.join(60)
    assert opened.asked[:4] == [
        ("snapshot", "broken"),
        ("snapshot", "large"),
        ("evaluated", "broken"),
        ("evaluated", "large"),
    ]
    assert {("snapshot", "broken"), ("snapshot", "large")} == set(opened.asked[4:])


def test_it_ends_with_the_inspector(opened):
    warming = WarmUp(opened, Traffic())
    warming._ended.set()
    warming.start()
    warming.end()
    assert opened.asked == []


def test_it_begins_when_everybody_has_an_answer(opened, monkeypatch):
    monkeypatch.setattr(warm_up, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(warm_up, "_LOOK_AGAIN", 0.001)
    traffic = Traffic()
    warming = WarmUp(opened, traffic)
    with traffic.request():
        warming.start()
        time.sleep(0.1)
        assert opened.asked == []
    warming._thread.join(60)
    assert ("evaluated", "large") in opened.asked


def test_where_somebody_always_asks_it_goes_on_beside_them(opened, monkeypatch):
    monkeypatch.setattr(warm_up, "PATIENCE", 0.05)
    traffic = Traffic()
    warming = WarmUp(opened, traffic)
    with traffic.request():
        warming.start()
        warming._thread.join(60)
    assert ("evaluated", "large") in opened.asked


def test_it_ends_at_once_while_it_gives_way(opened):
    traffic = Traffic()
    warming = WarmUp(opened, traffic)
    with traffic.request():
        warming.start()
        warming.end()
    assert opened.asked == []


def test_the_libraries_of_models_come_when_nobody_asks_and_only_where_there_is_a_model(
    opened, imported, monkeypatch
):
    monkeypatch.setattr(warm_up, "PATIENCE", 0.0)
    monkeypatch.setattr(warm_up, "_LOOK_AGAIN", 0.001)
    monkeypatch.setattr(warm_up, "IDLE_SECONDS", 0.05)
    traffic = Traffic()
    warming = WarmUp(opened, traffic)
    with traffic.request():
        warming.start()
        time.sleep(0.2)
        assert imported == []
    warming._thread.join(60)
    assert imported == ["cv_pipeline.evaluation.activation_maps.explainer"]

    monkeypatch.setattr(opened, "project_names", lambda: ["broken"])
    monkeypatch.setattr(opened, "evaluated", lambda project: {}[project])
    none = WarmUp(opened, Traffic())
    none.start()
    none._thread.join(60)
    assert len(imported) == 1


def test_the_first_page_finds_its_template_compiled(opened):
    rendering._environment.cache_clear()
    warming = WarmUp(opened, Traffic())
    warming._ended.set()
    warming.start()
    names = {name for _, name in rendering._environment().cache}
    assert "pages/images.html" in names


def test_requests_are_under_way_until_the_last_is_answered():
    traffic = Traffic()
    assert traffic.quiet_for() == float("inf")
    answered = threading.Event()

    def ask():
        with traffic.request():
            answered.wait(10)

    both = [threading.Thread(target=ask) for _ in range(2)]
    for one in both:
        one.start()
    with traffic.request():
        pass
    assert traffic.quiet_for() == 0
    answered.set()
    for one in both:
        one.join()
    assert 0 < traffic.quiet_for() < 10
