"""Opens the source that a URL names: a folder, a file, an archive or a part of it, a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cv_pipeline.errors import SourceError, StorageError, nearest
from cv_pipeline.storage.archive_source import ARCHIVE_SUFFIXES, TarSource, ZipSource
from cv_pipeline.storage.bucket_source import BucketSource
from cv_pipeline.storage.folder_source import FolderSource
from cv_pipeline.storage.image_source import ImageSource, SourceEntry
from cv_pipeline.storage.s3 import S3Store, make_s3_client, split_s3_url
from cv_pipeline.storage.shard_source import SHARD_SUFFIXES, ShardSource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["ImageSource", "SourceEntry", "open_source"]


def open_source(url: str, *, s3_client: S3Client | None = None) -> ImageSource:
    """Open a source.

    Args:
        url: a folder; a file; an archive (``.tar.gz``, ``.tgz``, ``.tar``, ``.zip``), of which
            ``archive!folder/inside`` or ``archive!file`` is a part; several tar files,
            ``folder/*.tar``; ``s3://bucket/prefix`` or ``s3://bucket/object``.
        s3_client: the client for S3; made from the environment when None.

    Raises:
        SourceError: there is no such thing, or it is of a kind that is not read.
    """
    if url.startswith("s3://"):
        return _open_bucket(url, s3_client)
    if not url or "://" in url:
        raise SourceError(
            f"Invalid source: {url!r}.",
            do="Name a folder, a file, archive.tar.gz!folder/inside or s3://bucket/prefix.",
        )
    path, inner = Path(url), ""
    if not path.exists() and "!" in url:
        name, _, inner = url.partition("!")
        path = Path(name)
    if _is_pattern(path) and not path.exists() and not inner:
        return ShardSource(path)
    if path.is_dir() and not inner:
        return FolderSource(path)
    if not path.is_file():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SourceError(
            f"There is no file or folder {path}.",
            do=nearest(path.name, siblings) if siblings else f"{path.parent} is no folder.",
        )
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        kind = ZipSource if path.name.lower().endswith(".zip") else TarSource
        return kind(path, inner)
    if inner:
        raise SourceError(
            f"{path} is no archive, so {inner!r} cannot be read from it.",
            do=f"Archives end in {', '.join(ARCHIVE_SUFFIXES)}.",
        )
    return FolderSource(path.parent, only=path.name)


def _is_pattern(path: Path) -> bool:
    """Tell whether a path is a pattern of tar files."""
    return path.name.endswith(SHARD_SUFFIXES) and any(sign in path.name for sign in "*?")


def _open_bucket(url: str, client: S3Client | None) -> BucketSource:
    try:
        bucket, prefix = split_s3_url(url)
        client = client or make_s3_client()
        parent, _, name = prefix.rpartition("/")
        within = S3Store(client, bucket, parent)
        if name and within.exists(name):
            if name.lower().endswith(ARCHIVE_SUFFIXES):
                raise SourceError(
                    f"{url} is an archive, and archives are read from local disks only.",
                    do="Download it, or upload its content unpacked.",
                )
            return BucketSource(within, only=name)
        store = S3Store(client, bucket, prefix)
        if next(store.list(""), None) is None:
            raise SourceError(f"There is nothing below {url}.", do="Check the bucket and prefix.")
    except StorageError as error:
        raise SourceError(error.what, do=error.do) from error
    return BucketSource(store)
