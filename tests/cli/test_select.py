"""``cvp select``, ``cvp prelabels`` and ``cvp review-first``, as a user types them."""

from __future__ import annotations

import json
import sys

import pytest

from cv_pipeline.cli import app
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world, write_signatures
from tests.labeling.prelabelled_lake import prelabel, write_features


@pytest.fixture
def world(tmp_path, monkeypatch) -> DatalakeWorld:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    made = make_datalake_world(tmp_path)
    write_features(made, range(6))
    write_signatures(made, {n: [1, n] for n in range(6)})
    return made


@pytest.fixture
def cvp(monkeypatch, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cvp", *arguments])
        with pytest.raises(SystemExit) as ended:
            app()
        out = capsys.readouterr()
        return int(ended.value.code or 0), out.out, out.err

    return run


def test_images_are_chosen_and_the_arms_are_told(world, cvp):
    code, out, _ = cvp(
        *("select", "fruit", "--name", "a", "--algorithm", "diversity", "--images", "2")
    )
    assert code == 0
    assert "2 of 4 images set aside to label: a" in out
    assert "random (the control arm): 1" in out
    assert "diversity: 1" in out
    prelabel(world, {0: [("kiwi", 0.6)]})
    code, out, _ = cvp(
        *("select", "fruit", "--name", "b", "--algorithm", "rarity", "--images", "1", "--json")
    )
    told = json.loads(out)
    assert (told["images"], told["pool"], told["new"]) == (1, 2, True)


def test_a_misspelt_algorithm_is_told(world, cvp):
    code, _, err = cvp("select", "fruit", "--name", "a", "--algorithm", "divrsity")
    assert code == 1
    assert "No sample algorithm is called 'divrsity'" in err
    assert "Did you mean 'diversity'" in err


def test_pre_labels_are_listed_with_where_the_model_is_unsure(world, cvp):
    _, out, _ = cvp("prelabels", "fruit")
    assert "No pre-label was made yet. Make them: cvp prelabels fruit --make" in out
    prelabel(world, {0: [("kiwi", 0.9)], 2: [("lemon", 0.6)]})
    _, out, _ = cvp("prelabels", "fruit", "-n", "1")
    assert "2 suggestions on 4 images by m1; mean uncertainty 0.125" in out
    assert "2.jpg" in out
    assert "0.jpg" not in out
    told = json.loads(cvp("prelabels", "fruit", "--json")[1])
    assert [round(i["uncertainty"], 3) for i in told["images"]] == [0.4, 0.1, 0, 0]
    _, out, _ = cvp("prelabels", "fruit", "--acceptance")
    assert "No image that was pushed with pre-labels came back yet." in out
    assert json.loads(cvp("prelabels", "fruit", "--acceptance", "--json")[1]) == []


def test_what_to_review_first_is_listed_and_set_aside(world, cvp):
    code, out, _ = cvp("review-first", "fruit", "-n", "1", "--name", "again")
    assert code == 0
    assert "Their images are set aside to be labelled again: again" in out
    (batch,) = world.open().batches()
    assert (batch.name, batch.purpose, batch.images) == ("again", "relabel", 1)
    told = json.loads(cvp("review-first", "fruit", "--json")[1])
    assert {p["annotator"] for p in told["pieces"]} <= {"ann_1", "model:v1"}
    code, _, err = cvp("review-first", "fruit", "--algorithm", "anotator_risk")
    assert (code, "Did you mean 'annotator_risk'?" in err) == (1, True)
