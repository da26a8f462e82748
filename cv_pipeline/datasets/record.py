"""What a dataset folder says of itself in its JSON file.

The file is written with sorted keys and no times, so the same candidate gives the same bytes; it
is enough, with the tables beside it, to rebuild the event log after a loss.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from cv_pipeline.catalog.schemas.earlier import with_earlier
from cv_pipeline.datasets.splitting.splits import SPLITS, Shortfall
from cv_pipeline.datasets.statistics import Statistics
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.datasets.waiver import Waiver
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Ontology, Split, SplitName, Task

MANIFEST_FILE = "manifest.parquet"
ANNOTATIONS_FILE = "annotations.parquet"
NEAR_DUPLICATES_FILE = "near_duplicates.parquet"
LEFT_OUT_FILE = "left_out.parquet"
CANDIDATE_FILE = "candidate.json"
DATASET_FILE = "dataset.json"
ROWS_IN_GROUP = 16_384
"""Rows that a reader of one image's labels must read at least; few, for tables sorted by image."""
REPEATED = frozenset(
    (
        "annotator",
        "attributes",
        "batch",
        "dtype",
        "format",
        "guideline_version",
        "kind",
        "label",
        "labels_state",
        "ontology_version",
        "reason",
        "role",
        "source",
        "split",
    )
)
"""Columns of few values: a dictionary of any other makes its file larger, and slower to read."""

_TableFile = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.parquet$")]


class Record(BaseModel):
    """A part of the file: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitSummary(Record):
    """What one split holds: images, labels, and labels of each class."""

    images: int
    objects: int
    labels: dict[str, int]


class CandidateRecord(Record):
    """What a candidate is made of, and how.

    Attributes:
        schema_id: names what the digest covers.
        digest: SHA-256 of the content.
        project: name of the project.
        task: detection or classification.
        ontology: the classes, in training order, with their version and the guideline's.
        rule: the split rule with its seed.
        aggregation: how several annotators became one label.
        query: the query in words.
        sql: the statement that it compiled to.
        parameters: values bound in the statement.
        table_versions: versions of the catalogue's tables that were read.
        contents: each split that is not empty.
        near_duplicates: pairs of each kind that were found and kept together.
        shortfalls: classes that a split has no image of.
        left_out: selected images that have no features, because they could not be read.
        bridges: selected images that were left out because they belong to images of two splits.
        corrective: digest of the corrective record whose images were added; None without one.
        statistics: fitted on the training split alone; None in records of ``dataset/1``.
        files: SHA-256 of each table's file, for what the digest does not cover; none in records
            of an earlier release.
    """

    schema_id: str
    digest: str
    project: str
    task: Task
    ontology: Ontology
    rule: Split
    aggregation: str
    query: str
    sql: str
    parameters: dict[str, str | int | float | bool]
    table_versions: dict[str, int]
    contents: dict[SplitName, SplitSummary]
    near_duplicates: dict[str, int]
    shortfalls: tuple[Shortfall, ...]
    left_out: int
    bridges: int = 0
    corrective: str | None = None
    statistics: Statistics | None = None
    files: dict[_TableFile, str] = {}

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(part.images for part in self.contents.values())

    @property
    def objects(self) -> int:
        """Number of labels."""
        return sum(part.objects for part in self.contents.values())

    @property
    def splits(self) -> dict[SplitName, int]:
        """Images of each split that is not empty."""
        return {split: part.images for split, part in self.contents.items()}


class DatasetRecord(CandidateRecord):
    """A candidate that was promoted.

    Attributes:
        verdicts: what each check said of the candidate.
        code_version: version of the code that made the dataset version.
        waivers: what was waived of the failed ones, by whom and why.
    """

    verdicts: tuple[Verdict, ...]
    code_version: str
    waivers: tuple[Waiver, ...] = ()


AnyRecord = TypeVar("AnyRecord", bound=CandidateRecord)


def summarize(manifest: pa.Table, annotations: pa.Table) -> dict[SplitName, SplitSummary]:
    """Count images and labels of each split that is not empty.

    Args:
        manifest: ``MANIFEST``.
        annotations: ``ANNOTATIONS`` on its images.
    """
    row = pc.index_in(annotations["image_id"], manifest["image_id"].combine_chunks())
    split_of_label = manifest["split"].take(row)
    contents: dict[SplitName, SplitSummary] = {}
    for split in SPLITS:
        images = pc.sum(pc.equal(manifest["split"], split)).as_py() or 0
        labels = annotations["label"].filter(pc.equal(split_of_label, split))
        counts = sorted(labels.value_counts().to_pylist(), key=lambda c: str(c["values"]))
        if images:
            contents[split] = SplitSummary(
                images=images,
                objects=len(labels),
                labels={count["values"]: count["counts"] for count in counts},
            )
    return contents


def write_record(record: CandidateRecord, path: Path) -> None:
    """Write a record so that the same record gives the same bytes."""
    text = json.dumps(record.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_record(kind: type[AnyRecord], path: Path) -> AnyRecord:
    """Read a record.

    Raises:
        DatasetError: it is not there, or is not of that kind.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DatasetError(
            f"There is no {path.name} in {path.parent}, so it is not a complete dataset folder.",
            do="Materialize it again, or name another digest.",
        ) from None
    except ValidationError as error:
        raise DatasetError(
            f"{path} is not what this version of the code writes: {error.errors()[0]['msg']}.",
            do="Materialize it again.",
        ) from error


def hash_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files of a folder, by name; of what is not there, an empty text."""
    found = {}
    for name in sorted(names):
        try:
            with (folder / name).open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            found[name] = ""
    return found


def altered_files(folder: Path, record: CandidateRecord) -> list[str]:
    """A sentence for each file of a record's folder that is not the one that was written."""
    found = hash_files(folder, record.files)
    return [
        f"Its {name} is not the file that was written."
        for name, expected in sorted(record.files.items())
        if found[name] != expected
    ]


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table so that the same table gives the same bytes."""
    repeated = [name for name in table.column_names if name in REPEATED]
    pq.write_table(
        table.combine_chunks(),
        path,
        compression="zstd",
        row_group_size=ROWS_IN_GROUP,
        use_dictionary=repeated or False,
    )


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table of a dataset folder; columns that an earlier release lacked are filled.

    Raises:
        DatasetError: it is not there, or cannot be read as a table of that schema.
    """
    try:
        rows = pq.read_table(path)
        return with_earlier(rows, schema).cast(schema)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DatasetError(
            f"{path} cannot be read: {error}.", do="Materialize it again."
        ) from error
