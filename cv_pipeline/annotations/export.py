"""The import of annotations, in one call: frozen, parsed, resolved, catalogued.

They come from the files of an export, from what was pulled from the annotation tool, or from both:
where both have somebody's labels of an image, what was pulled counts. Labels of older versions of
the ontology are brought to the current one.

The same export over the same images gives the same digest and changes nothing the second time. A
process that is killed at any point leaves tables that the next call completes.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats import (
    ExportFiles,
    label_studio,
    parse_export,
    read_export,
)
from cv_pipeline.annotations.ontology import (
    Migrated,
    lock,
    migrate,
    ontology_at,
    set_aside_to_relabel,
)
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR, ParsedExport, UnusableExport, raw_table
from cv_pipeline.annotations.resolve import ResolvedAnnotations, resolve
from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import AnnotationError
from cv_pipeline.labeling.exchange.people import record_people, with_names_of_tool
from cv_pipeline.project import Ontology, Project
from cv_pipeline.storage import ImageSource, ObjectStore

if TYPE_CHECKING:
    from cv_pipeline.labeling.exchange.pulled_export import PulledExport

STAGE = "annotation_exports"
"""Stage under which refused annotations are quarantined."""

ACTOR = "auto:ontology"
"""Who sets images aside that must be labelled again for a new version of the ontology."""


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
        frozen: keys of the bytes of the export, of the gold labels and of what was pulled, in the
            object store.
        pulled: of the rows, those that were pulled from the annotation tool.
        version: version of the ``annotations`` table that holds the rows.
        migrated: what became of labels that were made under older versions of the ontology.
        relabel: batches of images that must be labelled again for the current version.
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
    pulled: int
    version: int
    migrated: Migrated
    relabel: tuple[str, ...]


def import_annotations(
    *,
    project: Project,
    catalog: Catalog,
    store: ObjectStore,
    source: ImageSource | None,
    gold: ImageSource | None = None,
    pulled: Sequence[PulledExport] = (),
    table_versions: Mapping[str, int] | None = None,
) -> ImportReport:
    """Bring the ``annotations`` table to what the export and the annotation tool say.

    Args:
        project: whose format and ontology count.
        catalog: its tables; ``files`` and ``images`` are read, ``annotations`` is replaced when
            the content has changed, refusals go to ``quarantine``.
        store: where the export is frozen.
        source: the export; None where all is in the annotation tool.
        gold: CSV of known truth; its rows are those of the annotator ``gold``.
        pulled: what was pulled from the annotation tool.
        table_versions: versions of the tables to read; the latest of those that it leaves out.

    Raises:
        SourceError: the export cannot be opened.
        OntologyError: labels were made under the current version when it was something else.
        AnnotationError: its format is not recognised, or not one annotation is usable although
            there are some, or a part that could hold some was refused. The table then stays as
            it was, and the quarantine says what was refused.
    """
    lock(project, catalog)
    record_people(catalog, project.labeling)
    made_under = project.annotations.ontology_version or project.ontology.version
    of_export = ontology_at(project.ontology, made_under)
    parts: list[_Part] = []
    if source is not None:
        export = read_export(source)
        parsed = _parse(export, format=project.annotations.format, catalog=catalog)
        parts.append(_Part(export, parsed, of_export))
    if gold is not None:
        export = read_export(gold)
        parsed = _as_gold(_parse(export, format="csv", catalog=catalog))
        parts.append(_Part(export, parsed, of_export))
    of_files = len(parts)
    for one in pulled:
        ontology = ontology_at(project.ontology, one.ontology_version).model_copy(
            update={"guideline_version": one.guideline_version}
        )
        parts.append(_Part(one.files, _of_tool(one.files, catalog=catalog), ontology))
    frozen = [freeze(store, project=project.name, export=p.export, parsed=p.parsed) for p in parts]
    versions = table_versions or {}
    resolved = [_resolve(p, catalog=catalog, versions=versions) for p in parts]
    refusals = [
        refusal
        for part, found in zip(parts, resolved, strict=True)
        for refusal in _stamped(found.quarantine, part.export)
    ]
    from_files = _together(r.rows for r in resolved[:of_files])
    from_tool = _together(r.rows for r in resolved[of_files:])
    given_way = _without(from_files, from_tool)
    migrated = migrate(_together([given_way, from_tool]), project.ontology)
    left = migrated.refusals()
    for part in parts:
        refusals += _stamped((r for r in left if r.file in part.export.files), part.export)
    reconcile_refusals(catalog, stage=STAGE, refusals=refusals)
    rows = migrated.rows.sort_by("annotation_id")
    reasons = dict(sorted(Counter(r.reason for r in refusals).items()))
    _require_some(parts, resolved, reasons)
    table = catalog.table("annotations")
    digest = _digest(rows)
    version = table.version
    if version == 0 or _digest(table.read(version=version)) != digest:
        version = table.replace(rows)
    relabel = set_aside_to_relabel(
        catalog, migrated.relabel, version=project.ontology.version, actor=ACTOR
    )
    not_imported = sum((Counter(p.parsed.not_imported) for p in parts), Counter[str]())
    if len(given_way) < len(from_files):
        not_imported["annotation that was pulled too"] = len(from_files) - len(given_way)
    sources = pa.array([name for p in parts[of_files:] for name in p.export.files], pa.string())
    return ImportReport(
        digest=digest,
        format=parts[0].parsed.format if parts else "label_studio",
        rows=len(rows),
        images=pc.count_distinct(rows["image_id"]).as_py(),
        annotators=pc.count_distinct(rows["annotator"]).as_py(),
        empty_images=sum(len(p.parsed.empty) for p in parts[:1] + parts[of_files:]),
        quarantined=reasons,
        not_imported=dict(not_imported),
        frozen=frozen,
        pulled=pc.sum(pc.is_in(rows["source"], value_set=sources)).as_py() or 0,
        migrated=migrated,
        relabel=relabel,
        version=version,
    )


@dataclass(frozen=True)
class _Part:
    """One export that annotations come from, and the ontology that they were made under."""

    export: ExportFiles
    parsed: ParsedExport
    ontology: Ontology


def _together(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables([ANNOTATIONS.empty_table(), *tables])


def _without(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows of images and annotators that others have no rows of."""
    if not len(others):
        return rows
    keys = ["image_id", "annotator"]
    theirs = others.select(keys).group_by(keys).aggregate([])
    return (
        rows.join(theirs, keys, join_type="left anti").select(rows.column_names).cast(ANNOTATIONS)
    )


