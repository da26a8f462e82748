"""The ingest: files of a source become images of the lake, each read, checked and kept once.

It is incremental (a file that is known by path and fingerprint is read again only where the object
store has lost its image), resumable (killed at any moment and run again, it reaches the same tables
and digest) and never stopped by a bad file, which goes to the quarantine until it is repaired.
Files that vanish from the source stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.catalog.ingest.commit import commit_batches
from cv_pipeline.catalog.ingest.declarations import (
    Declarations,
    image_facts,
    image_tag_lists,
    image_values,
    read_declarations,
    split_conflicts,
)
from cv_pipeline.catalog.ingest.events import record_tags, record_values
from cv_pipeline.catalog.ingest.image_check import ImageCheck
from cv_pipeline.catalog.ingest.known_files import KnownFiles
from cv_pipeline.catalog.ingest.plan import (
    BATCH_BYTES,
    BATCH_FILES,
    STAGE,
    list_images,
    plan_ingest,
)
from cv_pipeline.catalog.ingest.read import (
    CheckedBatch,
    Progress,
    check_files,
    complete_batches,
)
from cv_pipeline.catalog.lake import current_metadata, current_tags
from cv_pipeline.catalog.quarantine import reconcile_refusals
from cv_pipeline.catalog.schemas import IMAGES
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.project import Project
from cv_pipeline.storage import Blobs, ImageSource, SourceEntry

_OPTIMIZE_EVERY = 32

_OUTDATED_IMAGES = """
SELECT images.* REPLACE (
    coalesce(facts.captured_at, images.exif_captured_at) AS captured_at, facts.split AS split
)
FROM images JOIN facts USING (image_id)
WHERE facts.split IS DISTINCT FROM images.split
    OR coalesce(facts.captured_at, images.exif_captured_at) IS DISTINCT FROM images.captured_at
