"""What the tool's annotations say, read once: a row for each state, by its digest.

Nothing here is said that ``tool_annotations`` does not say: it is what an import made of it, so
that the next one reads what changed. A row of an older layout is not used, and made again.
"""

from __future__ import annotations

import pyarrow as pa

PARSED_ROWS = pa.list_(
    pa.struct(
        [
            # class as the tool names it
            pa.field("label", pa.string()),
            # geometry kind
            pa.field("kind", pa.string()),
            # where it stands: tasks/7/annotations/12.result[0]
            pa.field("object", pa.string()),
            # id of the annotation and of its region
            pa.field("original_id", pa.string()),
            # left edge; null for kinds class and tag, and where geometry says it
            pa.field("x_min", pa.float64()),
            # top edge
            pa.field("y_min", pa.float64()),
            # right edge, exclusive
            pa.field("x_max", pa.float64()),
            # bottom edge, exclusive
            pa.field("y_max", pa.float64()),
            # shape as JSON; null for bbox, class and tag
            pa.field("geometry", pa.string()),
            # true: coordinates are shares of the image's sides; false: pixels
            pa.field("normalized", pa.bool_()),
            # canonical JSON object of attributes
            pa.field("attributes", pa.string()),
            # size of the image in pixels that the region declares; null when it does not
            pa.field("width", pa.int32()),
            # see width
            pa.field("height", pa.int32()),
            # whether it is a choice of the whole image, which beside shapes may not count
            pa.field("choice", pa.bool_()),
            # whether that is the choice of the class that our own configuration asks for
            pa.field("own", pa.bool_()),
        ]
    )
)

PARSED_ANNOTATIONS = pa.schema(
    [
        # of the state, as in tool_annotations
        pa.field("digest", pa.string(), nullable=False),
        # number of the way in which it was read
        pa.field("layout", pa.int32(), nullable=False),
        # whether the annotator saw nothing on the image
        pa.field("blank", pa.bool_(), nullable=False),
        # objects, tags and image-level choices, in the annotation's order
        pa.field("rows", PARSED_ROWS),
        # what was refused: where, why in a word, and in a sentence
        pa.field(
            "refused",
            pa.list_(
                pa.struct(
                    [
                        pa.field("field", pa.string()),
                        pa.field("reason", pa.string()),
                        pa.field("detail", pa.string()),
                    ]
                )
            ),
        ),
        # what is left out by design, once for each time
        pa.field("left_out", pa.list_(pa.string())),
    ]
)
