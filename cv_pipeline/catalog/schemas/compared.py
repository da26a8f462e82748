"""What two models do on the same images: a row per image that changed, and per slice."""

from __future__ import annotations

import pyarrow as pa

COMPARED_IMAGES = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # gained: right now and not before; for detection, a higher score; lost: the opposite
        pa.field("change", pa.string(), nullable=False),
        # score of the image with the first model, 0 to 1; see schema PER_IMAGE
        pa.field("score_before", pa.float64(), nullable=False),
        # with the second
        pa.field("score_after", pa.float64(), nullable=False),
        # score_after - score_before
        pa.field("difference", pa.float64(), nullable=False),
        # whether the first model made no mistake on it
        pa.field("correct_before", pa.bool_(), nullable=False),
        # whether the second did
        pa.field("correct_after", pa.bool_(), nullable=False),
        # true class; null for detection
        pa.field("truth", pa.string()),
        # class that the first model predicts; null for detection, and where it predicts nothing
        pa.field("predicted_before", pa.string()),
        # class that the second predicts, likewise
        pa.field("predicted_after", pa.string()),
        # predictions of the first that match no object
        pa.field("false_positives_before", pa.int64(), nullable=False),
        # of the second
        pa.field("false_positives_after", pa.int64(), nullable=False),
        # objects that no prediction of the first matches
        pa.field("false_negatives_before", pa.int64(), nullable=False),
        # of the second
        pa.field("false_negatives_after", pa.int64(), nullable=False),
    ]
)

COMPARED_SLICES = pa.schema(
    [
        # metadata key that the slice is made by
        pa.field("slice_key", pa.string(), nullable=False),
        # its value; null for the images on which the key is not set
        pa.field("slice_value", pa.string()),
        # class; null for all classes
        pa.field("label", pa.string()),
        # accuracy, or recall
        pa.field("metric", pa.string(), nullable=False),
        # of the first model, 0 to 1
        pa.field("before", pa.float64(), nullable=False),
        # of the second
        pa.field("after", pa.float64(), nullable=False),
        # after - before
        pa.field("difference", pa.float64(), nullable=False),
        # ends of its 95 % interval; null for one image
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        # probability of a difference so large in either direction, were there none; null for small
        # slices
        pa.field("p_value", pa.float64()),
        # the same, corrected for all slices (Benjamini and Hochberg)
        pa.field("adjusted_p", pa.float64()),
        # whether the corrected probability is at most 0.05
        pa.field("significant", pa.bool_(), nullable=False),
        # shared images of the slice; of a class, those that hold it
        pa.field("images", pa.int64(), nullable=False),
        # whether images is below min_slice
        pa.field("small", pa.bool_(), nullable=False),
    ]
)
