"""A remote store, and the copies that are kept of its folders."""

from __future__ import annotations

from pathlib import Path

from cv_pipeline.datasets.version import load_version
from cv_pipeline.storage import Blobs, ObjectStore, blob_key, fetch, publish
from cv_pipeline.verification import verify_cache, verify_store, verify_versions
from tests.datasets.versions import image_row, label_row, picture, write_version
from tests.verification.test_images import ignore


def test_a_remote_store_and_its_cache(s3_store: ObjectStore, tmp_path: Path) -> None:
    blobs = Blobs(s3_store)
    ids = sorted(blobs.put(picture(n)) for n in range(3))
    images = [image_row(i, path=f"{n}.png") for n, i in enumerate(ids)]
    version = write_version(tmp_path / "version", images, [label_row(ids[0])])
    key = f"projects/fruit/datasets/{version.digest}"
    publish(s3_store, key, version.folder, marker="dataset.json")
    cache = tmp_path / "cache"
    copy = fetch(s3_store, key, marker="dataset.json", cache=cache)

    assert verify_store(s3_store, pixels=True, progress=ignore).ok
    assert verify_cache(cache, progress=ignore).checked == {"dataset": 1}

    # the copy alone is damaged
    (copy / "annotations.parquet").write_bytes(b"PAR1")
    assert verify_store(s3_store, pixels=True, progress=ignore).ok
    (problem,) = verify_cache(cache, progress=ignore).problems
    assert problem.do == f"Delete {copy}; it is fetched again when it is needed."
    (same,) = verify_versions(
        [load_version(copy)], store=s3_store, cache=cache, pixels=True, progress=ignore
    ).problems
    assert same == problem

    # and then the store
    s3_store.write(f"{key}/annotations.parquet", b"PAR1")
    s3_store.write(blob_key(ids[1]), b"other")
    s3_store.delete(blob_key(ids[2]))
    found = verify_store(s3_store, pixels=True, progress=ignore)
    assert {p.thing for p in found.problems if p.kind == "image"} == {ids[1], ids[2]}
    (altered,) = (p for p in found.problems if p.kind == "dataset")
    assert altered.do.startswith(f"Restore {key} from a backup; or move it away and run: cvp run")
