"""What queries refer to, found in the record: folders, and moments with their table versions."""

from __future__ import annotations

import pytest

from cv_pipeline.catalog.datalake.references import References
from cv_pipeline.errors import ObjectNotFound, ProvenanceError, SettingsError
from cv_pipeline.provenance.lake_references import LakeReferences
from cv_pipeline.storage import open_store
from tests.provenance.recorded_world import RecordedWorld, sha

IMAGE = sha("image")


@pytest.fixture
def world(instance, tmp_path):
    return RecordedWorld(instance, open_store(str(tmp_path / "store")))


@pytest.fixture
def references(world, tmp_path) -> References:
    return LakeReferences(
        project="p", store=world.store, instance=world.instance, cache=tmp_path / "cache"
    )


@pytest.fixture
def history(world):
    """Three dataset versions with a model each; precision goes up and down again."""
    told = []
    for number, precision in ((1, 0.7), (2, 0.93), (3, 0.88)):
        world.labels[IMAGE] = f"label-{number}"
        dataset = world.dataset({IMAGE: "test"}, world.raw(number))
        model = world.model(dataset, f"m{number}")
        row = {"image_id": IMAGE, "split": "test", "score": 0.5}
        evaluation = world.evaluation(
            model, dataset, [row], precision=precision, AP50=precision - 0.1
        )
        told.append((dataset, model, evaluation))
    return told


def test_folders(references, history):
    (dataset, model, evaluation), _, (newest, _, newest_evaluation) = history
    assert references.dataset(f"p@{dataset.version[:10]}").name == dataset.version
    assert references.dataset("p@latest").name == newest.version
    assert references.dataset("latest").name == newest.version
    assert references.evaluation(model.version).name == evaluation.version
    assert references.evaluation("p@latest").name == newest_evaluation.version
    predictions = references.predictions(model.version)
    assert predictions.name == evaluation.input("p/predictions").version
    assert (predictions / "predictions.parquet").is_file()


def test_of_several_predictions_of_a_model_the_newest_counts(world, references, history):
    _, model, _ = history[0]
    newer, _, _ = history[2]
    again = world.evaluation(
        model, newer, [{"image_id": IMAGE, "split": "test", "score": 0.1}], precision=0.1
    )
    assert references.evaluation(model.version).name == again.version
    found = references.predictions(model.version)
    assert found.name == again.input("p/predictions").version


def test_what_was_materialized_since_is_found(world, references, history):
    assert references.dataset("latest").name == history[2][0].version
    world.labels[IMAGE] = "label-4"
    newest = world.dataset({IMAGE: "test"}, world.raw(4))
    assert references.dataset("latest").name == newest.version


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("precision >= 0.91", 2),
        ("precision>=91%", 2),
        ("p/precision > 0.5", 1),
        ("precision = 0.88", 3),
        ("precision<0.9", 1),
        ("AP50 > .8", 2),
    ],
)
def test_the_first_evaluation_at_which_a_condition_held(references, history, text, number):
    moment = references.moment(text)
    dataset, _, evaluation = history[number - 1]
    assert moment.dataset == dataset.version
    assert moment.table_versions == {
        "images": number, "image_metadata": number, "image_tags": number, "annotations": 7
    }  # fmt: skip
    assert evaluation.version[:12] in moment.what


def test_a_value_that_was_never_reached_names_the_nearest(references, history):
    best = history[1][2].version[:12]
    with pytest.raises(ProvenanceError, match=rf"precision >= 0.95 never held .* 0.9300.*{best}"):
        references.moment("precision >= 0.95")
    with pytest.raises(ProvenanceError, match=r"precision <= 0.1 never held .* 0.7000"):
        references.moment("precision <= 0.1")


def test_an_unknown_metric_names_the_nearest(references, history):
    with pytest.raises(ProvenanceError, match=r"a metric 'precison'.*'precision'"):
        references.moment("precison >= 0.91")


def test_a_condition_before_there_is_any_evaluation(references, world):
    world.raw(1)
    with pytest.raises(ProvenanceError, match="has no evaluation yet"):
        references.moment("precision >= 0.5")


def test_datasets_evaluations_and_metrics_are_moments(references, history):
    dataset, _, evaluation = history[1]
    for text in (
        dataset.version,
        f"p@{dataset.version[:9]}",
        evaluation.version[:12],
        f"p@{evaluation.version}",
        f"p/precision@{evaluation.version[:10]}",
    ):
        moment = references.moment(text)
        assert (moment.dataset, moment.table_versions["images"]) == (dataset.version, 2)
    assert references.moment("p@latest").dataset == history[2][0].version


def test_mistakes_are_explained(world, references, history):
    with pytest.raises(ProvenanceError, match=r"'ffff' is no moment: .*precision >= 0\.91"):
        references.moment("ffff")
    with pytest.raises(ProvenanceError, match="No dataset_version has the version 'ffff'"):
        references.dataset("ffff")
    with pytest.raises(ProvenanceError, match=r"'q' has no dataset_version"):
        references.dataset("q@latest")
    dataset = history[2][0]
    alone = world.model(dataset, "alone")
    with pytest.raises(ProvenanceError, match=r"has no predictions in the event log"):
        references.predictions(alone.version)
    with pytest.raises(ProvenanceError, match=r"has no eval_slices in the event log"):
        references.evaluation(alone.version)
    world.store.delete(f"projects/p/datasets/{dataset.version}/dataset.json")
    with pytest.raises(ObjectNotFound, match=r"dataset\.json"):
        references.dataset("latest")


def test_versions_that_a_dataset_did_not_record_are_those_of_its_candidate(world, references):
    candidate = world.report("dataset_candidate", sha("c"), table_versions={"images": 5})
    dataset = world.report("dataset_version", sha("d"), candidate)
    assert references.moment(dataset.version).table_versions == {"images": 5}
    lost = world.report("dataset_version", sha("e"))
    with pytest.raises(ProvenanceError, match="recorded no table versions"):
        references.moment(lost.version)


def test_without_a_dagster_home_it_says_so(world, tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(SettingsError, match="DAGSTER_HOME is not set"):
        LakeReferences(project="p", store=world.store, cache=tmp_path).dataset("latest")
