"""Labels of several annotators from plain export files, without a project.

An export that says who made each label may hold several annotators; one that does not is a single
annotator's, and called as its file. Images are matched as an import matches them: by path, by the
end of a path, by a file name that is used once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.annotations.raw import UNKNOWN_ANNOTATOR, ParsedExport
from cv_pipeline.catalog.ingest.path_matching import match_images
from cv_pipeline.errors import AnnotationError
from cv_pipeline.quality.agreement import LOOKED
from cv_pipeline.storage import open_source

_EDGES = ("x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True)
class AnnotatorFiles:
    """What annotators said.

    Attributes:
        kind: boxes, or classes of whole images where no file has a box.
        rows: columns ``image_id`` (a path), ``annotator``, ``label`` and the edges, which are null
            for classes. Edges are of one image in one unit, pixels or shares of its sides.
        looked: who labelled which image, as ``LOOKED``.
        refused: why parts of the files could not be read, and how often.
    """

    kind: Literal["boxes", "classes"]
    rows: pa.Table
    looked: pa.Table
    refused: dict[str, int]


def read_annotators(paths: Sequence[Path]) -> AnnotatorFiles:
    """Read the export files of annotators.

    Args:
        paths: files or folders.

    Raises:
        SourceError: one is not there.
        AnnotationError: one holds no annotation that can be read, or the files do not go together.
    """
    parsed = [parse_export(read_export(open_source(str(path)))) for path in paths]
    images = _Images()
    tables, looked = [], []
    for name, one in zip(_names(paths), parsed, strict=True):
        who = pc.if_else(
            pc.equal(one.rows["annotator"], UNKNOWN_ANNOTATOR), name, one.rows["annotator"]
        )
        ids = images.find(one.rows["image_path"])
        columns = ["label", "kind", *_EDGES, "normalized", "width", "height"]
        tables.append(
            pa.table([ids, who, *(one.rows[c] for c in columns)], names=[*LOOKED.names, *columns])
        )
        looked += [tables[-1].select(LOOKED.names), _looked(one, name, images)]
    rows = pa.concat_tables(tables)
    boxes = rows.filter(pc.is_valid(rows["x_min"]))
    kind: Literal["boxes", "classes"] = "boxes" if len(boxes) else "classes"
    if kind == "classes":
        boxes = rows.filter(pc.equal(rows["kind"], "class"))
    return AnnotatorFiles(
        kind=kind,
        rows=_one_unit(boxes).select([*LOOKED.names, "label", *_EDGES]),
        looked=pa.concat_tables(looked).cast(LOOKED),
        refused=dict(sorted(Counter(r.reason for p in parsed for r in p.quarantine).items())),
    )


class _Images:
    """The images that were named so far."""

    def __init__(self) -> None:
        self._known = pa.array([], pa.string())

    def find(self, paths: pa.ChunkedArray | pa.Array) -> pa.Array:
        """Name of the image of each path; a new one for a path that fits none."""
        distinct = pc.unique(paths)
        if len(self._known):
            files = pa.table({"path": self._known, "image_id": self._known})
            found = match_images(distinct, files=files).image_ids
        else:
            found = pa.nulls(len(distinct), pa.string())
        new = distinct.filter(pc.is_null(found))
        names = pc.coalesce(found, distinct)
        self._known = pa.concat_arrays([self._known, new])
        places = pc.index_in(paths, value_set=distinct)
        return names.take(
            places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places
        )


def _names(paths: Sequence[Path]) -> list[str]:
    """What the annotator of each file is called: its name, or its path where names repeat."""
    stems = [path.stem for path in paths]
    return [
        stem if stems.count(stem) == 1 else str(path)
        for stem, path in zip(stems, paths, strict=True)
    ]


def _looked(parsed: ParsedExport, name: str, images: _Images) -> pa.Table:
    """Images that the one annotator of an export labelled, also those without a label."""
    people = pc.unique(parsed.rows["annotator"]).to_pylist()
    alone = people in ([], [UNKNOWN_ANNOTATOR]) or len(people) == 1
    listed = parsed.images if alone else ()
    who = name if people in ([], [UNKNOWN_ANNOTATOR]) else people[0] if alone else ""
    ids = images.find(pa.array(listed, pa.string()))
    return pa.table([ids, pa.repeat(pa.scalar(who), len(ids))], names=LOOKED.names)


def _one_unit(rows: pa.Table) -> pa.Table:
    """Rows whose edges are all of one unit: shares of the sides where any file has them.

    Raises:
        AnnotationError: some are shares and others pixels of images whose size no file says.
    """
    if not pc.any(rows["normalized"]).as_py():
        return rows
    sized = pc.and_(pc.is_valid(rows["width"]), pc.is_valid(rows["height"]))
    unknown = pc.and_(pc.invert(rows["normalized"]), pc.invert(sized))
    if pc.any(unknown).as_py():
        raise AnnotationError(
            "Some files give boxes in pixels and others as shares of the image, and no file says"
            " how large the images are.",
            do="Export all of them in one format.",
        )
    for place, edge in enumerate(_EDGES):
        side = rows["height" if place % 2 else "width"]
        shares = pc.if_else(
            rows["normalized"], rows[edge], pc.divide(rows[edge], side.cast(pa.float64()))
        )
        rows = rows.set_column(rows.schema.get_field_index(edge), edge, shares)
    return rows
