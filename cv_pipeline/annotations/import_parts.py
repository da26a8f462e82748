"""The exports that an import is made of: files, and batches that were pulled, each by itself.

What was parsed of an export is given up as soon as its annotations are known, so that no two are
in memory as they were read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.ontology import ontology_at
from cv_pipeline.annotations.raw import ParsedExport
from cv_pipeline.annotations.resolve import ResolvedAnnotations, resolve
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.project import Ontology, Project
from cv_pipeline.storage import ObjectStore

if TYPE_CHECKING:
    from cv_pipeline.labeling.exchange.pulled_export import PulledExport

LOOKED_AT = pa.schema([("image_id", pa.string()), ("annotator", pa.string())]).empty_table()
"""Who looked at which image: nobody at any."""


@dataclass(frozen=True, eq=False)
class Lake:
    """The images that annotations can be of.

    Attributes:
        files: columns ``path`` and ``image_id``.
        images: columns ``image_id``, ``width`` and ``height``.
        refused: paths of files that are quarantined.
    """

    files: pa.Table
    images: pa.Table
    refused: pa.ChunkedArray

    @classmethod
    def of(cls, catalog: Catalog, versions: Mapping[str, int]) -> Lake:
        """Those of some versions of the tables, the latest of those that are left out."""
        refused = catalog.table("quarantine").read(
            columns=["file"],
            filter=(pc.field("stage") == "raw_images") & (pc.field("field") == ""),
            version=versions.get("quarantine"),
        )
        return cls(
            files=catalog.table("files").read(
                columns=["path", "image_id"], version=versions.get("files")
            ),
            images=catalog.table("images").read(
                columns=["image_id", "width", "height"], version=versions.get("images")
            ),
            refused=refused["file"],
        )

    def resolve(self, parsed: ParsedExport, ontology: Ontology) -> ResolvedAnnotations:
        """The annotations of an export that are of these images."""
        return resolve(
            parsed,
            files=self.files,
            images=self.images,
            ontology=ontology,
            refused_files=self.refused,
        )


@dataclass(frozen=True, eq=False)
class Part:
    """One export that annotations come from: what was made of it.

    Attributes:
        resolved: its annotations.
        refusals: what was refused of it, with the state that its files were in.
        url: where it is from.
        frozen: key of its bytes.
        fingerprints: file to its state.
        format: name of its format.
        parsed: objects that were read.
        empty: paths of images that it says hold no object.
        not_imported: what is left out by design.
        looked_at: who looked at which image, of what was pulled.
    """

    resolved: ResolvedAnnotations
    refusals: list[Refusal]
    url: str
    frozen: str
    fingerprints: Mapping[str, str]
    format: str
    parsed: int
    empty: tuple[str, ...]
    not_imported: Mapping[str, int]
    looked_at: pa.Table

    @classmethod
    def of(
        cls,
        parsed: ParsedExport,
        resolved: ResolvedAnnotations,
        *,
        url: str,
        frozen: str,
        fingerprints: Mapping[str, str],
        looked_at: pa.Table = LOOKED_AT,
    ) -> Part:
        """What was made of a parsed export, without its rows as they were parsed."""
        return cls(
            resolved=resolved,
            refusals=stamped(resolved.quarantine, fingerprints),
            url=url,
            frozen=frozen,
            fingerprints=fingerprints,
            format=parsed.format,
            parsed=len(parsed.rows),
            empty=parsed.empty,
            not_imported=parsed.not_imported,
            looked_at=looked_at,
        )


def of_tool(one: PulledExport, *, project: Project, lake: Lake, store: ObjectStore) -> Part:
    """What was made of one batch that was pulled."""
    ontology = ontology_at(project.ontology, one.ontology_version).model_copy(
        update={"guideline_version": one.guideline_version}
    )
    parsed = one.parse()
    return Part.of(
        parsed,
        lake.resolve(parsed, ontology),
        url=f"batch {one.name}",
        frozen=keep(store, project.name, one.listing),
        fingerprints={one.name: one.fingerprint},
        looked_at=one.looked_at,
    )


def stamped(refusals: Iterable[Refusal], fingerprints: Mapping[str, str]) -> list[Refusal]:
    """Refusals with the state that their files were in."""
    return [replace(r, fingerprint=fingerprints.get(r.file, "")) for r in refusals]


def keep(store: ObjectStore, project: str, data: bytes) -> str:
    """Keep bytes for ever under their own hash; returns the key."""
    key = f"projects/{project}/exports/{hashlib.sha256(data).hexdigest()}"
    store.create(key, data)
    return key
