"""Comparisons and leaderboards from references, on evaluations that were recorded, not run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import cv_pipeline
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.cli import app
from cv_pipeline.cli.app import console
from cv_pipeline.datasets.manifest import MANIFEST
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.evaluation import evaluate
from cv_pipeline.project import find_project
from cv_pipeline.provenance import LineageIndex, Materialization
from cv_pipeline.provenance.comparisons import evaluations_to_compare, find_model
from cv_pipeline.storage import open_store, publish
from tests.provenance.recorded_world import report, sha, write_table
from tests.tiny_world import TinyWorld

PROJECT = """\
name: fruit
task: classification
charter: {problem: name fruit}
source: {images: images}
annotations: {source: labels.csv}
ontology: {labels: [apple, kiwi]}
training: {model: any, input_size: [32, 32]}
evaluation: {min_slice: 5}
"""
IMAGES = tuple(f"i{n:02}" for n in range(40))
NO_METADATA = pa.table({c: pa.array([], pa.string()) for c in ("image_id", "key", "value")})


class World:
    """Models of one project that were evaluated on dataset versions."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.store = open_store(str(root / "store"))
        self._root = root

    def dataset(self, images: tuple[str, ...] = IMAGES) -> Materialization:
        key = self._key("datasets", sha(*images))
        manifest = [{"image_id": i, "path": i, "split": "test"} for i in images]
        write_table(self.store, f"{key}/manifest.parquet", manifest, MANIFEST)
        apples = [{"image_id": i, "label": "apple", "kind": "class"} for i in images]
        write_table(self.store, f"{key}/annotations.parquet", apples, ANNOTATIONS)
        record = json.dumps({"digest": sha(*images)})
        self.store.write(f"{key}/dataset.json", record.encode())
        return self._report("dataset_version", sha(*images), images=list(images))

    def model(self, name: str, dataset: Materialization, **facts: Any) -> Materialization:
        key = self._key("models", sha(name))
        self.store.write(f"{key}/model.safetensors", b"0" * 1000)
        self.store.write(f"{key}/model.json", b'{"weights": 250}')
        return self._report("trained_model", sha(name), dataset, **facts)

    def evaluation(
        self, model: Materialization, dataset: Materialization, wrong: int, **facts: Any
    ) -> Materialization:
        """Of a model that takes the first so many images for kiwis."""
        images = dataset.metadata["images"]
        digest = sha(model.version, dataset.version)
        key = self._key("predictions", digest)
        said = [
            {"image_id": i, "rank": 1, "label": "kiwi" if n < wrong else "apple", "score": 0.9}
            for n, i in enumerate(images)
        ]
        write_table(self.store, f"{key}/predictions.parquet", said, PREDICTIONS)
        header = {
            "digest": digest,
            "model_digest": model.version,
            "dataset_digest": dataset.version,
            "splits": ["test"],
        }
        self.store.write(f"{key}/predictions.json", json.dumps(header).encode())
        predictions = self._report("predictions", digest, model, dataset, **facts)
        folders = self._root / "store" / "projects" / "fruit"
        made = evaluate(
            project=find_project("fruit", self._root / "projects"),
            dataset=folders / "datasets" / dataset.version,
            predictions=folders / "predictions" / digest,
            metadata=NO_METADATA,
            folder=self._root / f"evaluation-{digest[:9]}",
        )
        key = self._key("evaluations", made.digest)
        publish(self.store, key, made.folder, marker="evaluation.json")
        return self._report(
            "eval_slices",
            made.digest,
            predictions,
            dataset,
            **made.metrics,
            metric="accuracy",
            split="test",
            model=model.version,
            dataset=dataset.version,
            intervals={m: vars(i) for m, i in made.record.intervals.items()},
        )

    def _report(self, asset: str, version: str, *read: Materialization, **facts: Any):
        return report(self.instance, asset, version, read, project="fruit", metadata=facts)

    def _key(self, kind: str, digest: str) -> str:
        return f"projects/fruit/{kind}/{digest}"