def _require_some(
    parts: Sequence[_Part], resolved: Sequence[ResolvedAnnotations], reasons: Mapping[str, int]
) -> None:
    """See that something of the files can be used, if there is something in them.

    Raises:
        AnnotationError: nothing can.
    """
    if not parts or not len(parts[0].parsed.rows) or any(len(r.rows) for r in resolved):
        return
    told = ", ".join(f"{count} × {reason}" for reason, count in reasons.items())
    first = resolved[0].quarantine[0]
    raise AnnotationError(
        f"Not one of the {len(parts[0].parsed.rows)} annotations in {parts[0].export.url} can be"
        f" used: {told}. The first: {first.file}, {first.field}: {first.detail}",
        do="Check source.images, annotations.source and ontology.labels.",
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


def _of_tool(export: ExportFiles, *, catalog: Catalog) -> ParsedExport:
    """Parse what was pulled; a batch of which nothing can be read holds up no other."""
    try:
        parsed = label_studio.parse(export.files, is_ours=False)
        return replace(parsed, rows=with_names_of_tool(catalog, parsed.rows))
    except UnusableExport as error:
        return ParsedExport(
            format="label_studio",
            files=tuple(sorted(export.files)),
            rows=raw_table(()),
            quarantine=error.refusals,
            labels=(),
            images=(),
            empty=(),
            not_imported={},
            fields=label_studio.FIELDS,
        )


def _stamped(refusals: Iterable[Refusal], export: ExportFiles) -> list[Refusal]:
    """Refusals with the state that their files were in."""
    return [replace(r, fingerprint=export.fingerprints.get(r.file, "")) for r in refusals]


def _resolve(part: _Part, *, catalog: Catalog, versions: Mapping[str, int]) -> ResolvedAnnotations:
    refused_images = catalog.table("quarantine").read(
        columns=["file"],
        filter=(pc.field("stage") == "raw_images") & (pc.field("field") == ""),
        version=versions.get("quarantine"),
    )
    return resolve(
        part.parsed,
        files=catalog.table("files").read(
            columns=["path", "image_id"], version=versions.get("files")
        ),
        images=catalog.table("images").read(
            columns=["image_id", "width", "height"], version=versions.get("images")
        ),
        ontology=part.ontology,
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
