"""``labeling`` of a ``project.yaml``: the annotation tool, and how work is done there.

Without it, or without an address, a project has no tool: pushing and pulling then do nothing.
"""

from __future__ import annotations

from pydantic import Field

from cv_pipeline.section import Section


class Labeling(Section):
    """The annotation tool, and how work is done there."""

    url: str | None = Field(
        None,
        description="address of Label Studio, such as ${CV_LABEL_STUDIO_URL}; null for no tool. Its"
        " token is only ever in the environment, as CV_LABEL_STUDIO_TOKEN",
    )
    images: str = Field(
        "http://127.0.0.1:8000",
        description="address of the inspector, as the annotators' browsers reach it: they fetch the"
        " images from there",
    )
    overlap: int = Field(
        1, ge=1, le=20, description="people who label each image, where a batch does not say"
    )
    emails: bool = Field(
        False,
        description="whether the tool's e-mail addresses stand beside the pseudonyms of annotators;"
        " false keeps them out of the lake",
    )
