from __future__ import annotations

import base64
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cv_pipeline.catalog.schemas.matches import MATCHES
from cv_pipeline.evaluation.report.pictures import Pictures
from cv_pipeline.storage import Blobs, Tombstone, Tombstones, open_store

BOX, FAR = (10.0, 10.0, 30.0, 30.0), (60.0, 40.0, 80.0, 55.0)


@pytest.fixture
def grey() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((60, 120, 3), 128, np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_what_is_right_wrong_and_missed_is_drawn(
    tmp_path: Path,
    grey: bytes,
    annotations_of: Callable[..., pa.Table],
    predictions_of: Callable[..., pa.Table],
):
    store = open_store(str(tmp_path / "store"))
    blobs = Blobs(store)
    image, other = blobs.put(grey), blobs.put(grey + b"\n")
    pq.write_table(annotations_of((image, "tomato", BOX)), tmp_path / "annotations.parquet")
    pq.write_table(predictions_of((image, "plum", 0.5, FAR)), tmp_path / "predictions.parquet")
    manifest = pa.table({"image_id": [image, other], "path": ["a.png", "b.png"]})
    pq.write_table(manifest, tmp_path / "manifest.parquet")
    blank = dict.fromkeys(MATCHES.names) | {"image_id": image, "split": "test"}
    rows = [
        blank | {"kind": "missed", "truth": "tomato", "annotation_id": "a0"},
        blank | {"kind": "background", "predicted": "plum", "rank": 0, "score": 0.5},
    ]
    pictures = Pictures(
        blobs=blobs,
        tombstones=Tombstones(store),
        matches=pa.Table.from_pylist(rows, schema=MATCHES),
        dataset=tmp_path,
        predictions=tmp_path,
        max_pixels=10_000,
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    Tombstones(store).create(
        Tombstone(image_id=other, reason="r", actor="a", at=at, paths={}, bytes=None, used_by=())
    )
    shown, gone = pictures.of([image, other, image])
    assert (shown.path, shown.caption) == ("a.png", "missed tomato; plum 0.50, where nothing is")
    pixels = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(shown.uri.partition(",")[2]))), dtype=int
    )
    # twice the size of the image, which had 120 pixels
    assert pixels.shape == (120, 240, 3)
    # the upper edge of each box, halfway: yellow for missed, red for wrong; JPEG blurs them
    missed, wrong, ground = pixels[20, 40], pixels[80, 140], pixels[100, 40]
    assert missed[0] > 150 > 90 > missed[2]
    assert wrong[0] > 130 > 90 > wrong[2]
    assert missed[1] > wrong[1] + 20
    assert np.abs(ground - 128).max() < 12
    # what was taken out leaves its name alone
    assert (gone.uri, gone.path, gone.caption) == ("", "b.png", "")
    assert pictures.shown == {image}
