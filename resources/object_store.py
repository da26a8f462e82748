"""The object store, local or S3; S3 clients come from dagster-aws."""

from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from cv_pipeline.storage import ImageSource, ObjectStore, open_source, open_store


class ObjectStoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # Dagster's default
    """Opens the object store and the sources that a project names.

    ``url`` is a folder or ``s3://bucket/prefix``. ``s3`` holds the credentials, region and
    endpoint for every ``s3://`` address; no client is made when there is none.
    """

    url: str
    s3: dg.ResourceDependency[S3Resource]

    def open(self) -> ObjectStore:
        """Open the object store."""
        return open_store(self.url, s3_client=self._client(self.url))

    def source(self, url: str) -> ImageSource:
        """Open a folder, bucket, archive or file that a project names."""
        return open_source(url, s3_client=self._client(url))

    def _client(self, url: str) -> Any:
        return self.s3.get_client() if url.startswith("s3://") else None
