"""What a project's board warns of, each with the one place where it is looked into.

Everything is read from what was recorded: nothing is measured again. An alert has a key that stays
the same while its cause does, so that investigations of one cause find each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

from dagster import TableMetadataValue
from pydantic import BaseModel

from cv_pipeline.catalog.datalake.image_batches import ImageBatch
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.inspector.board.history import Recorded
from cv_pipeline.inspector.board.runs import RunLine
from cv_pipeline.monitoring.epoch_drop import EpochDrop
from cv_pipeline.provenance.event_log import Materialization

Level = Literal["bad", "warn", "info"]
_ORDER: tuple[Level, ...] = ("bad", "warn", "info")
MOST_FINDINGS = 4
_DIGITS = 12


class OpenInvestigation(BaseModel):
    """An investigation to go on with, and where it was left."""

    id: str
    title: str
    elapsed_s: float
    clicks: int


class Alert(BaseModel):
    """Something to look into.

    Attributes:
        key: stays the same while the cause does.
        kind: what kind of thing it is, in words.
        level: bad, warn or info.
        title: what it is, in a few words.
        sentence: the same with the numbers.
        action: what the click does.
        href: where it leads.
        at: when it was recorded.
        investigation: one of who asks that is open, which a click goes on with.
    """

    key: str
    kind: str
    level: Level
    title: str
    sentence: str
    action: str
    href: str
    at: datetime | None = None
    investigation: OpenInvestigation | None = None


@dataclass(frozen=True)
class Watched:
    """What alerts are found in.

    Attributes:
        project: name of the project.
        history: its evaluations, oldest first.
        model: its newest model; None without one.
        epoch_metric: name of the validation metric.
        epoch_drops: epochs of that model's training at which it fell too far.
        champion: the newest decision on the champion.
        candidate: the newest dataset candidate.
        failed_checks: verdicts on it that did not pass.
        version: the newest dataset version.
        batches: images that were set aside.
        unlabelled: images without any label.
        failed_runs: newest runs that failed.
    """

    project: str
    history: Sequence[Recorded]
    model: Materialization | None = None
    epoch_metric: str = ""
    epoch_drops: Sequence[EpochDrop] = ()
    champion: Materialization | None = None
    candidate: Materialization | None = None
    failed_checks: Sequence[Verdict] = ()
    version: Materialization | None = None
    batches: Sequence[ImageBatch] = ()
    unlabelled: int = 0
    failed_runs: Sequence[RunLine] = ()


def alerts(watched: Watched) -> list[Alert]:
    """Everything to look into, the worst first."""
    found = [
        *_drops(watched),
        *_findings(watched),
        *_gate(watched),
        *_verdict(watched),
        *_suspicions(watched),
        *_epochs(watched),
        *_failed_runs(watched),
        *_warnings(watched),
        *_waiting(watched),
    ]
    return sorted(found, key=lambda alert: _ORDER.index(alert.level))


def evaluation_address(project: str, digest: str, part: str = "") -> str:
    """Address of an evaluation's page, or of a part of it."""
    return f"/p/{project}/evaluations/{digest}" + (f"#{part}" if part else "")


def images_address(project: str, query: str, **more: str | None) -> str:
    """Address of the images that a query selects."""
    kept = {name: value for name, value in more.items() if value}
    return f"/p/{project}/images?" + urlencode({"q": query, **kept})


def _drops(watched: Watched) -> Iterator[Alert]:
    """Metrics that are too far below what they were, as of the newest evaluation."""
    if not watched.history or not watched.history[-1].drops:
        return
    newest = watched.history[-1]
    metric, drop = next(iter(newest.drops.items()))  # the optimizing one, where it fell
    since = {"last": "the evaluation before", "best": "the best so far"}[drop.against]
    others = [f"{name} {other.drop:.1%}" for name, other in newest.drops.items() if name != metric]
    besides = f" Besides: {', '.join(others)}." if others else ""
    yield Alert(
        key=f"drop:{newest.digest[:_DIGITS]}",
        kind="metric dropped",
        level="bad",
        title=f"{metric} fell {drop.drop:.1%}",
        sentence=f"{metric} fell {drop.drop:.1%} from {since}, {drop.reference:.3f} to"
        f" {newest.value(metric):.3f}.{besides}",
        action="Look into it",
        href=evaluation_address(watched.project, newest.digest, "findings"),
        at=newest.at,
    )


def _findings(watched: Watched) -> Iterator[Alert]:
    """The worst slices of the newest evaluation, in words."""
    if not watched.history:
        return
    newest = watched.history[-1]
    sentences = newest.event.metadata.get("worst_slices_in_words") or []
    rows = table_rows(newest.event.metadata.get("worst_slices"))
    for place, sentence in enumerate(sentences[:MOST_FINDINGS]):
        row = rows[place] if place < len(rows) else {}
        images = row.get("images")
        yield Alert(
            key=f"slice:{row.get('slice_key')}:{row.get('slice_value')}:{row.get('label')}",
            kind="worst slice",
            level="bad" if place == 0 else "warn",
            title=sentence.partition(": ")[0],
            sentence=f"{sentence}.",
            action=f"{images} images" if isinstance(images, int) else "Look into it",
            href=evaluation_address(watched.project, newest.digest, f"finding-{place + 1}"),
            at=newest.at,
        )


