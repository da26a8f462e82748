"""The reading half of an ingest: pending files are read in one pass, checked and kept.

What is in memory at once is bounded: a few calls of the engine, each of some files, and of files
whose batch is not complete yet only what was found out about them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from cv_pipeline.catalog.engine import map_batches
from cv_pipeline.catalog.ingest.image_check import ImageCheck, Verdict
from cv_pipeline.catalog.ingest.plan import Plan
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.errors import ObjectTakenOut
from cv_pipeline.imaging.read import ImageInfo
from cv_pipeline.storage import Blobs, ImageSource, SourceEntry

Progress = Callable[[int, int, str], None]
"""Called with what is done, of how much, and words for what it is."""

_CALL_FILES = 64
_CALL_BYTES = 16 << 20
_WRITERS = 8

_UNREADABLE = Verdict(
    reason="unreadable_file",
    detail="The source lists the file, but it could not be read: gone, damaged or not permitted.",
)
_CRASHED = Verdict(
    reason="decoder_crash", detail="The decoder broke down over the file, or ran out of memory."
)


@dataclass(frozen=True)
class AcceptedFile:
    """A file that is a usable image, whose bytes are in the object store.

    Attributes:
        entry: the file.
        image_id: its content.
        bytes: its size.
        info: the image.
        captured_at: time that the camera wrote, UTC; None when it did not.
    """

    entry: SourceEntry
    image_id: str
    bytes: int
    info: ImageInfo
    captured_at: datetime | None


@dataclass(frozen=True)
class CheckedBatch:
    """The files of one batch that were tried.

    Attributes:
        accepted: usable images, sorted by path.
        refused: the others, sorted by path.
        mended: paths of files that are known and unchanged, and whose image the object store had
            lost and has again; sorted.
    """

    accepted: list[AcceptedFile]
    refused: list[Refusal]
    mended: list[str]

    @property
    def tried(self) -> int:
        """Number of its files."""
        return len(self.accepted) + len(self.refused) + len(self.mended)

    @property
    def bytes(self) -> int:
        """Size of the accepted files."""
        return sum(file.bytes for file in self.accepted)


def check_files(
    plan: Plan, *, source: ImageSource, check: ImageCheck, blobs: Blobs, progress: Progress
) -> Iterator[AcceptedFile | Refusal]:
    """Read the pending files, check them and keep the usable ones.

    Args:
        plan: which files.
        source: where they are.
        check: what makes a file usable.
        blobs: where usable ones are kept.
        progress: called with files done and files to do.

    Yields:
        What became of each file, in the source's own order.
    """
    left: dict[str, SourceEntry] = {}
    for entry in plan.pending:
        if entry.size > check.max_bytes:
            yield _refusal(entry, check.too_large(entry.size))
        else:
            left[entry.path] = entry
    total = len(plan.pending)
    calls = _calls(source.read_many(list(left)))
    with ThreadPoolExecutor(_WRITERS) as writers:
        for files, verdicts in map_batches(check, calls, size=lambda file: len(file[1])):
            found = [verdict or _CRASHED for verdict in verdicts]
            usable = [data for (_, data), v in zip(files, found, strict=True) if v.info]
            kept = writers.map(lambda data: _keep(blobs, data), usable)
            for (path, data), verdict in zip(files, found, strict=True):
                entry = left.pop(path)
                if verdict.info is None:
                    yield _refusal(entry, verdict)
                    continue
                image_id = next(kept)
                if isinstance(image_id, Verdict):
                    yield _refusal(entry, image_id)
                else:
                    yield AcceptedFile(
                        entry, image_id, len(data), verdict.info, verdict.captured_at
                    )
            progress(total - len(left), total, "files checked")
    for entry in left.values():
        yield _refusal(entry, _UNREADABLE)


def complete_batches(
    outcomes: Iterable[AcceptedFile | Refusal], *, plan: Plan
) -> Iterator[CheckedBatch]:
    """Collect files into the batches of a plan and give each batch when it is complete."""
    awaited = Counter(plan.batch_of.values())
    batches = {number: CheckedBatch([], [], []) for number in awaited}
    for outcome in outcomes:
        if isinstance(outcome, Refusal):
            number = plan.batch_of[outcome.file]
            batches[number].refused.append(outcome)
        else:
            path = outcome.entry.path
            number = plan.batch_of[path]
            if plan.lost.get(path) == outcome.image_id:
                batches[number].mended.append(path)
            else:
                batches[number].accepted.append(outcome)
        awaited[number] -= 1
        if awaited[number] == 0:
            batch = batches.pop(number)
            yield CheckedBatch(
                accepted=sorted(batch.accepted, key=lambda file: file.entry.path),
                refused=sorted(batch.refused, key=lambda refused: refused.file),
                mended=sorted(batch.mended),
            )


def _keep(blobs: Blobs, data: bytes) -> str | Verdict:
    """Keep an image and return its id, or why it may not be kept."""
    try:
        return blobs.put(data)
    except ObjectTakenOut as error:
        return Verdict(reason="taken_out", detail=error.what)


def _refusal(entry: SourceEntry, verdict: Verdict) -> Refusal:
    return Refusal(entry.path, "", verdict.reason, verdict.detail, entry.fingerprint)


def _calls(files: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Files in the portions that the engine is called with."""
    call: list[tuple[str, bytes]] = []
    size = 0
    for path, data in files:
        call.append((path, data))
        size += len(data)
        if len(call) == _CALL_FILES or size >= _CALL_BYTES:
            yield call
            call, size = [], 0
    if call:
        yield call
