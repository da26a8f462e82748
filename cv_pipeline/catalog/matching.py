"""Which file of a source a name means, by the rule that annotation exports are matched with."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.matching import match_images


def match_paths(names: pa.Array | pa.ChunkedArray, *, paths: pa.Array) -> pa.Array:
    """Find the file that each name means: a path, the end of one, a file name or a stem.

    Args:
        names: as a metadata file or a split list has them; a null means no file.
        paths: paths of the files that there are, each once.

    Returns:
        The path for each name; null where no file is meant for certain.
    """
    files = pa.table({"path": paths, "image_id": paths})
    texts = pc.fill_null(names, "")
    found = match_images(texts, files=files).image_ids
    if found.null_count == 0:
        return found
    # a stem may have a dot in it, as "frame_0.5" has
    stems = pc.binary_join_element_wise(texts, ".*", "")
    return pc.coalesce(found, match_images(stems, files=files).image_ids)
