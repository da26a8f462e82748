from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from cv_pipeline.errors import ProvenanceError
from cv_pipeline.evaluation.verdict.champion import Rival, Standing
from cv_pipeline.provenance import EventLog
from cv_pipeline.provenance.evaluated import costs_of, find_evaluated, parent_of, rival_of
from cv_pipeline.storage import ObjectStore, open_store
from tests.provenance.recorded_world import report, sha

OLD, NEW = sha("dataset", 1), sha("dataset", 2)
CHAMPION, OTHER = sha("model", 1), sha("model", 2)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def evaluate(instance: dg.DagsterInstance, name: str, **metadata: object):
    return report(instance, "eval_slices", sha("evaluation", name), metadata=metadata)


def rival(log: EventLog, evaluation: str = "first", metric: str = "AP50") -> Rival:
    standing = Standing(model=CHAMPION, dataset=OLD, evaluation=sha("evaluation", evaluation))
    return rival_of(log, standing, project="p", dataset=NEW, metric=metric)


def test_the_champion_is_compared_on_the_same_dataset_version(instance, log):
    evaluate(instance, "first", model=CHAMPION, dataset=OLD, AP50=0.9)
    evaluate(instance, "again", model=CHAMPION, dataset=NEW, AP50=0.7)
    evaluate(instance, "other", model=OTHER, dataset=NEW, AP50=0.1)
    assert rival(log) == Rival(0.7, NEW)


def test_or_else_where_it_was_promoted(instance, log):
    evaluate(instance, "first", model=CHAMPION, dataset=OLD, AP50=0.9)
    evaluate(instance, "later", model=CHAMPION, dataset=sha("dataset", 3), AP50=0.2)
    evaluate(instance, "other", model=OTHER, dataset=NEW, AP50=0.1)
    assert rival(log) == Rival(0.9, OLD)


def test_a_number_that_is_not_on_record(instance, log):
    evaluate(instance, "first", model=CHAMPION, dataset=OLD, AP50=0.9)
    assert rival(log, metric="AP") == Rival(None, OLD)
    assert rival(log, evaluation="lost") == Rival(None, OLD)


def test_an_evaluation_with_all_that_it_is_of(instance, log, store, tmp_path):
    dataset = report(instance, "dataset_version", OLD)
    model = report(instance, "trained_model", CHAMPION, [dataset], metadata={"seconds": 12.5})
    said = report(
        instance, "predictions", sha("said"), [model, dataset], metadata={"latency_p95_ms": 7.5}
    )
    # later ones that this evaluation has nothing to do with
    made = report(instance, "eval_slices", sha("made"), [said, dataset])
    report(instance, "trained_model", OTHER, [dataset])
    report(instance, "predictions", sha("later"), [model, dataset])
    found = find_evaluated(log, project="p", ref="latest", store=store, cache=tmp_path / "cache")
    assert found.event == made
    assert (found.predictions, found.model, found.dataset) == (said, model, dataset)
    assert found.project == "p"
    assert found.costs() == {"latency_p95_ms": 7.5, "training_seconds": 12.5}


def test_costs_are_those_on_record(instance, store):
    model = report(instance, "trained_model", CHAMPION, metadata={"seconds": 12.5})
    said = report(
        instance,
        "predictions",
        sha("said"),
        metadata={"seconds": 3.0, "throughput_images_per_s": 40.0, "latency_device": "a machine"},
    )
    folder = f"projects/p/models/{CHAMPION}"
    store.write(f"{folder}/model.safetensors", b"x" * 1000)
    store.write(f"{folder}/model.json", json.dumps({"weights": 250}).encode())
    assert costs_of(store, model=model, predictions=said) == {
        "model_bytes": 1000.0,
        "prediction_seconds": 3.0,
        "throughput_images_per_s": 40.0,
        "training_seconds": 12.5,
        "weights": 250.0,
    }


def test_a_parent_that_is_not_named(instance, log):
    made = report(instance, "eval_slices", sha("made"))
    with pytest.raises(ProvenanceError, match="does not say which p/predictions it was made"):
        parent_of(log, made, "predictions")
