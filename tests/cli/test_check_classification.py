"""`cvp check classification` on one table: what CI sees, with no project and no state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cv_pipeline.cli import app

CLASSES = ("cat", "dog", "frog")


@pytest.fixture
def rows() -> dict[str, list[Any]]:
    """Forty images, scored in eighths so that the scores sum to 1."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 40)
    eighths = np.array([rng.multinomial(8, [0.7, 0.15, 0.15]) for _ in truth])
    scores = np.stack([np.roll(e, t) for e, t in zip(eighths, truth, strict=True)]) / 8
    return {
        "image_id": [f"i{n}" for n in range(40)],
        "truth": [CLASSES[t] for t in truth],
        **{f"score_{c}": scores[:, k].tolist() for k, c in enumerate(CLASSES)},
    }


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(rows: dict[str, list[Any]], name: str = "answers.csv") -> str:
    table = pa.table(rows)
    if name.endswith(".parquet"):
        pq.write_table(table, name)
    else:
        pa.csv.write_csv(table, name)
    return name


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", "classification", *arguments])


def found(*arguments: str, status: int = 0) -> dict[str, Any]:
    result = check(*arguments, "--json")
    assert result.exit_code == status, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_scores_of_every_class(rows):
    answer = found(written(rows))
    scores = np.stack([rows[f"score_{c}"] for c in CLASSES], axis=1)
    truth = np.array([CLASSES.index(t) for t in rows["truth"]])
    assert answer["images"] == 40
    assert answer["metrics"]["accuracy"]["value"] == (scores.argmax(axis=1) == truth).mean()
    assert {"AUROC", "log_loss", "brier", "ece", "adaptive_ece"} < set(answer["metrics"])
    assert answer["classes"]["dog"]["images"] == (truth == 1).sum()
    assert sum(cell["count"] for cell in answer["confusion"]) == 40
    assert sum(b["count"] for b in answer["reliability"]) == 40
    assert (answer["notes"], answer["thresholds"], answer["passed"]) == ([], [], True)
    assert "95 %" in answer["conventions"]["intervals"]


def test_csv_and_parquet_say_the_same(rows):
    assert found(written(rows)) == found(written(rows, "answers.parquet"))


def test_predicted_classes_alone(rows):
    table = written({"label": ["cat", "dog", "dog", "3"], "model": ["cat", "cat", "dog", ""]})
    answer = found(table, "--truth", "label", "--prediction", "model")
    assert answer["metrics"]["accuracy"]["value"] == 0.5
    assert answer["unanswered"] == 1
    assert answer["notes"] == ["1 images have no prediction and count as wrong."]
    assert "ece" not in answer["metrics"]
    assert list(answer["classes"]) == ["3", "cat", "dog"]


def test_predicted_classes_with_their_score():
    table = written(
        {"truth": ["a", "b"], "predicted": ["a", "a"], "score": [0.75, 0.25]}, "answers.tsv"
    )
    Path(table).write_text(Path(table).read_text().replace(",", "\t"))
    answer = found(table)
    assert answer["metrics"]["ece"]["value"] == pytest.approx(0.25)
    assert "AUROC" not in answer["metrics"]


def test_thresholds_set_the_exit_status(rows):
    table = written(rows)
    assert found(table, "--min", "accuracy=0.5", "--max", "ece=0.9")["passed"]
    answer = found(table, "--min", "accuracy=0.5", "--min", "dog/recall=1.01", status=1)
    assert [t["passed"] for t in answer["thresholds"]] == [True, False]
    told = check(table, "--max", "log_loss=0.0001")
    assert told.exit_code == 1
    assert "missed: log_loss" in told.stdout


def test_a_threshold_on_what_is_not_defined_is_missed():
    table = written({"truth": ["a", "b"], "predicted": ["a", "b"]})
    (held,) = found(table, "--min", "AUROC=0.5", status=1)["thresholds"]
    assert (held["value"], held["passed"]) == (None, False)


