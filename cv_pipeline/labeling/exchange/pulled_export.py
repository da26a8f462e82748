"""What annotators say now, as exports of Label Studio: made from the history, not by the tool.

An export holds one batch under one version of the ontology and the guideline. What was deleted,
and what the quarantine holds, is left out; what somebody looked at and drew nothing on is there.
The same history gives the same exports, whatever was parsed by earlier imports.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.annotations.formats.label_studio import FIELDS
from cv_pipeline.annotations.formats.label_studio_regions import LEFT_OUT_CHOICE
from cv_pipeline.annotations.raw import RAW_ANNOTATIONS, ParsedExport
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.findings import field_of, refused_places
from cv_pipeline.labeling.exchange.history import LATEST_FIRST
from cv_pipeline.labeling.exchange.imported import states_pulled
from cv_pipeline.labeling.exchange.parsed import parsed_states
from cv_pipeline.labeling.exchange.people import NAMED, named_relations, record_people
from cv_pipeline.labeling.settings.section import Labeling

URL = "label-studio"
PULLED = r".+\.ontology-.+\.guideline-.+\.json"
"""What the names of these exports are like, as a regular expression."""
MARKERS = ("reviewer", "expert")
"""Roles of ``labeling.annotators`` that may say what is ground truth."""

_LIVE = f"""
WITH paths AS (SELECT image_id, min(path) AS path FROM files GROUP BY image_id),
named AS ({NAMED}),
current AS (
    SELECT tool_project, task, annotation, image_id, annotator, completed_by, updated_by,
        created_at, updated_at, lead_time, ground_truth, cancelled, deleted, digest
    FROM named
    QUALIFY 1 = row_number() OVER (PARTITION BY tool_project, annotation ORDER BY {LATEST_FIRST})
)
SELECT t.batch, t.ontology_version, t.guideline_version, c.tool_project, c.task, c.annotation,
    -- an image whose file is another by now is named by its id, which the import does not know
    coalesce(p.path, c.image_id) AS path, c.image_id, c.annotator, c.completed_by, c.updated_by,
    c.created_at, c.updated_at, c.lead_time, c.ground_truth, c.digest
FROM current AS c
JOIN labeling_tasks AS t USING (tool_project, task)
LEFT JOIN paths AS p ON p.image_id = c.image_id
WHERE NOT c.deleted AND NOT c.cancelled
    AND NOT EXISTS (
        FROM refused AS r
        WHERE r.tool_project = c.tool_project AND r.task = c.task
            AND (r.annotation IS NULL OR r.annotation = c.annotation)
    )
