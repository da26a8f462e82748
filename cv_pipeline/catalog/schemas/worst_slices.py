"""One row per bad slice that was found without being declared, the worst first."""

from __future__ import annotations

import pyarrow as pa

WORST_SLICES = pa.schema(
    [
        # from 1, by score
        pa.field("rank", pa.int32(), nullable=False),
        # the split: test, else val
        pa.field("split", pa.string(), nullable=False),
        # metadata key, image property, name of a declared query, or look (images that look alike)
        pa.field("slice_key", pa.string(), nullable=False),
        # its value or range of values; null for the images on which it is not set
        pa.field("slice_value", pa.string()),
        # the second one, of a pair; null otherwise
        pa.field("second_key", pa.string()),
        # its value, likewise
        pa.field("second_value", pa.string()),
        # class of the ontology; null for all classes
        pa.field("label", pa.string()),
        # recall; accuracy for all classes of a classification
        pa.field("metric", pa.string(), nullable=False),
        # on the slice, 0 to 1
        pa.field("value", pa.float64(), nullable=False),
        # lower end of its 95 % interval
        pa.field("low", pa.float64(), nullable=False),
        # upper end
        pa.field("high", pa.float64(), nullable=False),
        # on all other images of the split, for the same class
        pa.field("rest", pa.float64(), nullable=False),
        # value - rest, below 0
        pa.field("difference", pa.float64(), nullable=False),
        # how far value is below rest at least: Newcombe's 95 % interval of the difference
        pa.field("shortfall", pa.float64(), nullable=False),
        # probability of a difference so large in either direction, were there none
        pa.field("p_value", pa.float64(), nullable=False),
        # the same, corrected for every slice and class that was looked at
        pa.field("adjusted_p", pa.float64(), nullable=False),
        # shortfall × √objects: what slices are ranked by
        pa.field("score", pa.float64(), nullable=False),
        # images of the slice; of a class, those of them that hold it
        pa.field("images", pa.int64(), nullable=False),
        # ground-truth objects (labels, for classification) behind the number
        pa.field("objects", pa.int64(), nullable=False),
        # those of them that were missed
        pa.field("missed", pa.int64(), nullable=False),
        # the class that missed ones were most often called; null where they were called none
        pa.field("taken_for", pa.string()),
        # missed ones that were called so
        pa.field("taken_for_count", pa.int64(), nullable=False),
        # condition of the query language for such images; null where only their ids say which
        pa.field("query", pa.string()),
        # all of it in words
        pa.field("sentence", pa.string(), nullable=False),
    ]
)