@contextmanager
def world_in(folder: Path) -> Iterator[World]:
    """An empty world, which the environment names meanwhile."""
    home = folder / "home"
    (home / "dagster").mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "projects" / "fruit").mkdir(parents=True)
    (folder / "projects" / "fruit" / "project.yaml").write_text(PROJECT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        patch.setenv("CV_STORE", str(folder / "store"))
        patch.setenv("CV_PROJECTS", str(folder / "projects"))
        patch.setattr(console, "width", 200)
        with dg.DagsterInstance.get() as instance:
            yield World(folder, instance)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Models with 20, 4 and 5 mistakes on one dataset version; the newest is the last.

    Look, and do not touch.
    """
    with world_in(tmp_path_factory.mktemp("three")) as made:
        dataset = made.dataset()
        for name, wrong in (("poor", 20), ("best", 4), ("good", 5)):
            model = made.model(name, dataset, seconds=wrong * 10.0)
            made.evaluation(model, dataset, wrong, latency_p95_ms=float(wrong))
        report(made.instance, "champion", sha("best"), project="fruit")
        yield made


def cvp(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_compare(three: World) -> None:
    found = json.loads(cvp("compare", "fruit", sha("poor")[:12], sha("best")[:12], "--json"))
    assert found["images"] == 40
    assert found["metrics"]["accuracy"]["difference"] == pytest.approx(0.4)
    assert found["metrics"]["accuracy"]["p_value"] == pytest.approx(2 * 0.5**16)
    assert (found["gained"], found["lost"]) == (16, 0)
    assert len(found["changed"]) == 10
    assert found["costs"]["latency_p95_ms"] == {"before": 20.0, "after": 4.0}
    assert found["costs"]["training_seconds"] == {"before": 200.0, "after": 40.0}
    assert found["costs"]["model_bytes"] == {"before": 1000.0, "after": 1000.0}
    assert found["verdict"].startswith("better on accuracy by 0.4 (")
    told = cvp("compare", "fruit", sha("poor")[:12], sha("best")[:12])
    for words in ("better on accuracy by 0.4", "apple: kiwi → apple", "latency_p95_ms", "gained"):
        assert words in told


def test_latest_and_champion_are_references(three: World) -> None:
    found = cv_pipeline.compare("fruit", "champion", "latest")
    assert (found.before, found.after) == (sha("best"), sha("good"))
    assert found.verdict.startswith("no significant difference on accuracy: -0.025")


def test_the_newest_dataset_version_that_both_were_evaluated_on_is_taken(world: World) -> None:
    old, shared, newest = (world.dataset(IMAGES[n:]) for n in (0, 5, 10))
    first, second = (world.model(name, old) for name in ("first", "second"))
    for dataset in (old, shared):
        for model in (first, second):
            world.evaluation(model, dataset, 3)
    world.evaluation(second, newest, 3)
    found = evaluations_to_compare(LineageIndex(world.instance), first, second)
    assert {e.metadata["dataset"] for e in found} == {shared.version}
    third = world.model("third", newest)
    world.evaluation(third, newest, 8)
    made = cv_pipeline.compare("fruit", sha("first"), sha("third"))
    assert made.datasets == (shared.version, newest.version)
    assert made.images == 30
    assert "30 images of test are in both, 5 only in the first" in made.notes[0]


def test_references_that_lead_nowhere(world: World) -> None:
    log = LineageIndex(world.instance)
    alone = world.model("alone", world.dataset())
    with pytest.raises(ProvenanceError, match="has no champion yet"):
        find_model(log, "fruit", "champion")
    # a model failed its verdict, and there was no champion before it
    report(
        world.instance, "champion", sha("nobody"), project="fruit", metadata={"champion": "none"}
    )
    with pytest.raises(ProvenanceError, match="has no champion yet"):
        find_model(log, "fruit", "champion")
    with pytest.raises(ProvenanceError, match="No trained_model has the version 'ffff'"):
        find_model(log, "fruit", "ffff")
    with pytest.raises(ProvenanceError, match="was never evaluated"):
        evaluations_to_compare(log, alone, alone)
    with pytest.raises(ProvenanceError, match="No model was evaluated on the dataset version"):
        cv_pipeline.leaderboard("fruit", dataset="latest")


def test_leaderboard(three: World) -> None:
    found = cv_pipeline.leaderboard("fruit")
    assert [e.model for e in found.entries] == [sha("best"), sha("good"), sha("poor")]
    assert [e.place for e in found.entries] == [1, 2, 3]
    assert (found.metric, found.split, found.models) == ("accuracy", "test", 3)
    best, good, poor = found.entries
    assert best.value == pytest.approx(0.9)
    assert best.low < best.value < best.high
    assert (best.difference, best.p_value, best.significant) == (None, None, None)
    assert (good.difference, good.significant) == (pytest.approx(-1 / 40), False)
    assert (poor.difference, poor.significant) == (pytest.approx(-16 / 40), True)
    assert poor.costs["latency_p95_ms"] == 20.0
    assert poor.costs["model_bytes"] == 1000.0
    told = cvp("leaderboard", "fruit", "-n", "2")
    assert "2 of 3 models" in told
    assert "may be chance" in told
    assert sha("poor")[:12] not in told
    assert json.loads(cvp("leaderboard", "fruit", "--json"))["entries"][2]["significant"]


def test_a_metric_that_is_better_the_lower_is_sorted_the_other_way(three: World) -> None:
    found = cv_pipeline.leaderboard("fruit", metric="ece")
    assert [e.model for e in found.entries] == [sha("best"), sha("good"), sha("poor")]
    assert found.entries[0].value < found.entries[1].value
    assert "there is no paired test of ece" in found.notes[0]


def test_a_dataset_version_by_reference_and_a_metric_that_is_not_there(three: World) -> None:
    assert cv_pipeline.leaderboard("fruit", dataset=sha(*IMAGES)[:12]).models == 3
    with pytest.raises(ProvenanceError, match=r"the metric 'acuracy'\. Did you mean 'accuracy'"):
        cv_pipeline.leaderboard("fruit", metric="acuracy")


def test_only_models_of_the_dataset_version_are_ranked_and_equal_ones_share_a_place(
    world: World,
) -> None:
    dataset, other = world.dataset(), world.dataset(IMAGES[:9])
    for name, of in (("c", other), ("a", dataset), ("b", dataset)):
        event = world.evaluation(world.model(name, of), of, 3)
    made = cv_pipeline.leaderboard("fruit")
    assert [e.place for e in made.entries] == [1, 1]
    # an evaluation that cannot be read is listed, untested
    record = Path(f"{world.store.url}/projects/fruit/evaluations/{event.version}/evaluation.json")
    record.write_text("{}")
    found = cv_pipeline.leaderboard("fruit")
    assert [e.significant for e in found.entries] == [None, None]
    assert "not tested, for its evaluation cannot be read" in found.notes[0]


def test_on_what_the_pipeline_made(materialized_world: TinyWorld) -> None:
    done = materialized_world.cvp("compare", "tiny", "latest", "latest", "--json")
    found = json.loads(done.stdout)
    assert found["notes"][0] == "Both evaluations are of one model."
    assert {"AP", "AP50", "recall"} < set(found["metrics"])
    assert found["metrics"]["AP50"]["difference"] == 0.0
    assert {row["slice_key"] for row in found["slices"]} == {"camera"}
    assert found["costs"]["latency_p95_ms"]["before"] > 0
    told = materialized_world.cvp("leaderboard", "tiny").stdout
    assert "1 of 1 models" in told
    assert "note" not in told
