"""One row per number of an evaluation: a metric of one slice, for one class or for all."""

from __future__ import annotations

import pyarrow as pa

SLICES = pa.schema(
    [
        # metadata key that the slice is made by, or name of a declared query; empty for the whole
        # split
        pa.field("slice_key", pa.string(), nullable=False),
        # its value (yes for a query); empty for the whole split, null for the images on which the
        # key is not set
        pa.field("slice_value", pa.string()),
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # class of the ontology; null for all classes
        pa.field("label", pa.string()),
        # AP, AP50, AP75, recall, precision, accuracy, macro_f1, f1
        pa.field("metric", pa.string(), nullable=False),
        # the number, 0 to 1; null where it is not defined
        pa.field("value", pa.float64()),
        # ends of its 95 % interval; null for what is no ratio of sums over images, such as AP
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        # the number on all other images of the split; null likewise, and for the whole
        pa.field("rest", pa.float64()),
        # value - rest
        pa.field("difference", pa.float64()),
        # probability of a difference so large in either direction, were there none; null likewise,
        # and for small slices
        pa.field("p_value", pa.float64()),
        # the same, corrected for all numbers of the split that have one
        pa.field("adjusted_p", pa.float64()),
        # whether the corrected probability is at most 0.05; never for a small slice
        pa.field("significant", pa.bool_(), nullable=False),
        # images of the slice; of a class, those of them that hold it
        pa.field("images", pa.int64(), nullable=False),
        # ground-truth objects (labels, for classification) behind the number
        pa.field("objects", pa.int64(), nullable=False),
        # whether images is below the project's evaluation.min_slice
        pa.field("small", pa.bool_(), nullable=False),
    ]
)
