"""`cvp checks`, sticky splits and folds on a world on which everything was run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cv_pipeline.vocabulary import CHECK_NAMES
from tests.tiny_world import TinyWorld, write_image

DATASET = ("dataset_candidate", "dataset_version")


def cvp(world: TinyWorld, *arguments: str, status: int = 0) -> Any:
    """Run a command with ``--json`` and return what it printed."""
    done = world.cvp(*arguments, "--json", check=False)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def folders(world: TinyWorld, kind: str) -> list[Path]:
    """Published folders of a kind, oldest first."""
    found = (world.home / "store" / "projects" / "tiny" / kind).iterdir()
    return sorted(found, key=lambda p: p.stat().st_mtime)


def splits(folder: Path) -> dict[str, tuple[str, int | None]]:
    rows = pq.read_table(folder / "manifest.parquet").to_pylist()
    return {r["image_id"]: (r["split"], r["fold"]) for r in rows}


def test_the_verdicts_of_the_newest_candidate(materialized_world: TinyWorld) -> None:
    told = cvp(materialized_world, "checks", "tiny")
    assert [c["check"] for c in told["checks"]] == list(CHECK_NAMES)
    assert not any(c["blocks"] for c in told["checks"])
    assert all(c["at"] and c["summary"] for c in told["checks"])
    text = materialized_world.cvp("checks", "tiny", "--candidate", told["candidate"][:10])
    assert "class_coverage" in text.stdout
    assert "All 2 classes are in every split." in text.stdout


def test_the_rows_of_one_check(materialized_world: TinyWorld) -> None:
    told = cvp(materialized_world, "checks", "tiny", "class_coverage")
    assert told["passed"]
    assert told["metrics"]["classes"] == 2
    assert [row["label"] for row in told["found"]] == ["red", "blue"]
    assert all(row["status"] == "covered" for row in told["found"])
    text = materialized_world.cvp("checks", "tiny", "class_coverage").stdout
    assert "red" in text
    assert "covered" in text


def test_a_check_or_candidate_that_is_not_there(materialized_world: TinyWorld) -> None:
    told = cvp(materialized_world, "checks", "tiny", "leakge", status=1)
    assert "There is no check 'leakge'" in told["error"]
    assert "leakage" in told["do"]
    told = cvp(materialized_world, "checks", "tiny", "--candidate", "0" * 12, status=1)
    assert "No dataset_candidate has the version" in told["error"]


def test_new_images_leave_the_others_where_they_are_and_folds_are_trained_on(
    own_world: TinyWorld,
) -> None:
    (first,) = folders(own_world, "datasets")
    labels = own_world.annotations.read_text()
    for number in range(40, 60):
        path = f"{number:03d}.png"
        boxes = write_image(own_world.images / path, seed=(0, number))
        labels += "".join(f"{path},{x},anna,{a},{b},{a + w},{b + h}\n" for x, a, b, w, h in boxes)
    own_world.annotations.write_text(labels)
    stages = ("raw_images", "image_features", "annotation_exports", *DATASET)
    own_world.run("cvp", "run", "tiny", "--select", ",".join(stages))
    before, after = splits(first), splits(folders(own_world, "datasets")[-1])
    assert (len(before), len(after)) == (40, 60)
    assert {i: after[i] for i in before} == before
    shares = [s for s, _ in after.values()]
    assert (shares.count("val"), shares.count("test")) == (12, 12)

    project = own_world.project_file
    project.write_text(project.read_text().replace("split: {", "split: {folds: 3, "))
    config = {"ops": {"trained_model": {"config": {"fold": 2}}}}
    chosen = " or ".join(f'key:"tiny/{asset}"' for asset in (*DATASET, "trained_model"))
    own_world.materialize(chosen, config_json=json.dumps(config))
    folded = splits(folders(own_world, "datasets")[-1])
    assert {i: s for i, (s, _) in folded.items()} == {i: s for i, (s, _) in after.items()}
    card = json.loads((folders(own_world, "models")[-1] / "model.json").read_text())
    assert card["folds"] == {"train": [1, 3], "validation": 2}
    assert card["validation_images"] == sum(f == 2 for _, f in folded.values())
    traced = cvp(own_world, "trace", "model", "tiny@latest")
    assert traced["node"]["metadata"]["fold"] == 2
