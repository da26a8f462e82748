"""Fixtures that every test may use."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cv_pipeline.storage import ObjectStore, open_store
from tests import once
from tests.longest_first import longest_first
from tests.tiny_world import TinyWorld, copy_tiny_world, make_tiny_world

# how fast something is depends on what else runs: benchmarks/ says it, and no test
settings.register_profile("repository", deadline=None)
settings.load_profile("repository")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = longest_first(items)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real sample archives, or a skip that says how to have them."""
    folder = Path(os.environ.get("CV_REAL_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "bccd.tar.gz").is_file():
        pytest.skip("set CV_REAL_DATA to the folder of bccd.tar.gz and cifar10n.tar.gz")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A CV_HOME for what runs in the process of the tests: caches of its own, and nobody else's."""
    once.keep_below(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("CV_HOME", str(home))
        yield home


@pytest.fixture(scope="session")
def materialized_world() -> TinyWorld:
    """A tiny world on which everything was run once; look, and do not touch."""
    made = once.made_once("materialized", lambda folder: make_tiny_world(folder).materialize())
    return TinyWorld(made)


@pytest.fixture
def own_world(materialized_world: TinyWorld, tmp_path: Path) -> TinyWorld:
    """A copy of the materialized world for one test."""
    return copy_tiny_world(materialized_world, tmp_path / "world")


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """URL of an S3 server in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_store(
    s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore]:
    """An object store in a new bucket, found through the environment."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"bucket-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return open_store(f"s3://{bucket}/state")
