"""One row per image of a batch that was pushed to the annotation tool."""

from __future__ import annotations

import pyarrow as pa

LABELING_TASKS = pa.schema(
    [
        # name of the batch
        pa.field("batch", pa.string(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # id of the tool's project that holds the batch
        pa.field("tool_project", pa.int64(), nullable=False),
        # id of the tool's task that shows the image
        pa.field("task", pa.int64(), nullable=False),
        # when it was pushed
        pa.field("pushed_at", pa.timestamp("us", tz="UTC"), nullable=False),
        # digest of the model that made its pre-labels; empty for none
        pa.field("prelabel_model", pa.string(), nullable=False),
        # sampling algorithm that chose the image, random for the control arm; empty when unknown
        pa.field("arm", pa.string(), nullable=False),
        # version of the ontology that it is labelled under
        pa.field("ontology_version", pa.string(), nullable=False),
        # version of the guideline that it is labelled under
        pa.field("guideline_version", pa.string(), nullable=False),
        # pushed, or deleted when the tool no longer has the task
        pa.field("state", pa.string(), nullable=False),
        # when the task last changed, by the tool's clock, as the last pull saw it; null before one
        pa.field("changed_at", pa.timestamp("us", tz="UTC")),
        # annotator that it is meant for, by pseudonym; empty for anybody
        pa.field("assignee", pa.string(), nullable=False),
        # address of the image that the tool was given last; null where an earlier release pushed it
        pa.field("address", pa.string()),
    ]
)