-- of several batches with the same image, what somebody said last
QUALIFY 1 = row_number() OVER (
    PARTITION BY c.image_id, c.annotator ORDER BY c.updated_at DESC, c.annotation DESC
)
ORDER BY ALL
"""  # noqa: S608 - of constants
_KEYS = ("batch", "ontology_version", "guideline_version")


@dataclass(frozen=True, eq=False)
class PulledExport:
    """What was labelled of one batch under one version.

    Attributes:
        ontology_version: of the ontology that it was labelled under.
        guideline_version: of the guideline.
        name: its name, as of a file.
    """

    ontology_version: str
    guideline_version: str
    name: str
    _live: pa.Table
    _parsed: pa.Table
    _places: NDArray[np.int64]

    @property
    def listing(self) -> bytes:
        """The digests of the states that it holds, one a line, sorted.

        The states themselves stand in ``tool_annotations`` for ever.
        """
        return "".join(f"{d}\n" for d in self._live["digest"].sort().to_pylist()).encode()

    @property
    def fingerprint(self) -> str:
        """Another one whenever it says something else."""
        told = (self._live[name] for name in ("path", "annotator", "digest", "role"))
        text = "\n".join(pc.binary_join_element_wise(*told, "\0").to_pylist())
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def looked_at(self) -> pa.Table:
        """Who looked at which image: ``image_id`` and ``annotator``."""
        return self._live.select(["image_id", "annotator"])

    def parse(self) -> ParsedExport:
        """Its rows, and what was refused of it."""
        live = self._live
        found = _rows_at(self._parsed, self._places)
        nested = found["rows"].combine_chunks()
        regions = pa.Table.from_batches([pa.RecordBatch.from_struct_array(pc.list_flatten(nested))])
        of_region = live.take(pc.list_parent_indices(nested))
        left_out = Counter(pc.list_flatten(found["left_out"].combine_chunks()).to_pylist())
        shapes = pc.and_(pc.invert(regions["choice"]), pc.not_equal(regions["kind"], "tag"))
        if pc.any(shapes).as_py():
            chosen = pc.or_(pc.invert(regions["choice"]), regions["own"])
            if beside := len(regions) - (pc.sum(chosen).as_py() or 0):
                left_out[LEFT_OUT_CHOICE] += beside
            regions, of_region = regions.filter(chosen), of_region.filter(chosen)
        rows = self._rows(regions, of_region)
        blank = pc.unique(live["path"].filter(found["blank"]))
        labelled = pc.unique(rows["image_path"])
        return ParsedExport(
            format="label_studio",
            files=(self.name,),
            rows=rows,
            quarantine=tuple(self._refused(found)),
            labels=(),
            images=tuple(sorted(pc.unique(live["path"]).to_pylist())),
            empty=tuple(sorted({*blank.to_pylist()} - {*labelled.to_pylist()})),
            not_imported=dict(sorted(left_out.items())),
            fields=FIELDS,
        )

    def _rows(self, regions: pa.Table, of_region: pa.Table) -> pa.Table:
        columns = {
            **{name: regions[name] for name in regions.column_names},
            **{name: of_region[name] for name in of_region.column_names},
            "image_path": of_region["path"],
            "source": pa.repeat(self.name, len(regions)),
        }
        arrays = [columns[field.name].cast(field.type) for field in RAW_ANNOTATIONS]
        return pa.Table.from_arrays(arrays, schema=RAW_ANNOTATIONS)

    def _refused(self, found: pa.Table) -> list[Refusal]:
        refused = pc.list_flatten(found["refused"].combine_chunks()).to_pylist()
        refusals = [Refusal(self.name, r["field"], r["reason"], r["detail"]) for r in refused]
        told = self._live.select(["task", "annotation", "annotator", "completed_by", "doubt"])
        doubted = pc.or_(pc.equal(told["completed_by"], 0), pc.not_equal(told["doubt"], ""))
        for row in told.filter(doubted).to_pylist():
            where = field_of(row["task"], row["annotation"])
            if row["completed_by"] == 0:
                refusals.append(Refusal(self.name, where, "missing_annotator", _NOBODY))
            if row["doubt"]:
                detail = _DOUBTS[row["doubt"]].format(**row)
                refusals.append(Refusal(self.name, f"{where}.ground_truth", row["doubt"], detail))
        return refusals


_NOBODY = "It does not say whose it is; its labels are those of nobody known."
_DOUBTS = {
    "unproven_ground_truth": "It is marked as ground truth, and who saved it last is no reviewer:"
    " it counts as what {annotator} says. Have a reviewer save it, whom labeling.annotators gives"
    " the role reviewer or expert.",
    "second_ground_truth": "Another annotation of the same image was marked as ground truth later,"
    " and is the truth; this one counts as what {annotator} says.",
}


@dataclass(frozen=True)
class Pulled:
    """All that annotators say now.

    Attributes:
        exports: by batch and version.
        states: states of the history that they are made from.
    """

    exports: tuple[PulledExport, ...]
    states: int


def pulled_exports(
    catalog: Catalog,
    *,
    labeling: Labeling | None = None,
    version: int | None = None,
    files: int | None = None,
) -> Pulled:
    """What annotators say now, by batch and version.

    Args:
        catalog: the project's tables; what was not parsed before is kept in one of them.
        labeling: what the project declares of labelling: who accounts are, and which of them are
            reviewers, who may say what is ground truth; nobody may without it.
        version: version of ``tool_annotations`` to look at; the latest by default.
        files: version of ``files`` to look at; the latest by default.
    """
    version = catalog.table("tool_annotations").version if version is None else version
    if not version:
        return Pulled((), 0)
    if labeling is not None:
        record_people(catalog, labeling)  # who somebody is counts from this import on
    live = run_sql(
        _LIVE,
        relations={
            **named_relations(catalog, version=version),
            "labeling_tasks": catalog.table("labeling_tasks").relation(),
            "files": catalog.table("files").relation(version=files),
            "refused": refused_places(catalog),
        },
    )
    live = _with_roles(live, labeling)
    parsed = parsed_states(catalog, live["digest"], version=version)
    places = pc.index_in(live["digest"], value_set=parsed["digest"].combine_chunks())
    counted = live.group_by(list(_KEYS), use_threads=False).aggregate([([], "count_all")])
    exports = []
    first = 0
    for group in counted.to_pylist():  # they are sorted by these
        count = group["count_all"]
        exports.append(
            PulledExport(
                ontology_version=group["ontology_version"],
                guideline_version=group["guideline_version"],
                name=f"{group['batch']}.ontology-{group['ontology_version']}"
                f".guideline-{group['guideline_version']}.json",
                _live=live.slice(first, count),
                _parsed=parsed,
                _places=places.slice(first, count).to_numpy().astype(np.int64),
            )
        )
        first += count
    return Pulled(tuple(exports), states_pulled(catalog, version=version))


def _rows_at(table: pa.Table, places: NDArray[np.int64]) -> pa.Table:
    """Some rows of a table that lies in many pieces, of which those without any are not touched."""
    pieces = table.to_batches()
    ends = np.cumsum([piece.num_rows for piece in pieces])
    order = np.argsort(places, kind="stable")
    piece_of = np.searchsorted(ends, places[order], side="right")
    taken = [
        pieces[piece].take(pa.array(some - (ends[piece] - pieces[piece].num_rows)))
        for piece, some in _runs(piece_of, places[order])
    ]
    return pa.Table.from_batches(taken, table.schema).combine_chunks().take(np.argsort(order))


def _runs(
    keys: NDArray[np.int64], values: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The values of each key, of which equal ones lie together."""
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    for start, some in zip(starts.tolist(), np.split(values, starts[1:]), strict=True):
        yield int(keys[start]), some


