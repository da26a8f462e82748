"""Opens the object store that a URL names: a local folder or an S3 bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cv_pipeline.errors import StorageError
from cv_pipeline.storage.local import LocalStore
from cv_pipeline.storage.object_store import ObjectStore
from cv_pipeline.storage.s3 import S3Store, make_s3_client, split_s3_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def open_store(url: str, *, s3_client: S3Client | None = None) -> ObjectStore:
    """Open an object store.

    Args:
        url: a folder's path, or ``s3://bucket/prefix``.
        s3_client: the client for S3; made from the environment when None.

    Raises:
        StorageError: the URL is of another kind.
    """
    if url.startswith("s3://"):
        bucket, prefix = split_s3_url(url)
        return S3Store(s3_client or make_s3_client(), bucket, prefix)
    if not url or "://" in url:
        raise StorageError(
            f"Invalid store: {url!r}.", do="Set CV_STORE to a folder or to s3://bucket/prefix."
        )
    return LocalStore(url)