ORDER BY image_id
"""


@dataclass(frozen=True)
class IngestReport:
    """What the lake holds after an ingest.

    Attributes:
        digest: SHA-256 of what was reached: every (path, image), the images' capture times and
            splits, the current metadata and tags.
        images: distinct images.
        files: files that hold them.
        new_images: images that this ingest brought.
        duplicates: files whose image another file holds too.
        quarantined: things that are refused now, files and declarations.
        reasons: reason to number of refusals.
        bytes: size of all files.
        batches: batches that all this came in.
        table_versions: table to its version.
    """

    digest: str
    images: int
    files: int
    new_images: int
    duplicates: int
    quarantined: int
    reasons: dict[str, int]
    bytes: int
    batches: int
    table_versions: dict[str, int]


def ingest(
    *,
    project: Project,
    catalog: Catalog,
    blobs: Blobs,
    source: ImageSource,
    progress: Progress,
) -> IngestReport:
    """Bring the lake up to date with a source.

    Args:
        project: whose limits and declarations count.
        catalog: its tables.
        blobs: where the images' bytes are kept.
        source: the files.
        progress: called with files done and files to do, at least every few seconds.

    Raises:
        SourceError: the source, or a file that the project names, cannot be read at all.
        StorageError: the object store failed.
        CatalogError: too many others were writing the tables at once.
    """
    progress(0, 0, f"listing {source.url}")
    plan = plan_ingest(catalog, list_images(source.list()))
    declarations = read_declarations(project, known=_known_files(catalog, plan.listed))
    check = ImageCheck(max_pixels=project.source.max_pixels, max_bytes=project.source.max_bytes)
    outcomes = check_files(plan, source=source, check=check, blobs=blobs, progress=progress)
    new_images = 0
    for number, group in enumerate(_grouped(complete_batches(outcomes, plan=plan))):
        new_images += commit_batches(
            catalog, group, declarations=declarations, source_url=source.url
        )
        if number % _OPTIMIZE_EVERY == 0:
            for name in ("image_metadata", "image_tags", "images", "files"):
                catalog.table(name).optimize()

    def say(what: str) -> None:
        progress(len(plan.pending), len(plan.pending), what)

    _apply_declarations(catalog, declarations, say=say)
    _forget_vanished(catalog, plan.listed)
    say("hashing what was reached")
    return _report(catalog, new_images)


def pending_files(catalog: Catalog, source: ImageSource) -> list[SourceEntry]:
    """Files of a source that no ingest has seen in their present state, sorted by path.

    Raises:
        SourceError: the source cannot be listed.
    """
    return plan_ingest(catalog, list_images(source.list()), retry=False).pending


def _grouped(batches: Iterable[CheckedBatch]) -> Iterator[list[CheckedBatch]]:
    """Batches that are written together: a few new files here and there are one commit."""
    group: list[CheckedBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(b.tried for b in group) >= BATCH_FILES or sum(b.bytes for b in group) >= BATCH_BYTES:
            yield group
            group = []
    if group:
        yield group


def _known_files(catalog: Catalog, listed: pa.Array) -> KnownFiles:
    ingested = catalog.table("files").read(columns=["path"])["path"]
    vanished = ingested.filter(pc.invert(pc.is_in(ingested, value_set=listed)))
    return KnownFiles(listed=listed, vanished=vanished.combine_chunks())


def _apply_declarations(
    catalog: Catalog, declarations: Declarations, *, say: Callable[[str], None]
) -> None:
    """Make what the lake holds agree with what is declared now, for images old and new.

    An image that no file holds any more, for its file changed, keeps what was declared of it.
    """
    files = catalog.table("files").read(columns=["path", "image_id"])
    say("comparing metadata")
    held = files["image_id"].unique()
    record_values(catalog, image_values(declarations, files=files), complete_for=held)
    say("comparing tags")
    record_tags(catalog, image_tag_lists(declarations, files=files), complete_for=held)
    say("comparing capture times and splits")
    images = catalog.table("images")
    outdated = run_sql(
        _OUTDATED_IMAGES,
        relations={"images": images.relation(), "facts": image_facts(declarations, files=files)},
    )
    images.merge(outdated.cast(IMAGES), on=["image_id"])
    reconcile_refusals(
        catalog,
        stage=STAGE,
        within=pc.field("field") != "",
        refusals=declarations.refusals + split_conflicts(declarations, files=files),
    )


def _forget_vanished(catalog: Catalog, listed: pa.Array) -> None:
    """Lift the quarantine of files that are not in the source any more."""
    whole = (pc.field("stage") == STAGE) & (pc.field("field") == "")
    refused = catalog.table("quarantine").read(columns=["file"], filter=whole)["file"]
    gone = refused.filter(pc.invert(pc.is_in(refused, value_set=listed)))
    within = (pc.field("field") == "") & one_of("file", gone.to_pylist())
    reconcile_refusals(catalog, stage=STAGE, within=within, refusals=[])


def _report(catalog: Catalog, new_images: int) -> IngestReport:
    versions = catalog.versions()

    def read(name: str, *columns: str) -> pa.Table:
        return catalog.table(name).read(columns=columns, version=versions[name])

    files = read("files", "path", "image_id", "bytes")
    images = read("images", "image_id", "captured_at", "split")
    refused = catalog.table("quarantine").read(
        columns=["reason"], filter=pc.field("stage") == STAGE, version=versions["quarantine"]
    )
    digest = combined_digest(
        table_digest(files.select(["path", "image_id"]), schema_id="files/1", sort_by=["path"]),
        table_digest(images, schema_id="images/1", sort_by=["image_id"]),
        table_digest(
            current_metadata(catalog, version=versions["image_metadata"]),
            schema_id="metadata/1",
            sort_by=["image_id", "key"],
        ),
        table_digest(
            current_tags(catalog, version=versions["image_tags"]),
            schema_id="tags/1",
            sort_by=["image_id", "tag"],
        ),
    )
    return IngestReport(
        digest=digest,
        images=images.num_rows,
        files=files.num_rows,
        new_images=new_images,
        duplicates=files.num_rows - pc.count_distinct(files["image_id"]).as_py(),
        quarantined=refused.num_rows,
        reasons=dict(sorted(Counter(refused["reason"].to_pylist()).items())),
        bytes=pc.sum(files["bytes"]).as_py() or 0,
        batches=read("batches", "batch").num_rows,
        table_versions=versions,
    )
