from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from cv_pipeline.training import PredictionSpec
from cv_pipeline.training.spec import Job


def test_specifications_survive_json(make_world, tmp_path):
    for work in (
        make_world().spec(tmp_path / "model", seed=3, augmentation={"crop": 0.25}),
        PredictionSpec(
            task="detection",
            model=Path("/m"),
            model_digest="a",
            dataset=Path("/d"),
            dataset_digest="b",
            store_url="s3://bucket/prefix",
            out=Path("/o"),
        ),
    ):
        job = Job(parent=1, work=work)
        assert Job.model_validate_json(job.model_dump_json()) == job


def test_an_unknown_field_is_refused(make_world, tmp_path):
    raw = json.loads(make_world().spec(tmp_path / "model").model_dump_json()) | {"seeds": 1}
    with pytest.raises(ValidationError, match="seeds"):
        Job.model_validate({"parent": 1, "work": raw})
