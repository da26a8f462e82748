"""``annotations`` of a ``project.yaml``: labels that files hold."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cv_pipeline.section import Section


class Annotations(Section):
    """Where the labels come from, and how several annotators become one label."""

    source: str | None = Field(
        None,
        description="file or folder of the export; ${NAME} expands; null where all labels are made"
        " in the annotation tool",
    )
    format: Literal[
        "auto",
        "coco",
        "csv",
        "cvat",
        "huggingface",
        "label_studio",
        "labelme",
        "pascal_voc",
        "webdataset",
        "yolo",
    ] = Field("auto", description="format of the export")
    aggregation: Literal["latest", "majority"] = Field(
        "latest",
        description="several annotators on one image: the latest annotator's labels, or the"
        " majority vote",
    )
    model_labels: bool = Field(
        False,
        description="whether labels that a model drew, as a tool's automation leaves them behind"
        " in an export, count in datasets as an annotator's",
    )
    gold: str | None = Field(None, description="CSV of image,label: known truth, held out to test")
    ontology_version: str | None = Field(
        None,
        description="version of the ontology that the export was made under; null for the current",
    )
