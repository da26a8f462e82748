"""One row per object that a model suggests to annotators, before anybody looked at the image.

An image on which nothing is suggested has one row of kind ``none``, with object -1: so it is known
that the model saw it, and how sure it was.
"""

from __future__ import annotations

import pyarrow as pa

PRELABELS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # digest of the model; of an algorithm without one, its name
        pa.field("model", pa.string(), nullable=False),
        # number of the object in its image, from 0, by score; -1 for none
        pa.field("object", pa.int32(), nullable=False),
        # class of the ontology; empty for none
        pa.field("label", pa.string(), nullable=False),
        # geometry kind as in annotations, or class for the label of the whole image; none where
        # nothing is suggested
        pa.field("kind", pa.string(), nullable=False),
        # left edge of the bounds, pixels of the stored image; null for class and none
        pa.field("x_min", pa.float64()),
        # top edge
        pa.field("y_min", pa.float64()),
        # right edge, exclusive
        pa.field("x_max", pa.float64()),
        # bottom edge, exclusive
        pa.field("y_max", pa.float64()),
        # canonical JSON of other shapes; null for bbox, class and none
        pa.field("geometry", pa.string()),
        # confidence, 0 to 1; 0 for none
        pa.field("score", pa.float64(), nullable=False),
        # of the image, the same in each of its rows: corrections to be expected for boxes, 1 less
        # the margin between the two best classes for classes
        pa.field("uncertainty", pa.float64(), nullable=False),
        # when it was made
        pa.field("made_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
