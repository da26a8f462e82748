"""One row per judgement of a person on what a model said of an image; never changed."""

from __future__ import annotations

import pyarrow as pa

REVIEWS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # digest of the evaluation that is reviewed
        pa.field("evaluation", pa.string(), nullable=False),
        # digest of the model
        pa.field("model", pa.string(), nullable=False),
        # right or wrong: what the model said of the image, in the reviewer's eyes
        pa.field("verdict", pa.string(), nullable=False),
        # what is wrong, in a word or two, to be counted: label, blur, occlusion, …; empty for none
        pa.field("issue", pa.string(), nullable=False),
        # anything else, for people
        pa.field("note", pa.string(), nullable=False),
        # who judged
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
