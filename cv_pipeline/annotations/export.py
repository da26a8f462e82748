"""The import of annotations, in one call: frozen, parsed, resolved, catalogued.

They come from the files of an export, from what was pulled from the annotation tool, or from both:
of an image that somebody looked at in the tool, what they say there counts. Labels of older
versions of the ontology are brought to the current one.

The same export over the same images gives the same digest and changes nothing the second time. A
process that is killed at any point leaves tables that the next call completes.
"""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats import ExportFiles, parse_export, read_export
from cv_pipeline.annotations.import_parts import (
    LOOKED_AT,
    Lake,
    Part,
    keep,
    of_tool,
    stamped,
)
from cv_pipeline.annotations.ontology import (
    Migrated,
    lock,
    migrate,
    ontology_at,
    set_aside_to_relabel,
)
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR, ParsedExport, UnusableExport
from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.ingest.path_matching import match_images
from cv_pipeline.catalog.quarantine import reconcile_refusals
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import AnnotationError
from cv_pipeline.labeling.exchange.imported import note_imported
from cv_pipeline.labeling.exchange.people import record_people
from cv_pipeline.project import Project
from cv_pipeline.storage import ImageSource, ObjectStore

if TYPE_CHECKING:
    from cv_pipeline.labeling.exchange.pulled_export import Pulled

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
        empty_images: images that somebody looked at, by a file or in the tool, and found nothing
            on; they have no row.
        quarantined: reason to number of refusals.
        not_imported: what is left out by design, and how often.
        frozen: keys of the bytes of the export and of the gold labels, and of the lists of what was
            pulled (digests of states in ``tool_annotations``), in the object store.
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
    pulled: Pulled | None = None,
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
        pulled: what was pulled from the annotation tool; None when there is no tool.
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
    read: list[tuple[ExportFiles, ParsedExport]] = []
    if source is not None:
        export = read_export(source)
        read.append((export, _parse(export, format=project.annotations.format, catalog=catalog)))
    if gold is not None:
        export = read_export(gold)
        read.append((export, _as_gold(_parse(export, format="csv", catalog=catalog))))
    lake = Lake.of(catalog, table_versions or {})
    of_files = [
        Part.of(
            parsed,
            lake.resolve(parsed, of_export),
            url=export.url,
            frozen=freeze(store, project=project.name, export=export, parsed=parsed),
            fingerprints=export.fingerprints,
        )
        for export, parsed in read
    ]
    read.clear()  # what it holds of a large export is not needed beside what was made of it
    from_pull = [
        of_tool(one, project=project, lake=lake, store=store)
        for one in (pulled.exports if pulled is not None else ())
    ]
    parts = [*of_files, *from_pull]
    refusals = [refusal for part in parts for refusal in part.refusals]
    from_files = _together(part.resolved.rows for part in of_files)
    from_tool = _together(part.resolved.rows for part in from_pull)
    looked_at = pa.concat_tables([LOOKED_AT, *(p.looked_at for p in from_pull)])
    given_way = _without(from_files, looked_at)
    from_tool = _beside_gold(from_tool, given_way)
    migrated = migrate(_together([given_way, from_tool]), project.ontology)
    states = {file: state for part in parts for file, state in part.fingerprints.items()}
    refusals += stamped(migrated.refusals(), states)
    reconcile_refusals(catalog, stage=STAGE, refusals=refusals)
    rows = migrated.rows.sort_by("annotation_id")
    reasons = dict(sorted(Counter(r.reason for r in refusals).items()))
    if of_files:  # of what people draw in the tool, one mistake holds up nothing
        _require_some(parts, reasons)
    table = catalog.table("annotations")
    digest = _digest(rows)
    version = table.version
    if version == 0 or _digest(table.read(version=version)) != digest:
        version = table.replace(rows)
    version = max(version, table.index())
    relabel = set_aside_to_relabel(
        catalog, migrated.relabel, version=project.ontology.version, actor=ACTOR
    )
    if pulled is not None:
        note_imported(catalog, states=pulled.states)
    not_imported = sum((Counter(p.not_imported) for p in parts), Counter[str]())
    if len(given_way) < len(from_files):
        not_imported["annotation that was pulled too"] = len(from_files) - len(given_way)
    sources = pa.array([name for p in from_pull for name in p.fingerprints], pa.string())
    return ImportReport(
        digest=digest,
        format=parts[0].format if parts else "label_studio",
        rows=len(rows),
        images=pc.count_distinct(rows["image_id"]).as_py(),
        annotators=pc.count_distinct(rows["annotator"]).as_py(),
        empty_images=_empty_images(parts[:1] + from_pull, rows, lake),
        quarantined=reasons,
        not_imported=dict(not_imported),
        frozen=[part.frozen for part in parts],
        pulled=pc.sum(pc.is_in(rows["source"], value_set=sources)).as_py() or 0,
        migrated=migrated,
        relabel=relabel,
        version=version,
    )


def _together(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables([ANNOTATIONS.empty_table(), *tables])


def _without(rows: pa.Table, looked_at: pa.Table) -> pa.Table:
    """The rows of images that their annotator did not look at in the tool.

    Who looked there at an image, and drew nothing or took all away, says that nothing is on it.
    """
    if not len(looked_at):
        return rows
    keys = looked_at.column_names
    return (
        rows.join(looked_at.group_by(keys).aggregate([]), keys, join_type="left anti")
        .select(rows.column_names)
        .cast(ANNOTATIONS)
    )


def _beside_gold(rows: pa.Table, others: pa.Table) -> pa.Table:
    """Rows that are no ground truth where there is known truth of the image already."""
    known = others["image_id"].filter(pc.equal(others["annotator"], GOLD_ANNOTATOR))
    twice = pc.and_(
        pc.equal(rows["role"], "gold"), pc.is_in(rows["image_id"], value_set=pc.unique(known))
    )
    place = rows.schema.get_field_index("role")
    roles = pc.if_else(twice, "annotator", rows["role"])
    return rows.set_column(place, rows.schema.field(place), roles)


def _empty_images(parts: Sequence[Part], rows: pa.Table, lake: Lake) -> int:
    """Images that somebody looked at, by a file or in the tool, and that hold no label."""
    paths = pa.array(sorted({path for part in parts for path in part.empty}), pa.string())
    ids = match_images(paths, files=lake.files).image_ids.drop_null()
    labelled = pc.is_in(ids.unique(), value_set=pc.unique(rows["image_id"]))
    return len(labelled) - (pc.sum(labelled).as_py() or 0)


def _require_some(parts: Sequence[Part], reasons: Mapping[str, int]) -> None:
    """See that something of the files can be used, if there is something in them.

    Raises:
        AnnotationError: nothing can.
    """
    if not parts[0].parsed or any(len(p.resolved.rows) for p in parts):
        return
    told = ", ".join(f"{count} × {reason}" for reason, count in reasons.items())
    first = parts[0].resolved.quarantine[0]
    raise AnnotationError(
        f"Not one of the {parts[0].parsed} annotations in {parts[0].url} can be"
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
            refusals=stamped(error.refusals, export.fingerprints),
            # what was refused of the other export still holds
            within=one_of("file", export.fingerprints),
        )
        raise


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
    return keep(store, project, contents[0][1] if len(contents) == 1 else _tar(contents))


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
