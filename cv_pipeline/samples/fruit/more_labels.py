"""More work of the world's annotators: labels for images that they had not seen yet.

They stand for the people who would label a batch that was set aside; nothing else in the pipeline
knows what the images show. The export is a file of its own beside the first one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from cv_pipeline.errors import SourceError
from cv_pipeline.samples.fruit.annotators import annotate_more
from cv_pipeline.samples.fruit.label_studio import EXPORT_NAME, export_more
from cv_pipeline.samples.fruit.photos import plan_photos
from cv_pipeline.samples.fruit.truth import read_truth


def label_more(folder: Path, paths: Sequence[str], *, seed: int, name: str) -> int:
    """Have some images labelled, and the labels exported.

    Args:
        folder: of the world.
        paths: the images, within the folder of the images; those that have labels are passed over.
        seed: seed of the world.
        name: of the batch; the export is named after it.

    Returns:
        How many images were labelled.

    Raises:
        SourceError: an image is not one of the world's, or the name cannot be a file's.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or f"{name}.json" == EXPORT_NAME:
        raise SourceError(
            f"{name!r} cannot name an export.",
            do=f"Use letters, digits, _, - and ., and another name than that of {EXPORT_NAME}.",
        )
    photos = {photo.path: photo for photo in plan_photos(seed)[0]}
    unknown = sorted(set(paths) - set(photos))
    if unknown:
        raise SourceError(
            f"{len(unknown)} of {len(paths)} images are not in the demo world in {folder}, such as"
            f" {unknown[0]!r}.",
            do="Set aside images of the demo world.",
        )
    wanted = [photos[path] for path in sorted(set(paths)) if not photos[path].labelled]
    painted = read_truth(folder).images
    tasks = export_more(seed, annotate_more(seed, wanted, painted), painted)
    file = folder / "annotations" / f"{name}.json"
    if tasks:
        file.write_text(json.dumps(tasks), encoding="utf-8")
    return len(tasks)
