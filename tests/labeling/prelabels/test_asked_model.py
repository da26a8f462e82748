from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from cv_pipeline.errors import LabelingError
from cv_pipeline.labeling.prelabels import asked_model as module
from cv_pipeline.labeling.prelabels.asked_model import asked_model, why_none
from cv_pipeline.project import Project
from cv_pipeline.provenance import EventLog
from tests.labeling.batches.test_hand_off import project

NEWER, OLDER = "bb" * 32, "ab" * 32


@dataclass
class Trained:
    version: str


class Log:
    """An event log of two trained models, of which one was made again."""

    def __init__(self, *models: str) -> None:
        self._models = models

    def newest_first(self, key: str) -> Iterator[Trained]:
        assert key == "fruit/trained_model"
        return map(Trained, self._models)

    def of_version(self, key: str, version: str) -> Trained:
        return next(event for event in self.newest_first(key) if event.version == version)


LOG = Log(NEWER, OLDER, OLDER)


def as_log(log: Log) -> EventLog:
    """It has what is read of one."""
    return cast("EventLog", log)


@pytest.fixture(autouse=True)
def champion(monkeypatch) -> list[str | None]:
    """The champion, which a test may change."""
    told: list[str | None] = [None]
    monkeypatch.setattr(module, "champion_of", lambda *_, **__: told[0])
    return told


def asks(model: str) -> Project:
    return Project.model_validate(
        project().model_dump(exclude_unset=True) | {"labeling": {"prelabels": {"model": model}}}
    )


def ask(named: str | None = None, *, log: Log = LOG, of: Project | None = None) -> str:
    found = asked_model(as_log(log), of or project(), tracking_uri="", named=named)
    return found.version


def test_the_model_that_is_asked(champion):
    assert ask("latest") == NEWER
    assert ask("ab") == OLDER
    assert ask(of=asks("latest")) == NEWER
    assert ask(of=asks("abab")) == OLDER
    champion[0] = OLDER
    assert ask() == OLDER
    assert ask("champion") == OLDER


def test_without_a_champion_the_way_to_one_and_around_it_are_named():
    with pytest.raises(LabelingError) as raised:
        ask()
    told = str(raised.value)
    assert "No model of fruit is the champion yet, and labeling.prelabels.model is champion" in told
    assert "cvp prelabels fruit --make --model latest" in told
    assert f"projects/fruit/project.yaml: {NEWER[:12]}, {OLDER[:12]}. " in told
    assert "cvp verdict fruit" in told
    assert why_none(as_log(LOG), project(), tracking_uri="") == told
    with pytest.raises(LabelingError, match=r"No model of fruit was trained yet.*cvp run fruit"):
        ask("latest", log=Log())


def test_a_model_that_is_not_there_is_a_mistake():
    with pytest.raises(
        LabelingError, match=r"No trained models of fruit are 'cc'\. .*bbbbbbbbbbbb"
    ):
        ask("cc")
    with pytest.raises(LabelingError, match=r"labeling\.prelabels\.model of .* names it"):
        ask(of=asks("cc"))
    with pytest.raises(LabelingError, match=r"2 trained models of fruit are 'a'\. Give more"):
        ask("a", log=Log("aa" * 32, "ab" * 32))


def test_a_model_that_looked_at_nothing_yet_is_to_be_asked(champion):
    champion[0] = NEWER
    told = why_none(as_log(LOG), project(), tracking_uri="")
    assert (
        told == f"Model {NEWER[:12]} made no pre-labels yet. Make them: cvp prelabels fruit --make"
    )
