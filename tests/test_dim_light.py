"""From tomatoes in dim light to a model that finds them, by the commands that a user types.

Nothing is told but the slice: its unlabelled images are set aside and labelled by the annotators of
the demo world, and a corrective run raises its recall.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOMATOES = "metadata.lighting = 'dim' and label = 'tomato'"
WAITING = "metadata.lighting = 'dim' and labelled = false"


@pytest.mark.soak
def test_the_recall_of_tomatoes_in_dim_light_rises_significantly(tmp_path: Path) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("CV_", "DAGSTER_"))},
        "CV_HOME": str(tmp_path),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "CV_PROJECTS": str(ROOT / "projects"),
        "COLUMNS": "160",
    }

    def cvp(*arguments: str) -> Any:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("cvp")), *arguments, "--json"],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    cvp("init")
    cvp("sample", "fruit")
    cvp("run", "fruit")
    like = cvp("more", "fruit", TOMATOES, "-n", "20", "--unlabelled")
    assert len(like["images"]) == 20
    aside = cvp("set-aside", "fruit", WAITING, "--name", "dim-1", "--reason", "tomatoes are missed")
    assert aside["images"] >= 90
    assert cvp("sample", "fruit", "--label", "dim-1")["labelled"] == aside["images"]
    done = cvp(
        *("corrective", "fruit", "--query", TOMATOES, "--label", "tomato", "--weight", "3"),
        *("--reason", "tomatoes in dim light are taken for oranges"),
    )
    found = done["comparison"]["selection"]
    print(json.dumps(done["comparison"], indent=2))
    assert found["after"]["value"] > found["before"]["value"]
    assert found["p_value"] < 0.05
    whole = done["comparison"]["whole"]
    assert whole["after"]["value"] > whole["before"]["value"] - 0.02
    [batch] = cvp("batches", "fruit")
    assert batch["labelled"] == batch["images"]