def _with_roles(live: pa.Table, labeling: Labeling | None) -> pa.Table:
    """With ``role``, gold for what is ground truth, and ``doubt``, why another mark does not count.

    Who saved an annotation last answers for all that it says: a mark that its annotator set, or
    went on drawing under, is none. Of several of an image the last one counts.
    """
    marked = live["ground_truth"].to_numpy(zero_copy_only=False).astype(bool)
    role = np.full(len(live), "annotator", object)
    doubt = np.full(len(live), "", object)
    places = np.flatnonzero(marked)
    told = live.select(["image_id", "updated_by", "updated_at", "annotation"])
    latest: dict[str, tuple[Any, int, int]] = {}
    for place, row in zip(places.tolist(), told.take(pa.array(places)).to_pylist(), strict=True):
        if not _may_mark(labeling, row["updated_by"]):
            doubt[place] = "unproven_ground_truth"
            continue
        age = (row["updated_at"], row["annotation"], place)
        earlier = latest.get(row["image_id"])
        if earlier is not None:
            doubt[min(age, earlier)[2]] = "second_ground_truth"
        latest[row["image_id"]] = max(age, earlier or age)
    role[[place for _, _, place in latest.values()]] = "gold"
    return live.append_column("role", pa.array(role, pa.string())).append_column(
        "doubt", pa.array(doubt, pa.string())
    )


def _may_mark(labeling: Labeling | None, account: int | None) -> bool:
    if labeling is None or account is None:
        return False
    known = labeling.annotators.get(labeling.named(account))
    return known is not None and known.role in MARKERS
