"""A log: one row for each state of an annotation of the tool that a pull saw.

The tool overwrites an annotation that is edited and forgets one that is deleted; this does not. The
state of an annotation is its latest row, by ``seen_at``.
"""

from __future__ import annotations

import pyarrow as pa

TOOL_ANNOTATIONS = pa.schema(
    [
        # id of the tool's project
        pa.field("tool_project", pa.int64(), nullable=False),
        # id of the task
        pa.field("task", pa.int64(), nullable=False),
        # id of the annotation
        pa.field("annotation", pa.int64(), nullable=False),
        # the image that the task was pushed with
        pa.field("image_id", pa.string(), nullable=False),
        # batch that the image was pushed in
        pa.field("batch", pa.string(), nullable=False),
        # pseudonym of who labelled when it was seen; what counts is what tool_people says of
        # completed_by (:mod:`cv_pipeline.labeling.exchange.people`)
        pa.field("annotator", pa.string(), nullable=False),
        # id of who labelled, in the tool
        pa.field("completed_by", pa.int64(), nullable=False),
        # id of who changed it last, in the tool; null when the tool does not say
        pa.field("updated_by", pa.int64()),
        # when the annotation was last changed, by the tool's clock
        pa.field("updated_at", pa.timestamp("us", tz="UTC"), nullable=False),
        # when it was made, by the tool's clock
        pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
        # when a pull wrote this state down, by our clock: of two of one annotation the later counts
        pa.field("seen_at", pa.timestamp("us", tz="UTC"), nullable=False),
        # seconds of work; null when the tool does not say
        pa.field("lead_time", pa.float64()),
        # whether the annotator skipped the task
        pa.field("cancelled", pa.bool_(), nullable=False),
        # whether the tool calls it ground truth
        pa.field("ground_truth", pa.bool_(), nullable=False),
        # id of the prediction that it began with; null for none
        pa.field("parent_prediction", pa.int64()),
        # whether the tool no longer has it
        pa.field("deleted", pa.bool_(), nullable=False),
        # the tool's result, whole, as canonical JSON text
        pa.field("result", pa.string(), nullable=False),
        # SHA-256 of what the annotation says: everything above but seen_at
        pa.field("digest", pa.string(), nullable=False),
    ]
)
