"""What only S3 can answer: no bucket, no server, conflicts."""

from __future__ import annotations

from unittest.mock import Mock

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cv_pipeline.errors import StorageError
from cv_pipeline.storage.s3 import S3Store, make_s3_client, split_s3_url


def test_a_missing_bucket_is_explained(s3_client) -> None:
    store = S3Store(s3_client, "no-such-bucket")
    with pytest.raises(StorageError, match="Cannot write 'a' in s3://no-such-bucket"):
        store.write("a", b"x")
    with pytest.raises(StorageError, match="Cannot list"):
        list(store.list(""))


def test_a_server_that_is_not_there_is_explained(s3_client, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(StorageError, match=r"Cannot read 'a' .*AWS_ENDPOINT_URL"):
        S3Store(client, "bucket").read("a")
    client.close()


def test_objects_above_the_limit_are_not_read(s3_client, bucket: str) -> None:
    store = S3Store(s3_client, bucket)
    store.write("a", b"12345")
    assert store.read("a", max_bytes=5) == b"12345"
    with pytest.raises(StorageError, match="too large: 5 bytes"):
        store.read("a", max_bytes=4)


def test_purge_takes_every_version_of_a_versioned_bucket(s3_client, bucket: str) -> None:
    s3_client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = S3Store(s3_client, bucket, "p")
    for data in (b"old", b"new"):
        store.write("a", data)
    store.write("ab", b"another")
    store.delete("a")  # hides it behind a marker, and keeps both
    assert len(s3_client.list_object_versions(Bucket=bucket, Prefix="p/a")["Versions"]) == 3
    store.purge("a")
    left = s3_client.list_object_versions(Bucket=bucket, Prefix="p/a")
    assert [v["Key"] for v in left["Versions"]] == ["p/ab"]
    assert "DeleteMarkers" not in left


def _refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutObject")


def test_create_tries_again_after_a_conflict() -> None:
    client = Mock()
    client.put_object.side_effect = [_refusal("ConditionalRequestConflict"), {}]
    assert S3Store(client, "bucket").create("a", b"x") is True
    assert client.put_object.call_count == 2


def test_create_gives_up_after_lasting_conflict() -> None:
    client = Mock()
    client.put_object.side_effect = _refusal("ConditionalRequestConflict")
    with pytest.raises(StorageError, match="Cannot create 'a'"):
        S3Store(client, "bucket").create("a", b"x")
    assert client.put_object.call_count == 5


def test_lance_options_name_the_endpoint_but_no_secret(s3_client, bucket, s3_endpoint) -> None:
    where = S3Store(s3_client, bucket, "/p/").lance("t.lance")
    assert where.uri == f"s3://{bucket}/p/t.lance"
    assert where.storage_options == {
        "aws_endpoint": s3_endpoint,
        "aws_region": "us-east-1",
        "allow_http": "true",
    }


def test_lance_finds_amazon_by_itself(s3_client, monkeypatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    client = make_s3_client()
    assert S3Store(client, "bucket").lance("t.lance").storage_options == {}
    client.close()


def test_split_s3_url() -> None:
    assert split_s3_url("s3://bucket") == ("bucket", "")
    assert split_s3_url("s3://bucket/") == ("bucket", "")
    assert split_s3_url("s3://bucket/a/b/") == ("bucket", "a/b")
    with pytest.raises(StorageError, match="names no bucket"):
        split_s3_url("s3:///a")
