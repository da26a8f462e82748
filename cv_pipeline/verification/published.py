"""Published folders hashed again, each kind by the rule that gives it its digest.

A folder is published under its digest, so its name is verified too: a good folder under a wrong
name would be read as something that it is not.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cv_pipeline.datasets.candidate import load_candidate
from cv_pipeline.datasets.checks.published import finding_name, read_finding
from cv_pipeline.datasets.manifest import dataset_digest
from cv_pipeline.datasets.record import CANDIDATE_FILE, altered_files
from cv_pipeline.datasets.version import load_version, verify_version
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.evaluation.error_analysis.analysis import load_error_analysis
from cv_pipeline.evaluation.evaluation import MARKER, load_evaluation
from cv_pipeline.evaluation.record import EvaluationRecord
from cv_pipeline.storage import ObjectStore
from cv_pipeline.training.model_folder import read_model_card
from cv_pipeline.training.predictions_folder import read_summary, verify_predictions
from cv_pipeline.verification.report import Problem, Progress, Report


@dataclass(frozen=True)
class Kind:
    """A kind of published folder.

    Attributes:
        name: what one is called.
        marker: the file that is written last.
        name_of: the name that a folder's own record gives it.
        verify: sentences on what is not as the record says.
        asset: the asset that makes it.
        levels: folders that its name consists of.
    """

    name: str
    marker: str
    name_of: Callable[[Path], str]
    verify: Callable[[Path], list[str]]
    asset: str
    levels: int = 1


def _verify_candidate(folder: Path) -> list[str]:
    candidate = load_candidate(folder)
    record = candidate.record
    digest = dataset_digest(
        candidate.manifest,
        candidate.annotations,
        split=record.rule,
        schema_id=record.schema_id,
    )
    problems = altered_files(folder, record)
    if digest != record.digest:
        problems.append(f"Its content hashes to {digest}, not to {record.digest}.")
    return problems


def _candidate_name(folder: Path) -> str:
    record = hashlib.sha256((folder / CANDIDATE_FILE).read_bytes()).hexdigest()
    return f"{load_candidate(folder).digest[:16]}-{record[:16]}"


def _verify_model(folder: Path) -> list[str]:
    from cv_pipeline.training.weights import verify_model  # imports torch

    return verify_model(folder)


def _verify_evaluation(folder: Path) -> list[str]:
    load_evaluation(folder)  # which verifies
    return []


def _verify_error_analysis(folder: Path) -> list[str]:
    load_error_analysis(folder)  # which verifies
    return []


def _verify_finding(folder: Path) -> list[str]:
    read_finding(folder)  # which verifies
    return []


def _finding_name(folder: Path) -> str:
    return f"{folder.parent.name}/{finding_name(folder)}"


def _evaluation_name(folder: Path) -> str:
    return EvaluationRecord.model_validate_json((folder / MARKER).read_bytes()).digest


KINDS = {
    "datasets": Kind(
        "dataset",
        "dataset.json",
        lambda folder: load_version(folder).digest,
        verify_version,
        "dataset_version",
    ),
    "candidates": Kind(
        "candidate", "candidate.json", _candidate_name, _verify_candidate, "dataset_candidate"
    ),
    "checks": Kind(
        "check", "check.json", _finding_name, _verify_finding, "dataset_candidate", levels=2
    ),
    "models": Kind(
        "model",
        "model.json",
        lambda folder: read_model_card(folder).digest,
        _verify_model,
        "trained_model",
    ),
    "predictions": Kind(
        "predictions",
        "predictions.json",
        lambda folder: read_summary(folder).digest,
        verify_predictions,
        "predictions",
    ),
    "evaluations": Kind(
        "evaluation",
        "evaluation.json",
        _evaluation_name,
        _verify_evaluation,
        "eval_slices",
    ),
    "error_analyses": Kind(
        "error analysis",
        "error_analysis.json",
        lambda folder: load_error_analysis(folder).digest,
        _verify_error_analysis,
        "error_analysis",
    ),
}
"""Folder of a project in the store to what lies in it."""


def verify_folder(folder: Path, kind: Kind, *, name: str, do: str) -> Report:
    """Hash a published folder again.

    Args:
        folder: the folder.
        kind: what it is.
        name: the name that it is published under.
        do: what to do when it differs.
    """
    try:
        sentences = kind.verify(folder)
        own = kind.name_of(folder)
    except CVPipelineError as error:
        sentences, own = [error.what], name
    if own != name:
        sentences.append(f"It is published as {name}, and its record says {own}.")
    problems = tuple(Problem(kind.name, str(folder), f"{folder}: {what}", do) for what in sentences)
    return Report({kind.name: 1}, problems)


def verify_published(store: ObjectStore, *, progress: Progress) -> Iterator[Report]:
    """Hash every published folder of a store again, one after the other."""
    found = list(published_folders(store))
    for number, (project, kinds, name) in enumerate(found, start=1):
        kind = KINDS[kinds]
        key = f"projects/{project}/{kinds}/{name}"
        do = (
            f"Restore {key} from a backup; or move it away and run: cvp run {project} --select"
            f" {kind.asset}"
        )
        with _local(store, key) as folder:
            yield verify_folder(folder, kind, name=name, do=do)
        progress(number, len(found), "folders")


def verify_cached(cache: Path, *, progress: Progress) -> Iterator[Report]:
    """Hash every copy of a remote store's folders again.

    Args:
        cache: the folder that they lie in, one of several stores.
        progress: told of every folder.
    """
    found = [
        (path.parent, kinds, path.parent.relative_to(path.parents[kind.levels]).as_posix())
        for kinds, kind in KINDS.items()
        for path in sorted(cache.glob(f"*/projects/*/{kinds}/{'*/' * kind.levels}{kind.marker}"))
    ]
    for number, (folder, kinds, name) in enumerate(found, start=1):
        yield verify_folder(
            folder,
            KINDS[kinds],
            name=name,
            do=refetch(folder),
        )
        progress(number, len(found), "cached folders")


def refetch(folder: Path) -> str:
    """What to do about the copy of a folder that differs."""
    return f"Delete {folder}; it is fetched again when it is needed."


def published_folders(store: ObjectStore) -> Iterator[tuple[str, str, str]]:
    """Project, kind and name of every folder whose marker is there."""
    for info in store.list("projects/"):
        _, project, *where = info.key.split("/")
        kind = KINDS.get(where[0]) if where else None
        if kind and where[-1] == kind.marker and len(where) == kind.levels + 2:
            yield project, where[0], "/".join(where[1:-1])


@contextmanager
def _local(store: ObjectStore, key: str) -> Iterator[Path]:
    """A published folder as a local one, fetched anew where the store is remote."""
    with tempfile.TemporaryDirectory(prefix="cvp-verify-") as cache:
        yield store.fetch_folder(key, cache=Path(cache))