def _gate(watched: Watched) -> Iterator[Alert]:
    """Blocking checks that the newest candidate did not pass, which is why there is no version."""
    candidate = watched.candidate
    blocking = [v for v in watched.failed_checks if v.blocks]
    if candidate is None or not blocking:
        return
    told = "; ".join(f"{v.check}: {v.summary}" for v in blocking[:2])
    more = f"; and {len(blocking) - 2} more" if len(blocking) > 2 else ""
    yield Alert(
        key=f"gate:{candidate.version[:_DIGITS]}",
        kind="gate refused",
        level="bad",
        title="The gate refused the newest data",
        sentence=f"The newest data did not become a dataset version: {told}{more}",
        action="See the checks",
        href=f"/p/{watched.project}/runs/{candidate.run_id}#checks",
        at=candidate.timestamp,
    )


def _verdict(watched: Watched) -> Iterator[Alert]:
    decided = watched.champion
    if decided is None or decided.metadata.get("candidate_passes") is not False:
        return
    evaluation = str(decided.metadata.get("evaluation", ""))
    yield Alert(
        key=f"verdict:{str(decided.metadata.get('candidate', ''))[:_DIGITS]}",
        kind="requirements not met",
        level="bad",
        title="Requirements of the newest model",
        sentence=f"The newest model was not promoted. {decided.metadata.get('reason', '')}",
        action="See the verdict",
        href=evaluation_address(watched.project, evaluation, "verdict"),
        at=decided.timestamp,
    )


def _suspicions(watched: Watched) -> Iterator[Alert]:
    if not watched.history:
        return
    newest = watched.history[-1]
    for one in newest.event.metadata.get("suspicions") or []:
        yield Alert(
            key=f"suspicion:{one.get('kind')}:{newest.digest[:_DIGITS]}",
            kind="too good to be true",
            level="warn",
            title="Too good to be true",
            sentence=str(one.get("sentence", "")),
            action="See which checks follow",
            href=evaluation_address(watched.project, newest.digest, "suspicions"),
            at=newest.at,
        )


def _epochs(watched: Watched) -> Iterator[Alert]:
    if watched.model is None or not watched.epoch_drops or not watched.history:
        return
    worst = max(watched.epoch_drops, key=lambda d: d.drop)
    yield Alert(
        key=f"epoch:{watched.model.version[:_DIGITS]}:{worst.epoch}",
        kind="epoch dropped",
        level="warn",
        title=f"{watched.epoch_metric} fell at epoch {worst.epoch}",
        sentence=f"In training, {watched.epoch_metric} fell {worst.drop:.1%} at epoch"
        f" {worst.epoch}, from {worst.reference:.3f} at epoch {worst.reference_epoch} to"
        f" {worst.value:.3f}.",
        action="Images that got worse",
        href=epoch_address(
            watched.project, watched.model.version, worst.epoch, worst.reference_epoch
        ),
        at=watched.model.timestamp,
    )


def epoch_address(project: str, model: str, epoch: int, against: int | None = None) -> str:
    """Address that leads to the validation images that got worse in an epoch."""
    since = f"?against={against}" if against is not None else ""
    return f"/p/{project}/evaluations/epochs/{quote(model, safe='')}/{epoch}{since}"


def _failed_runs(watched: Watched) -> Iterator[Alert]:
    for run in watched.failed_runs:
        yield Alert(
            key=f"run:{run.run_id}",
            kind="run failed",
            level="warn",
            title=f"Failed run: {run.what}",
            sentence=f"A run failed: {run.what}.",
            action="See why",
            href=f"/p/{watched.project}/runs/{run.run_id}",
            at=run.ended or run.created,
        )


def _warnings(watched: Watched) -> Iterator[Alert]:
    """Checks that only tell, on the newest dataset version."""
    version = watched.version
    told = version.metadata.get("warnings") if version else None
    if version is None or not told:
        return
    names = ", ".join(str(name).replace("_", " ") for name in told)
    yield Alert(
        key=f"warnings:{version.version[:_DIGITS]}",
        kind="checks warn",
        level="info",
        title="Checks of the newest dataset version",
        sentence=f"{len(told)} checks warn of the newest dataset version: {names}.",
        action="See the dataset",
        href=f"/p/{watched.project}/datasets/{version.version}",
        at=version.timestamp,
    )


def _waiting(watched: Watched) -> Iterator[Alert]:
    for batch in watched.batches:
        waiting = batch.images - batch.labelled
        if batch.state == "open" and (waiting or batch.purpose == "relabel"):
            left = f"{waiting:,} of {batch.images:,} images" if waiting else f"{batch.images:,}"
            yield Alert(
                key=f"batch:{batch.name}",
                kind="labels wait",
                level="info",
                title=f"Labelling batch {batch.name}",
                sentence=f"Labelling batch {batch.name}: {left} wait to be {batch.purpose}led"
                + (f" ({batch.reason})." if batch.reason else "."),
                action="See them",
                href=images_address(watched.project, f"set_aside = {quoted(batch.name)}"),
                at=batch.at,
            )
    if watched.unlabelled:
        yield Alert(
            key="unlabelled",
            kind="labels wait",
            level="info",
            title="Images without labels",
            sentence=f"{watched.unlabelled:,} images have no label yet.",
            action="See them",
            href=images_address(watched.project, "not labelled"),
        )


def quoted(text: str) -> str:
    """A text as the query language writes it."""
    return "'" + text.replace("'", "''") + "'"


def table_rows(value: Any) -> list[Mapping[str, Any]]:
    """The rows of a table that an asset recorded; ``None`` where a cell is empty."""
    if not isinstance(value, TableMetadataValue):
        return []
    return [
        {k: None if v == "None" else v for k, v in record.data.items()} for record in value.records
    ]
