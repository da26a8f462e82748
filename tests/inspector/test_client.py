"""The client against a real server: calls that read like the articles', and errors that help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.worlds.serving import served
from cv_pipeline.client import Client, ClientError
from cv_pipeline.client.client import ProjectClient
from cv_pipeline.errors import QueryError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(inspected_home):
    with served(inspected_home) as server:
        yield server


@pytest.fixture(scope="module")
def large(server) -> Iterator[ProjectClient]:
    with Client(server.url, server.token) as client:
        yield client.project("large")


def test_the_query_of_the_article_reads_as_it_is_written(large):
    found = large.query(tags_count=0, metadata={"scene": "outdoor"}, date_range="2025-Q4")
    assert found.text == (
        "tags_count = 0 and metadata.scene = 'outdoor' and date_range = '2025-Q4'"
    )
    images = list(found)
    assert len(images) == found.count > 0
    assert images[0].thumbnail(size=64)[:2] == b"\xff\xd8"


def test_from_the_newest_evaluation_to_its_worst_images(large):
    evaluation = large.evaluation()
    assert large.board().newest == evaluation.digest
    worst = large.worst_images()
    scores = [image.item.score for image in worst]
    assert len(scores) > 50
    assert scores == sorted(scores)
    page = large.image(next(iter(worst)).id)
    assert page.project == "large"


def test_versions_and_models(large):
    versions = large.datasets().versions
    assert large.dataset(versions[0].digest).row.digest == versions[0].digest
    first, second = (row.digest for row in large.models().rows[:2])
    assert large.model(first).row.digest == first
    assert large.compare(second, first).project == "large"


def test_tags_are_put_on_and_taken_off(large):
    some = large.query("metadata.scene = 'yard' limit 3")
    assert large.tag(some, "seen-by-client") == 3
    assert large.query("tag = 'seen-by-client'").count == 3
    assert large.tag(some, "seen-by-client", remove=True) == 3


def test_a_run_that_nobody_takes_says_why(large):
    with pytest.raises(ClientError, match="no webserver at"):
        large.corrective("metadata.scene = 'river' and labelled = true", reason="rivers")


def test_what_is_wrong_is_said_before_anything_is_sent(large):
    with pytest.raises(QueryError, match="colour"):
        large.query("colour = 'red'")


def test_errors_tell_what_and_what_next(server):
    forged = "cvp_000000000000_" + "x" * 43
    with Client(server.url, forged) as client, pytest.raises(ClientError) as refused:
        client.projects()
    assert refused.value.status == 401
    known = pytest.raises(ClientError, match="Known: large")
    with Client(server.url, server.token) as client, known:
        client.project("larg")
    nobody = pytest.raises(ClientError, match=r"does not answer.*cvp ui")
    with Client("http://127.0.0.1:9") as client, nobody:
        client.projects()


def test_importing_the_client_is_cheap():
    """A notebook that asks does not load what answers."""
    code = "import cv_pipeline.client, sys; print([m for m in sys.modules if m in %r])"
    heavy = ("dagster", "lance", "duckdb", "fastapi", "torch", "sqlalchemy")
    done = subprocess.run(
        [sys.executable, "-c", code % (heavy,)],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_models_are_those_of_the_api():
    code = "import sys, generate_client; sys.stdout.write(generate_client.models())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    written = (ROOT / "cv_pipeline" / "client" / "models.py").read_text(encoding="utf-8")
    assert written == done.stdout, "run: make docs"
