"""An object store in an S3 bucket, or in anything that speaks S3 with conditional writes.

S3 makes each upload atomic by itself; "only if absent" is its conditional write
(``If-None-Match: *``). Folders become visible with their marker, which is uploaded last.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cv_pipeline.errors import ObjectNotFound, StorageError
from cv_pipeline.storage.object_store import (
    ArrowLocation,
    LanceLocation,
    ObjectInfo,
    checked_key,
    checked_prefix,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = {"404", "NoSuchKey", "NotFound"}
_CONFLICT_TRIES = 5


def make_s3_client() -> S3Client:
    """Return a client set up from the environment (``AWS_ENDPOINT_URL`` and the AWS chain)."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=32)
    return boto3.client("s3", config=config)


def split_s3_url(url: str) -> tuple[str, str]:
    """Split ``s3://bucket/some/prefix`` into its bucket and its prefix without outer slashes.

    Raises:
        StorageError: it has no bucket.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not bucket:
        raise StorageError(f"Invalid URL: {url!r} names no bucket; expected s3://bucket/prefix.")
    return bucket, prefix.strip("/")


def error_code(error: BaseException) -> str:
    """S3's code of an error, such as ``NoSuchKey``; empty when S3 did not answer."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


class S3Store:
    """Objects in ``bucket`` below ``prefix``.

    Args:
        client: a boto3 S3 client; it may be shared between threads.
        bucket: an existing bucket.
        prefix: what every key begins with; empty for the whole bucket.
    """

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        self._client = client
        self.bucket = bucket
        self.prefix = prefix.strip("/")

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """Return an object's bytes.

        Raises:
            ObjectNotFound: there is no such object.
            StorageError: it is larger than ``max_bytes``, or S3 failed.
        """
        with self._explained("read", key):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._name(key))
            size = answer["ContentLength"]
            if max_bytes is not None and size > max_bytes:
                raise StorageError(f"{key!r} in {self.url} is too large: {size} bytes.")
            return answer["Body"].read()

    def write(self, key: str, data: bytes) -> None:
        """Make ``data`` the object, in place of what was there."""
        with self._explained("write", key):
            self._client.put_object(Bucket=self.bucket, Key=self._name(key), Body=data)

    def create(self, key: str, data: bytes) -> bool:
        """Make ``data`` the object unless there is one.

        When the answer to a successful upload is lost, boto3 repeats it and finds the object
        there: then this returns False although the bytes are the caller's.
        """
        from botocore.exceptions import ClientError

        name = self._name(key)
        with self._explained("create", key):
            for attempt in range(1, _CONFLICT_TRIES + 1):
                try:
                    self._client.put_object(
                        Bucket=self.bucket, Key=name, Body=data, IfNoneMatch="*"
                    )
                except ClientError as error:
                    if error_code(error) in ("PreconditionFailed", "412"):
                        return False
                    # A delete or another create was under way: S3 asks to try again.
                    conflict = error_code(error) in ("ConditionalRequestConflict", "409")
                    if not conflict or attempt == _CONFLICT_TRIES:
                        raise
                else:
                    return True
        raise AssertionError("unreachable")

    def exists(self, key: str) -> bool:
        """Tell whether there is such an object."""
        try:
            with self._explained("look for", key):
                self._client.head_object(Bucket=self.bucket, Key=self._name(key))
        except ObjectNotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        with self._explained("delete", key):
            self._client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def purge(self, key: str) -> None:
        """Remove an object with all versions of it that a versioned bucket keeps."""
        name = self._name(key)
        pages = self._client.get_paginator("list_object_versions")
        with self._explained("purge", key):
            self._client.delete_object(Bucket=self.bucket, Key=name)
            for page in pages.paginate(Bucket=self.bucket, Prefix=name):
                for kept in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                    if kept["Key"] == name:
                        self._client.delete_object(
                            Bucket=self.bucket, Key=name, VersionId=kept["VersionId"]
                        )

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with ``prefix``, sorted by key."""
        start = f"{self.prefix}/" if self.prefix else ""
        pages = self._client.get_paginator("list_objects_v2")
        with self._explained("list", prefix):
            for page in pages.paginate(Bucket=self.bucket, Prefix=start + checked_prefix(prefix)):
                for item in page.get("Contents", []):
                    yield ObjectInfo(
                        key=item["Key"].removeprefix(start),
                        size=item["Size"],
                        fingerprint=item["ETag"].strip('"'),
                    )

    def lance(self, key: str) -> LanceLocation:
        """Return where Lance keeps the table ``key``."""
        options: dict[str, str] = {}
        endpoint = self._endpoint()
        if endpoint:
            options["aws_endpoint"] = endpoint
            options["aws_region"] = self._client.meta.region_name or "us-east-1"
            if urlsplit(endpoint).scheme == "http":
                options["allow_http"] = "true"
        return LanceLocation(f"s3://{self.bucket}/{self._name(key)}", options)

    def arrow(self, key: str) -> ArrowLocation:
        """Return where Arrow finds the object ``key``."""
        from pyarrow.fs import S3FileSystem

        region = self._client.meta.region_name or "us-east-1"
        endpoint = urlsplit(self._endpoint() or "")
        filesystem = S3FileSystem(
            region=region, scheme=endpoint.scheme or "https", endpoint_override=endpoint.netloc
        )
        return ArrowLocation(f"{self.bucket}/{self._name(key)}", filesystem)

    def publish_folder(self, key: str, folder: Path, *, marker: str) -> None:
        """Upload ``folder`` to below ``key``, its ``marker`` last.

        What an earlier, interrupted upload left there and ``folder`` lacks is removed first.
        """
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        for info in self.list(f"{key}/"):
            if info.key.removeprefix(f"{key}/") not in files:
                self.delete(info.key)
        with self._explained("publish", key):
            for name in sorted(files.keys() - {marker}):
                self._client.upload_file(str(files[name]), self.bucket, self._name(f"{key}/{name}"))
        self.create(f"{key}/{marker}", files[marker].read_bytes())

    def fetch_folder(self, key: str, *, cache: Path) -> Path:
        """Return a copy of what is below ``key``, downloaded to ``cache`` unless it is there."""
        target = cache / sha256(self.url.encode()).hexdigest()[:16] / checked_key(key)
        if target.is_dir():
            return target
        with self._explained("download", key):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=".download-", dir=cache, ignore_cleanup_errors=True
            ) as work:
                copy = Path(work) / "copy"
                for info in self.list(f"{key}/"):
                    path = copy / checked_key(info.key.removeprefix(f"{key}/"))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    self._client.download_file(self.bucket, self._name(info.key), str(path))
                try:
                    copy.rename(target)
                except OSError:
                    if not target.is_dir():  # else another process was first, with the same
                        raise
        return target

    def _endpoint(self) -> str | None:
        """Address of the service; None when it is Amazon's own."""
        url: str = self._client.meta.endpoint_url
        host = urlsplit(url).hostname or ""
        amazons = (".amazonaws.com", ".amazonaws.com.cn")
        return None if host.startswith("s3") and host.endswith(amazons) else url

    def _name(self, key: str) -> str:
        """The whole name in the bucket."""
        return f"{self.prefix}/{checked_key(key)}" if self.prefix else checked_key(key)

    @contextlib.contextmanager
    def _explained(self, verb: str, key: str) -> Iterator[None]:
        """Turn what boto3 and the local disk say into an error of this project."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
            if error_code(error) in _ABSENT:
                raise ObjectNotFound(f"There is no object {key!r} in {self.url}.") from None
            raise StorageError(
                f"Cannot {verb} {key!r} in {self.url}: {error}",
                do="Check the bucket, AWS_ENDPOINT_URL and the AWS credentials.",
            ) from error
