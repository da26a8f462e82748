"""Which file a name means, by the rule that annotation exports are matched with."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.ingest.path_matching import match_images


@dataclass(frozen=True)
class KnownFiles:
    """The files that a name can mean.

    Attributes:
        listed: paths of the files that there are in the source, each once.
        vanished: paths of files that were ingested and are there no more, each once.
    """

    listed: pa.Array
    vanished: pa.Array

    def match(self, names: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Find the file that each name means: a path, the end of one, a file name or a stem.

        Args:
            names: as a metadata file or a split list has them; a null means no file.

        Returns:
            The path for each name, of a file that is there if there is one; null where no file is
            meant for certain.
        """
        texts = pc.fill_null(names, "")
        found = _match(texts, self.listed)
        if found.null_count:
            found = pc.coalesce(found, _match(texts, self.vanished))
        return found


def _match(names: pa.Array | pa.ChunkedArray, paths: pa.Array) -> pa.Array:
    files = pa.table({"path": paths, "image_id": paths})
    found = match_images(names, files=files).image_ids
    if found.null_count == 0:
        return found
    # a stem may have a dot in it, as "frame_0.5" has
    stems = pc.binary_join_element_wise(names, ".*", "")
    return pc.coalesce(found, match_images(stems, files=files).image_ids)