def test_what_is_unusual_is_noted(rows):
    rows["truth"][:2] = ["", ""]
    rows["score_cat"][5] = 0.9
    rows["score_dog"][5] = 0.9
    rows["predicted"] = ["frog"] * 40
    notes = " ".join(found(written(rows))["notes"])
    assert "2 of 40 rows have no true class and are left out." in notes
    assert "The scores of 1 images do not sum to 1" in notes
    assert "images is not their highest score" in notes


def test_one_image():
    answer = found(written({"truth": ["a"], "score_a": [0.75], "score_b": [0.25]}))
    assert answer["metrics"]["accuracy"] == {
        "value": 1.0,
        "low": pytest.approx(0.2065, abs=1e-4),
        "high": 1.0,
    }


def test_text_for_people(rows):
    told = check(written(rows)).stdout
    for word in ("macro_f1", "95 %", "frog", "images"):
        assert word in told


def change(column: str, row: int, value: Any):
    def apply(rows: dict[str, list[Any]]) -> None:
        rows[column][row] = value

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("score_cat", 3, 1.5), "0 and 1, the first of them 1.5 in row 4."),
        (change("score_cat", 0, float("nan")), "not between 0 and 1, the first of them nan"),
        (change("score_dog", 2, -0.1), "not between 0 and 1"),
        (change("score_dog", 2, None), "1 rows of answers.csv have a score for some of the"),
        (change("truth", 1, "newt"), "has classes without a score column 'score_…': 'newt'"),
        (change("image_id", 1, "i0"), "1 ids of answers.csv stand in several rows, the first of"),
        (lambda r: r.update(score_cat=["x"] * 40), "'score_cat' of answers.csv does not hold num"),
        (lambda r: r.update(truth=[""] * 40), "No row of answers.csv has a true class in 'truth'"),
        (lambda r: r.pop("truth"), "answers.csv has no column 'truth' with the true class."),
        (lambda r: [r.pop(f"score_{c}") for c in CLASSES], "neither a column 'predicted' nor"),
        (lambda r: [v.clear() for v in r.values()], "No row of answers.csv has a true class"),
    ],
)  # fmt: skip
def test_bad_tables_have_status_2(rows, damage, message):
    damage(rows)
    result = check(written(rows))
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "There is no file none.csv."),
        (["notes.txt"], "notes.txt is not a table that can be read."),
        (["broken.parquet"], "broken.parquet cannot be read"),
        (["empty.csv"], "empty.csv cannot be read"),
        (["answers.csv", "--min", "acuracy=0.5"], "Did you mean 'accuracy'"),
        (["answers.csv", "--min", "accuracy"], "is not a metric and a number"),
        (["answers.csv", "--min", "accuracy=nan"], "is not a metric and a number"),
        (["answers.csv", "--prediction", "image_id"], "has classes without a score column"),
    ],
)
def test_what_cannot_be_checked_has_status_2(rows, arguments, message):
    written(rows)
    Path("notes.txt").write_text("no table")
    Path("broken.parquet").write_bytes(b"PAR1")
    Path("empty.csv").write_bytes(b"")
    result = check(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize("name", ["truth", "score_cat"])
def test_columns_of_one_name_are_refused(rows, name):
    table = Path(written(rows))
    head, *lines = table.read_text().splitlines()
    table.write_text("\n".join([f"{head},{name}", *(f"{line},0.5" for line in lines)]))
    result = check(str(table))
    assert result.exit_code == 2
    assert f"has several columns '{name}'" in result.stderr


def test_it_needs_no_project_and_leaves_nothing_behind(rows, tmp_path):
    written(rows)
    foreign = ("CV_", "DAGSTER_", "MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cvp")), "check", "classification", "answers.csv",
         "--json"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["images"] == 40
    assert [p.name for p in tmp_path.iterdir()] == ["answers.csv"]
