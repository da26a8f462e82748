"""A dataset version: an immutable folder whose digest is a hash of its content.

It is made from a candidate that passed its gate and has the candidate's digest. Anyone can hash
the folder again and see whether it still says what it said.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.datasets.manifest import MANIFEST, dataset_digest
from cv_pipeline.datasets.membership import IDS_FILE, packed_ids, write_ids
from cv_pipeline.datasets.record import (
    ANNOTATIONS_FILE,
    CANDIDATE_FILE,
    DATASET_FILE,
    MANIFEST_FILE,
    CandidateRecord,
    DatasetRecord,
    altered_files,
    hash_files,
    read_record,
    read_table,
    summarize,
    write_record,
)
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.datasets.waiver import Waiver, unwaived, waivers_needed
from cv_pipeline.errors import DatasetError, GateRefused
from cv_pipeline.memory import give_back_memory
from cv_pipeline.project import SplitName

SAMPLE = 8
_TABLES = (ANNOTATIONS_FILE, MANIFEST_FILE)


@dataclass(frozen=True)
class DatasetVersion:
    """A dataset version on disk.

    Attributes:
        folder: holds ``manifest.parquet``, ``annotations.parquet``, ``image_ids.bin`` and
            ``dataset.json``.
        record: what ``dataset.json`` says.
    """

    folder: Path
    record: DatasetRecord

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return self.record.digest

    @property
    def images(self) -> int:
        """Number of images."""
        return self.record.images

    @property
    def objects(self) -> int:
        """Number of labels."""
        return self.record.objects

    @property
    def splits(self) -> dict[SplitName, int]:
        """Images of each split."""
        return self.record.splits

    @property
    def manifest(self) -> pa.Table:
        """One row an image: ``MANIFEST``, sorted by ``image_id``."""
        return read_table(self.folder / MANIFEST_FILE, MANIFEST)

    @property
    def annotations(self) -> pa.Table:
        """The labels: ``ANNOTATIONS``."""
        return read_table(self.folder / ANNOTATIONS_FILE, ANNOTATIONS)

    @property
    def sample(self) -> list[str]:
        """A few images with labels, spread over the dataset, always the same ones."""
        manifest = self.manifest
        ids = manifest["image_id"].filter(pc.equal(manifest["labels_state"], "labelled"))
        rows = np.unique(np.linspace(0, len(ids) - 1, min(SAMPLE, len(ids))).astype(int))
        return [str(i) for i in ids.take(pa.array(rows)).to_pylist()]


def make_version(
    *,
    candidate: Path,
    verdicts: Sequence[Verdict],
    code_version: str,
    folder: Path,
    taken_out: Sequence[str] = (),
    waivers: Sequence[Waiver] = (),
) -> DatasetVersion:
    """Write the dataset version of a candidate.

    Args:
        candidate: folder of the candidate.
        verdicts: what each check said of it.
        code_version: version of the code that asks.
        folder: an existing, empty folder to write to.
        taken_out: images that no version may have any more.
        waivers: what was waived of that very candidate, verified.

    Raises:
        GateRefused: a blocking check failed and was not waived, there is no verdict at all, or the
            candidate has an image that was taken out since it was made.
        DatasetError: the candidate is not complete, or is not what its digest says.
    """
    give_back_memory()
    made_from = read_record(CandidateRecord, candidate / CANDIDATE_FILE)
    failed = [v.check for v in unwaived(verdicts, waivers)]
    if failed or not verdicts:
        reason = f"it failed {', '.join(failed)}" if failed else "no check was run on it"
        raise GateRefused(
            f"The candidate {made_from.digest[:12]} of {made_from.project} cannot become a dataset"
            f" version: {reason}.",
            do=f"Mend the data, then run: cvp run {made_from.project}",
        )
    for name in _TABLES:
        shutil.copyfile(candidate / name, folder / name)
    record = DatasetRecord(
        **made_from.model_dump(exclude={"files"}),
        verdicts=tuple(sorted(verdicts, key=lambda v: v.check)),
        code_version=code_version,
        waivers=waivers_needed(verdicts, waivers),
        # what the candidate says, so that damage to it shows below
        files=hash_files(folder, _TABLES)
        | {name: digest for name, digest in made_from.files.items() if name in _TABLES},
    )
    write_record(record, folder / DATASET_FILE)
    problems = verify_version(folder)
    if problems:
        raise DatasetError(
            f"The candidate in {candidate} is damaged: {' '.join(problems)}",
            do=f"Run: cvp run {made_from.project} --select dataset_candidate",
        )
    ids = read_table(folder / MANIFEST_FILE, MANIFEST)["image_id"]
    gone = ids.filter(pc.is_in(ids, value_set=pa.array(list(taken_out), pa.string())))
    if len(gone):
        raise GateRefused(
            f"The candidate {made_from.digest[:12]} of {made_from.project} cannot become a dataset"
            f" version: {len(gone)} of its images were taken out, the first {gone[0]}.",
            do=f"Make a new candidate, which leaves them out: cvp run {made_from.project}",
        )
    write_ids(ids, folder / IDS_FILE)
    return DatasetVersion(folder, record)


def load_version(folder: Path) -> DatasetVersion:
    """The dataset version in a folder.

    Raises:
        DatasetError: there is none.
    """
    return DatasetVersion(folder, read_record(DatasetRecord, folder / DATASET_FILE))


def verify_version(folder: Path) -> list[str]:
    """Hash a dataset version again.

    Returns:
        A sentence for each thing that is not as ``dataset.json`` says; none when all is well.

    Raises:
        DatasetError: it cannot be read at all.
    """
    version = load_version(folder)
    record, manifest, annotations = version.record, version.manifest, version.annotations
    problems = []
    digest = dataset_digest(manifest, annotations, split=record.rule, schema_id=record.schema_id)
    if digest != record.digest:
        problems.append(f"Its content hashes to {digest}, not to {record.digest}.")
    ids = manifest["image_id"]
    if pc.any(pc.less_equal(ids[1:], ids[:-1])).as_py():
        problems.append("Its manifest is not sorted by image_id, or names an image twice.")
    index = folder / IDS_FILE  # versions of an earlier release have none
    if index.is_file() and index.read_bytes() != packed_ids(ids):
        problems.append(f"Its {IDS_FILE} does not list the images of its manifest.")
    problems += altered_files(folder, record)
    if not pc.all(pc.is_in(annotations["image_id"], value_set=ids.combine_chunks())).as_py():
        problems.append("Some of its labels are on images that its manifest does not name.")
    elif summarize(manifest, annotations) != record.contents:
        problems.append("Its numbers of images and labels differ from what dataset.json says.")
    return problems
