"""Small pictures of evaluated images, with what is right and wrong drawn on them."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cv_pipeline.errors import CVPipelineError
from cv_pipeline.evaluation.detection.error_kinds import CORRECT, MISSED
from cv_pipeline.storage import Blobs, Tombstones

SIZE = 240
_EDGES = ("x_min", "y_min", "x_max", "y_max")
_COLOURS = {CORRECT: (0, 158, 115), MISSED: (230, 159, 0)}
_WRONG = (213, 94, 0)
_DARK, _SEAM = (20, 20, 20), np.array([-1.0, -1.0, 1.0, 1.0])
_MOST_WORDS = 4


@dataclass(frozen=True)
class Picture:
    """One image as a page shows it.

    Attributes:
        image_id: the image.
        path: its path in its source.
        caption: what is wrong on it, in words.
        uri: JPEG as a data URI; empty where the pixels are gone.
    """

    image_id: str
    path: str
    caption: str
    uri: str


class Pictures:
    """Makes pictures of the images of one evaluation.

    Args:
        blobs: the images' bytes.
        tombstones: of images that were taken out.
        matches: schema MATCHES.
        dataset: folder of the dataset version.
        predictions: folder of the predictions.
        max_pixels: pixels above which an image is not decoded.
    """

    def __init__(
        self,
        *,
        blobs: Blobs,
        tombstones: Tombstones,
        matches: pa.Table,
        dataset: Path,
        predictions: Path,
        max_pixels: int,
    ) -> None:
        self._blobs = blobs
        self._tombstones = tombstones
        self._matches = matches
        self._dataset = dataset
        self._predictions = predictions
        self._max_pixels = max_pixels
        self.shown: set[str] = set()

    def of(self, image_ids: Sequence[str]) -> list[Picture]:
        """Pictures of some images, in their order."""
        ids = list(dict.fromkeys(image_ids))
        wanted = pa.array(ids, pa.string())
        rows = defaultdict(list)
        of_images = pc.is_in(self._matches["image_id"], value_set=wanted)
        for row in self._matches.filter(of_images).to_pylist():
            rows[row["image_id"]].append(row)
        objects = _boxes(
            _read(self._dataset / "annotations.parquet", wanted, ["annotation_id", *_EDGES]),
            key=["annotation_id"],
        )
        found = _boxes(
            _read(self._predictions / "predictions.parquet", wanted, ["image_id", "rank", *_EDGES]),
            key=["image_id", "rank"],
        )
        known = _read(self._dataset / "manifest.parquet", wanted, ["image_id", "path"])
        paths = dict(zip(known["image_id"].to_pylist(), known["path"].to_pylist(), strict=True))
        return [self._picture(i, paths.get(i, i[:12]), rows[i], objects, found) for i in ids]

    def _picture(
        self,
        image_id: str,
        path: str,
        rows: Sequence[Mapping[str, Any]],
        objects: Mapping[tuple[Any, ...], NDArray[np.float64]],
        found: Mapping[tuple[Any, ...], NDArray[np.float64]],
    ) -> Picture:
        boxes = []
        for row in rows:
            missed = row["kind"] == MISSED
            box = (
                objects.get((row["annotation_id"],))
                if missed
                else found.get((image_id, row["rank"]))
            )
            if box is not None:
                boxes.append((_COLOURS.get(row["kind"], _WRONG), box))
        uri = ""
        # an image that was taken out since, or is damaged, leaves a caption without a picture
        with suppress(CVPipelineError):
            if self._tombstones.get(image_id) is None:
                uri = self._jpeg(image_id, boxes)
                self.shown.add(image_id)
        return Picture(image_id, path, mistakes_in_words(rows), uri)

    def _jpeg(
        self,
        image_id: str,
        boxes: Sequence[tuple[tuple[int, int, int], NDArray[np.float64]]],
    ) -> str:
        from PIL import Image, ImageDraw

        from cv_pipeline.imaging import decode, thumbnail_jpeg, to_rgb8

        rgb8 = to_rgb8(decode(self._blobs.read(image_id), max_pixels=self._max_pixels))
        picture = Image.fromarray(rgb8)
        scale = SIZE / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size)
        draw = ImageDraw.Draw(picture)
        # right ones first, so that mistakes are drawn over them
        for colour, box in sorted(boxes, key=lambda b: b[0] != _COLOURS[CORRECT]):
            edges = box * scale
            # a dark seam, so that an orange outline is seen on an orange
            draw.rectangle((edges + _SEAM).tolist(), outline=_DARK, width=4)
            draw.rectangle(edges.tolist(), outline=colour, width=2)
        data = thumbnail_jpeg(np.asarray(picture), size=SIZE, quality=80)
        return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def mistakes_in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong on an image: ``missed tomato; orange 0.81, which is a tomato``."""
    said = []
    for row in rows:
        kind, truth, predicted = row["kind"], row["truth"], row["predicted"]
        score = "" if row["score"] is None else f" {row['score']:.2f}"
        if kind == MISSED:
            said.append(f"missed {truth}")
        elif kind != CORRECT:
            reason = {
                "classification": f"which is {truth}",
                "localisation": "badly placed",
                "both": f"near {truth}, badly placed"
                if truth
                else "badly placed, of another class",
                "duplicate": "found twice",
                "background": "where nothing is",
            }[kind]
            said.append(f"{predicted}{score}, {reason}")
    more = len(said) - _MOST_WORDS
    return "; ".join(said[:_MOST_WORDS]) + (f"; and {more} more" if more > 0 else "")


def _read(path: Path, image_ids: pa.Array, columns: Sequence[str]) -> pa.Table:
    """The rows of some images, without reading those of the others."""
    return pq.read_table(path, columns=list(columns), filters=pc.field("image_id").isin(image_ids))


def _boxes(rows: pa.Table, *, key: Sequence[str]) -> dict[tuple[Any, ...], NDArray[np.float64]]:
    """Key of each row to its box, xyxy; rows without one are left out."""
    rows = rows.filter(pc.is_valid(rows["x_min"]))
    names = zip(*(rows[k].to_pylist() for k in key), strict=True)
    edges = np.column_stack([rows[e].to_numpy().astype(np.float64) for e in _EDGES])
    return dict(zip(names, edges, strict=True))
