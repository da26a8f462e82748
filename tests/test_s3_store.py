"""The pipeline with its store on a real S3 endpoint: the same digests as on a folder."""

from __future__ import annotations

import boto3
import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from cv_pipeline.provenance import EventLog
from tests.tiny_world import TinyWorld, make_tiny_world

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@pytest.fixture
def endpoint(monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    url = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="lake")
    client.close()
    yield url
    server.stop()


def test_models_and_datasets_on_s3_have_the_digests_of_a_folder(
    tmp_path, endpoint, materialized_world: TinyWorld
):
    store = {"CV_STORE": "s3://lake/tiny", "AWS_ENDPOINT_URL": endpoint, **CREDENTIALS}
    world = make_tiny_world(tmp_path, extra=store)
    world.materialize('+key:"tiny/trained_model"')
    assert not any((world.home / "store").iterdir())  # nothing was kept beside the bucket
    found = {}
    for name, where in (("s3", world), ("folder", materialized_world)):
        with dg.DagsterInstance.from_config(str(where.home / "dagster")) as instance:
            log = EventLog(instance)
            events = [log.latest(f"tiny/{a}") for a in ("dataset_version", "trained_model")]
            found[name] = [e.version for e in events if e is not None]
    assert found["s3"] == found["folder"]
    assert len(found["s3"]) == 2
    traced = world.run("cvp", "trace", "image", "003.png").stdout
    assert "1 blue, 1 red" in traced
