"""Precision and recall by score: a row for each score from which upwards predictions count."""

from __future__ import annotations

import pyarrow as pa

CURVES = pa.schema(
    [
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # class; null for the predictions of all classes together
        pa.field("label", pa.string()),
        # score from which upwards predictions count, descending within a class
        pa.field("score", pa.float64(), nullable=False),
        # share of the objects, or labels, that are found
        pa.field("recall", pa.float64(), nullable=False),
        # share of the predictions that are right
        pa.field("precision", pa.float64(), nullable=False),
        # harmonic mean of both
        pa.field("f1", pa.float64(), nullable=False),
    ]
)
