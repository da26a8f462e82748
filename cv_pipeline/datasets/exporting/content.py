"""A dataset version as what exports are written from: numbered, named, with its metadata.

Everything comes from the version's own tables, and the metadata from the catalogue at the table
version that the dataset version recorded, so the same version gives the same content.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.content import EXPORT_IMAGES, EXPORT_LABELS, Content
from cv_pipeline.annotations.file_names import stems_of, suffix_of, unique_names
from cv_pipeline.annotations.formats.coco_shapes import point_names
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.record import DatasetRecord
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.errors import CatalogError, DatasetError

_METADATA = """
SELECT image_id,
    CAST(to_json(map(list(key ORDER BY key), list(value ORDER BY key))) AS VARCHAR) AS metadata
FROM current GROUP BY image_id
"""


def read_content(version: DatasetVersion, *, catalog: Catalog | None, with_images: bool) -> Content:
    """Read what is to be exported of a dataset version: all of it.

    Args:
        version: the dataset version.
        catalog: the project's tables, for the metadata; without them there is none.
        with_images: whether the images themselves are exported too.

    Raises:
        DatasetError: a table of the version cannot be read, or the metadata of the recorded table
            version is gone.
    """
    record = version.record
    manifest = version.manifest.sort_by("image_id")
    annotations = version.annotations.sort_by(
        [("image_id", "ascending"), ("annotation_id", "ascending")]
    )
    unknown = set(pc.unique(annotations["label"]).to_pylist()) - {*record.ontology.labels}
    labels = (*record.ontology.labels, *sorted(unknown))
    numbered = _labels(annotations, manifest["image_id"], labels)
    return Content(
        digest=record.digest,
        project=record.project,
        task=record.task,
        labels=labels,
        images=_images(manifest, None if catalog is None else _metadata(catalog, record)),
        annotations=numbered,
        with_images=with_images,
        kinds=tuple(sorted(pc.unique(numbered["kind"]).to_pylist())),
        points=point_names(numbered),
    )


def _metadata(catalog: Catalog, record: DatasetRecord) -> pa.Table:
    try:
        return current_metadata(catalog, version=record.table_versions.get("image_metadata", 0))
    except CatalogError as error:
        raise DatasetError(
            f"The metadata that dataset version {record.digest[:12]} was made with is gone:"
            f" {error.what}",
            do="Export without it: --no-metadata.",
        ) from error


def _images(manifest: pa.Table, metadata: pa.Table | None) -> pa.Table:
    ids = manifest["image_id"].combine_chunks()
    n = len(manifest)
    stems = unique_names(stems_of(manifest["path"]), marks=ids.to_pylist())
    paths, formats = manifest["path"].to_pylist(), manifest["format"].to_pylist()
    files = [
        f"{stem}.{suffix_of(path, container=container)}"
        for stem, path, container in zip(stems, paths, formats, strict=True)
    ]
    sides = (manifest[name].to_numpy().astype(np.int64) for name in ("width", "height", "bands"))
    width, height, bands = sides
    kinds = manifest["dtype"].to_pylist()
    sample = {kind: np.dtype(kind).itemsize for kind in set(kinds)}
    columns = {
        **{name: manifest[name] for name in manifest.column_names},
        "number": np.arange(1, n + 1),
        "stem": stems,
        "file_name": files,
        "decoded_bytes": width * height * bands * np.array([sample[k] for k in kinds], np.int64),
        "metadata": pa.repeat("{}", n),
    }
    if metadata is not None:
        wanted = metadata.filter(pc.is_in(metadata["image_id"], value_set=ids))
        found = run_sql(_METADATA, relations={"current": wanted})
        at = pc.index_in(ids, value_set=found["image_id"].combine_chunks())
        columns["metadata"] = found["metadata"].combine_chunks().take(at).fill_null("{}")
    return _table(columns, EXPORT_IMAGES, n)


def _labels(annotations: pa.Table, ids: pa.ChunkedArray, labels: tuple[str, ...]) -> pa.Table:
    n = len(annotations)
    place = pc.index_in(annotations["image_id"], value_set=ids.combine_chunks())
    columns = {
        **{name: annotations[name] for name in annotations.column_names},
        "number": np.arange(1, n + 1),
        "image": pc.add(place.cast(pa.int64()), 1),
        "category": pc.index_in(annotations["label"], value_set=pa.array(labels)),
        "width": pc.subtract(annotations["x_max"], annotations["x_min"]),
        "height": pc.subtract(annotations["y_max"], annotations["y_min"]),
    }
    return _table(columns, EXPORT_LABELS, n)


def _table(columns: dict[str, object], schema: pa.Schema, rows: int) -> pa.Table:
    """Columns of a schema; what is not there is null."""
    made = {f.name: columns.get(f.name, pa.nulls(rows, f.type)) for f in schema}
    return pa.table(made).cast(schema).combine_chunks()
