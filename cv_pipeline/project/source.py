"""``source`` of a ``project.yaml``: images, and what is known of them."""

from __future__ import annotations

from pydantic import Field

from cv_pipeline.project.names import SplitName
from cv_pipeline.section import Section


class Source(Section):
    """Where the images and what is known about them come from."""

    images: str = Field(
        description="folder, s3://bucket/prefix, or archive.tar.gz!folder/inside; ${NAME} expands"
    )
    metadata: str | None = Field(
        None,
        description="CSV with a path column; captured_at, tags (;-separated) and split are known,"
        " every other column is a metadata key",
    )
    splits: dict[SplitName, str] = Field(
        default_factory=dict, description="split to a text file that lists its images, a line each"
    )
    max_pixels: int = Field(200_000_000, gt=0, description="larger images are quarantined")
    max_bytes: int = Field(500_000_000, gt=0, description="larger files are quarantined")
