"""Relations that a query reads besides the snapshot: dataset versions, what models did, likeness.

Each is read from the folder or table that a reference means, and its image ids become numbers.
Images that are not in the snapshot are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cv_pipeline.catalog.datalake.references import References
from cv_pipeline.catalog.query.statement import Reference
from cv_pipeline.catalog.schemas import SIGNATURES
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.catalog.snapshot.look_up import find_image
from cv_pipeline.catalog.snapshot.relations import DATASET, SIMILAR
from cv_pipeline.catalog.snapshot.snapshot import Snapshot
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CatalogError, QueryError

_ROWS_AT_ONCE = 65_536


def referred(
    reference: Reference, *, snapshot: Snapshot, catalog: Catalog, references: References
) -> pa.Table:
    """The relation that a query's reference stands for.

    Args:
        reference: what the query names.
        snapshot: whose numbers the images get.
        catalog: the project's tables.
        references: knows which folder a reference means.

    Returns:
        A column ``n``, and for a dataset version ``split`` (schema ``relations.DATASET``), for
        predictions and results the columns of ``PREDICTIONS`` and ``PER_IMAGE`` but the image id,
        and for likeness ``similarity`` (``relations.SIMILAR``).

    Raises:
        ProvenanceError: the reference is unknown.
        CatalogError: what it means cannot be read.
        QueryError: the image that others are to be like is unknown or was never measured.
    """
    match reference.kind:
        case "dataset":
            path = references.dataset(reference.ref) / "manifest.parquet"
            return _numbered(path, DATASET.names[1:], snapshot)
        case "predictions":
            path = references.predictions(reference.ref) / "predictions.parquet"
            return _numbered(path, PREDICTIONS.names[1:], snapshot)
        case "results":
            path = references.evaluation(reference.ref) / "per_image.parquet"
            return _numbered(path, PER_IMAGE.names[1:], snapshot)
        case "similar":
            return similar(reference.ref, snapshot=snapshot, catalog=catalog)


def similar(ref: str, *, snapshot: Snapshot, catalog: Catalog) -> pa.Table:
    """How like every image is to one, as the cosine of the angle between their descriptors.

    Args:
        ref: the image: its id, a prefix of 8 or more, or its path.
        snapshot: whose numbers the images get.
        catalog: the project's tables; the latest signatures are read.

    Returns:
        Rows of ``relations.SIMILAR`` for the images that have a descriptor.

    Raises:
        QueryError: there is no such image, or it has no descriptor.
    """
    image_id = snapshot.images["image_id"][find_image(snapshot, catalog, ref)].as_py()
    table = catalog.table("signatures")
    version = table.version
    own = table.read(
        columns=["descriptor"], filter=pc.field("image_id") == image_id, version=version
    )
    if not len(own):
        raise QueryError(
            f"Image {ref!r} has no descriptor, so nothing can be compared with it.",
            do=f"Run: cvp run {catalog.project} --select image_features",
        )
    one = _matrix(own["descriptor"].combine_chunks())[0]
    numbers: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    likeness: list[NDArray[np.float64]] = [np.empty(0, np.float64)]
    rows = table.relation(version=version)
    for batch in rows.to_batches(columns=["image_id", "descriptor"], batch_size=_ROWS_AT_ONCE):
        numbers.append(snapshot.numbering.find(batch["image_id"]))
        likeness.append(_cosines(_matrix(batch["descriptor"]), one))
    n = np.concatenate(numbers)
    known = n >= 0
    columns = [pa.array(n[known]), pa.array(np.concatenate(likeness)[known])]
    return pa.Table.from_arrays(columns, schema=SIMILAR)


def _numbered(path: Path, columns: list[str], snapshot: Snapshot) -> pa.Table:
    """Columns of a file with an ``image_id``, which becomes ``n``."""
    try:
        rows = pq.read_table(path, columns=["image_id", *columns])
    except (OSError, pa.ArrowException) as error:
        raise CatalogError(
            f"{path} cannot be read: {error}.", do="Materialize what it belongs to again."
        ) from error
    n = snapshot.numbering.find(rows["image_id"])
    numbered = rows.select(columns).add_column(0, "n", pa.array(n))
    return numbered.filter(pa.array(n >= 0))


def _matrix(descriptors: pa.FixedSizeListArray) -> NDArray[np.float32]:
    """Descriptors as rows."""
    size = SIGNATURES.field("descriptor").type.list_size
    values: NDArray[np.float32] = descriptors.flatten().to_numpy()
    return values.reshape(-1, size)


def _cosines(rows: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of the angle of each row to one, to the six digits that float32 holds; 0 to zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows)) * np.sqrt(one @ one)
    cosines: NDArray[np.float32] = np.divide(
        rows @ one, lengths, out=np.zeros_like(lengths), where=lengths > 0
    )
    return cosines.astype(np.float64).round(6)
