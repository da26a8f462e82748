"""The import of an annotation export, in one call: frozen, parsed, resolved, catalogued.

The same export over the same images gives the same digest and changes nothing the second time. A
process that is killed at any point leaves tables that the next call completes.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats import ExportFiles, parse_export, read_export
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR, ParsedExport, UnusableExport
from cv_pipeline.annotations.resolve import ResolvedAnnotations, resolve
from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import AnnotationError
from cv_pipeline.project import Project
from cv_pipeline.storage import ImageSource, ObjectStore

STAGE = "annotation_exports"
"""Stage under which refused annotations are quarantined."""


@dataclass(frozen=True)
class ImportReport:
    """What an import brought.

    Attributes:
        digest: SHA-256 of the content of the ``annotations`` table.
        format: name of the export's format.
        rows: annotations in the table.
        images: images that have any.
        annotators: distinct annotators.
        empty_images: images that the export says hold no object; they have no row.
        quarantined: reason to number of refusals.
        not_imported: what is left out by design, and how often.
        frozen: keys of the bytes of the export, and of the gold labels, in the object store.
        version: version of the ``annotations`` table that holds the rows.
    """

    digest: str
    format: str
    rows: int
    images: int
    annotators: int
    empty_images: int
    quarantined: dict[str, int]
    not_imported: dict[str, int]
    frozen: list[str]
    version: int


def import_annotations(
    *,
    project: Project,
    catalog: Catalog,
    store: ObjectStore,
    source: ImageSource,
    gold: ImageSource | None = None,
    table_versions: Mapping[str, int] | None = None,
) -> ImportReport:
    """Bring the ``annotations`` table to what the export says.

    Args:
        project: whose format and ontology count.
        catalog: its tables; ``files`` and ``images`` are read, ``annotations`` is replaced when
            the content has changed, refusals go to ``quarantine``.
        store: where the export is frozen.
        source: the export.
        gold: CSV of known truth; its rows are those of the annotator ``gold``.
        table_versions: versions of the tables to read; the latest of those that it leaves out.

    Raises:
        SourceError: the export cannot be opened.
        AnnotationError: its format is not recognised, or not one annotation is usable although
            there are some, or a part that could hold some was refused. The table then stays as
            it was, and the quarantine says what was refused.
    """
    versions = table_versions or {}
    exports = [read_export(source)]
    parsed = [_parse(exports[0], format=project.annotations.format, catalog=catalog)]
    if gold is not None:
        exports.append(read_export(gold))
        parsed.append(_as_gold(_parse(exports[1], format="csv", catalog=catalog)))
    frozen = [
        freeze(store, project=project.name, export=e, parsed=p)
        for e, p in zip(exports, parsed, strict=True)
    ]
    resolved = [_resolve(p, project=project, catalog=catalog, versions=versions) for p in parsed]
    refusals = [
        refusal
        for export, found in zip(exports, resolved, strict=True)
        for refusal in _stamped(found.quarantine, export)
    ]
    reconcile_refusals(catalog, stage=STAGE, refusals=refusals)
    rows = pa.concat_tables([r.rows for r in resolved]).sort_by("annotation_id")
    reasons = dict(sorted(Counter(r.reason for r in refusals).items()))
    if len(parsed[0].rows) and not len(resolved[0].rows):
        told = ", ".join(f"{count} × {reason}" for reason, count in reasons.items())
        first = resolved[0].quarantine[0]
        raise AnnotationError(
            f"Not one of the {len(parsed[0].rows)} annotations in {exports[0].url} can be used:"
            f" {told}. The first: {first.file}, {first.field}: {first.detail}",
            do="Check source.images, annotations.source and ontology.labels.",
        )
    table = catalog.table("annotations")
    digest = _digest(rows)
    version = table.version
    if version == 0 or _digest(table.read(version=version)) != digest:
        version = table.replace(rows)
    return ImportReport(
        digest=digest,
        format=parsed[0].format,
        rows=len(rows),
        images=pc.count_distinct(rows["image_id"]).as_py(),
        annotators=pc.count_distinct(rows["annotator"]).as_py(),
        empty_images=len(parsed[0].empty),
        quarantined=reasons,
        not_imported=dict(parsed[0].not_imported),
        frozen=frozen,
        version=version,
    )


def _parse(export: ExportFiles, *, format: str, catalog: Catalog) -> ParsedExport:  # noqa: A002
    """Parse an export; one that gives nothing leaves its refusals before the error goes on."""
    try:
        return parse_export(export, format=format)
    except UnusableExport as error:
        reconcile_refusals(
            catalog,
            stage=STAGE,
            refusals=_stamped(error.refusals, export),
            # what was refused of the other export still holds
            within=one_of("file", export.fingerprints),
        )
        raise


def _stamped(refusals: Iterable[Refusal], export: ExportFiles) -> list[Refusal]:
    """Refusals with the state that their files were in."""
    return [replace(r, fingerprint=export.fingerprints.get(r.file, "")) for r in refusals]


def _resolve(
    parsed: ParsedExport, *, project: Project, catalog: Catalog, versions: Mapping[str, int]
) -> ResolvedAnnotations:
    refused_images = catalog.table("quarantine").read(
        columns=["file"],
        filter=(pc.field("stage") == "raw_images") & (pc.field("field") == ""),
        version=versions.get("quarantine"),
    )
    return resolve(
        parsed,
        files=catalog.table("files").read(
            columns=["path", "image_id"], version=versions.get("files")
        ),
        images=catalog.table("images").read(
            columns=["image_id", "width", "height"], version=versions.get("images")
        ),
        ontology=project.ontology,
        refused_files=refused_images["file"],
    )


def _as_gold(parsed: ParsedExport) -> ParsedExport:
    rows = parsed.rows
    for name, value in (("annotator", GOLD_ANNOTATOR), ("role", "gold")):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), pa.repeat(value, len(rows)))
    return replace(parsed, rows=rows)


def freeze(store: ObjectStore, *, project: str, export: ExportFiles, parsed: ParsedExport) -> str:
    """Keep the bytes of an export for ever, under their own hash.

    Returns:
        Key of the object: the file itself, or a tar of the files when there are several. Equal
        files give equal bytes, for the tar holds nothing but sorted names and contents.
    """
    contents = [(path, export.files[path]) for path in parsed.files]
    data = contents[0][1] if len(contents) == 1 else _tar(contents)
    key = f"projects/{project}/exports/{hashlib.sha256(data).hexdigest()}"
    store.create(key, data)
    return key


def _digest(rows: pa.Table) -> str:
    # annotations/1 knew neither geometry nor role
    return table_digest(rows, schema_id="annotations/2", sort_by=["annotation_id"])


def _tar(contents: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, data in sorted(contents):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
