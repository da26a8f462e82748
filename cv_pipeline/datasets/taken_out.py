"""Images of a dataset version that were taken out since it was made.

Their rows stay in it; what works on their pixels leaves them out and says how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cv_pipeline.datasets.image_rows import rows_at
from cv_pipeline.datasets.membership import open_membership
from cv_pipeline.datasets.record import MANIFEST_FILE
from cv_pipeline.project import SplitName
from cv_pipeline.storage import ObjectStore, Tombstones


def taken_out_since(
    store: ObjectStore, key: str, *, splits: Sequence[SplitName], cache: Path
) -> list[str]:
    """Ids of the images of some splits that were taken out, sorted.

    Args:
        store: the object store.
        key: key of the dataset version's folder.
        splits: the splits that matter.
        cache: where an index of its images is kept that the version lacks.

    Raises:
        ObjectNotFound: there is no such version.
    """
    gone = Tombstones(store).image_ids()
    if not gone:
        return []
    images = open_membership(store, key, cache=cache)
    rows = [row for image_id in gone if (row := images.row(image_id)) is not None]
    where = store.arrow(f"{key}/{MANIFEST_FILE}")
    found = rows_at(where, rows, columns=["image_id", "split"]).to_pylist()
    return [row["image_id"] for row in found if row["split"] in splits]
