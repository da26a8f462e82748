"""Gathers what the report of an evaluation tells, and writes the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.evaluation.comparison.comparison import compare
from cv_pipeline.evaluation.comparison.sides import Side
from cv_pipeline.evaluation.error_analysis.analysis import (
    MARKER,
    ErrorAnalysis,
    draw,
    error_counts,
    likely_label_errors,
    load_error_analysis,
)
from cv_pipeline.evaluation.error_analysis.mistakes import confident_mistakes, hardest_images
from cv_pipeline.evaluation.report.grids import (
    activation_grid,
    class_grid,
    error_grid,
    gap_grid,
    slice_grid,
)
from cv_pipeline.evaluation.report.page import Chart, Gallery, Number, Page, render
from cv_pipeline.evaluation.report.pictures import Pictures
from cv_pipeline.evaluation.verdict.verdict import judge
from cv_pipeline.project import Project
from cv_pipeline.provenance.evaluated import Evaluated
from cv_pipeline.provenance.event_log import EventLog
from cv_pipeline.provenance.slice_images import slice_images, within_split
from cv_pipeline.storage import Blobs, Tombstones

WORST, OF_EACH = 6, 4
HARDEST = 12
_TITLES = {
    "confusion.png": ("Confusion", "Heat map of true classes by predicted classes with counts."),
    "correctness.png": ("Right and wrong by score", "Bars of right and wrong by score."),
    "errors.png": ("Kinds of error", "Bars of the number of errors of each kind and their cost."),
    "precision_recall.png": ("Precision and recall", "Precision against recall for each class."),
    "reliability.png": ("Reliability", "Share that is right against the score, by bins."),
}  # fmt: skip

_LEADING = {"AP", "AP50", "AP75", "accuracy", "macro_f1", "recall", "precision", "f1", "ece"}
"""Numbers that are shown large; the others are on the page too."""
_COSTS = {
    "latency_p50_ms": ("latency of an image, median", "{:.3g} ms", 1),
    "latency_p95_ms": ("latency of an image, 95th percentile", "{:.3g} ms", 1),
    "throughput_images_per_s": ("throughput in batches", "{:.3g} images/s", 1),
    "model_bytes": ("size", "{:,.1f} MB", 1e6),
    "weights": ("weights", "{:,.0f}", 1),
    "training_seconds": ("training", "{:,.0f} s", 1),
    "prediction_seconds": ("prediction of all splits", "{:,.0f} s", 1),
}


def report_page(
    *, project: Project, evaluated: Evaluated, analysis: ErrorAnalysis | None, log: EventLog
) -> tuple[str, list[str]]:
    """The report of an evaluation as one self-contained HTML page.

    Args:
        project: the project.
        evaluated: the evaluation and what it was made from.
        analysis: its error analysis; None where there is none, and then nothing is said of where
            the model looks.
        log: the event log, to find the champion.

    Returns:
        The page, and the images whose pixels are on it.
    """
    made = evaluated.evaluation
    record = made.record
    dataset, said = evaluated.dataset_folder(), evaluated.predictions_folder()
    pictures = Pictures(
        blobs=Blobs(evaluated.store),
        tombstones=Tombstones(evaluated.store),
        matches=made.matches,
        dataset=dataset,
        predictions=said,
        max_pixels=project.source.max_pixels,
    )
    labels = (
        analysis.label_errors
        if analysis
        else likely_label_errors(made, pq.read_table(said / "predictions.parquet"))
    )
    ref = f"{project.name} --evaluation {made.digest[:12]}"
    page = Page(
        project=project.name,
        problem=project.charter.problem,
        task=record.task,
        split=record.split,
        images=record.images[record.split],
        objects=record.objects[record.split],
        made=f"{evaluated.event.timestamp:%d %B %Y, %H:%M} UTC",
        numbers=_numbers(evaluated),
        verdict=judge(project.requirements, made, evaluated.costs()),
        costs=_costs(evaluated),
        worst=_worst(evaluated, pictures, ref),
        slices=slice_grid(made),
        classes=class_grid(made),
        errors=error_grid(error_counts(made)),
        charts=[_chart(name, png) for name, png in draw(made).items()],
        hardest=_gallery(
            "Hardest images",
            hardest_images(made.per_image, split=record.split, n=HARDEST)["image_id"].to_pylist(),
            pictures,
            f"cvp worst {project.name}/{record.metric}@{made.digest[:12]}",
        ),
        confident=_gallery(
            "Most confident mistakes",
            confident_mistakes(made.matches, split=record.split, n=3 * HARDEST)[
                "image_id"
            ].to_pylist(),
            pictures,
            f"cvp errors {ref}",
        ),
        label_errors=_label_errors(labels, pictures, ref),
        activation=activation_grid(analysis.activation_slices if analysis else None),
        gap=record.gap.reading,
        gap_table=gap_grid(record.gap),
        suspicions=[s.model_dump() for s in record.suspicions],
        comparison=_comparison(evaluated, log),
        notes=[*record.notes, *(analysis.record.notes if analysis else ())],
        conventions=record.conventions,
        provenance={
            "evaluation": made.digest,
            "model": record.model,
            "predictions": record.predictions,
            "dataset": record.dataset,
            "run": evaluated.event.run_id,
            "MLflow run": str(evaluated.model.metadata.get("mlflow_run_id", "not known")),
            "metrics by": record.library,
        },
        commands=_commands(project.name, evaluated),
    )
    html = render(page)
    return html, sorted(pictures.shown)


def analysis_of(evaluated: Evaluated, log: EventLog) -> ErrorAnalysis | None:
    """The newest error analysis of an evaluation; None where there is none."""
    for event in log.newest_first(f"{evaluated.project}/error_analysis"):
        if event.metadata.get("evaluation") == evaluated.event.version:
            return load_error_analysis(evaluated.folder("error_analyses", event.version, MARKER))
    return None


def _numbers(evaluated: Evaluated) -> list[Number]:
    record = evaluated.evaluation.record
    own = [name for name in record.metrics if "/" not in name]
    first = [record.metric, *(name for name in own if name != record.metric)]
    out = []
    for name in first:
        if name in record.metrics:
            known = record.intervals.get(name)
            low, high = (known.low, known.high) if known else (None, None)
            leading = name == record.metric or name in _LEADING
            out.append(Number(name, record.metrics[name], low, high, leading=leading))
    return out


def _costs(evaluated: Evaluated) -> dict[str, str]:
    costs = evaluated.costs()
    told = {
        words: form.format(costs[name] / per)
        for name, (words, form, per) in _COSTS.items()
        if name in costs
    }
    facts = evaluated.predictions.metadata
    if "latency_device" in facts:
        told["measured on"] = (
            f"{facts['latency_device']}, {facts['latency_threads']} threads, single images of"
            f" {facts['latency_input']} pixels"
        )
    return told


def _worst(evaluated: Evaluated, pictures: Pictures, ref: str) -> list[Gallery]:
    made = evaluated.evaluation
    lake = Datalake.open(evaluated.project, store=evaluated.store)
    galleries = []
    for row in made.worst_slices.slice(0, WORST).to_pylist():
        ids: list[str] = []
        if row["query"] is not None:
            # the sentence stands without pictures where the lake no longer has those versions
            with suppress(CVPipelineError):
                found = slice_images(
                    made,
                    lake,
                    query=within_split(made, f"({row['query']})"),
                    words=[],
                    label=row["label"],
                )
                ids = [image["image_id"] for image in found.images if image["missed"]]
        galleries.append(
            Gallery(
                title=f"{row['rank']}. {row['sentence']}",
                pictures=pictures.of(ids[:OF_EACH]),
                command=f"cvp slices {ref} --slice {row['rank']} --images",
            )
        )
    return galleries


def _label_errors(rows: pa.Table, pictures: Pictures, ref: str) -> Gallery:
    ids = list(dict.fromkeys(rows["image_id"].to_pylist()))[:HARDEST]
    if not ids:
        return Gallery("", [], "", "No label stands out as likely to be wrong.")
    issues = rows["issue"].value_counts().to_pylist()
    told = ", ".join(f"{row['counts']} {row['values'].replace('_', ' ')}" for row in issues)
    return Gallery(
        title=f"{len(rows)} labels to look at: {told}",
        pictures=pictures.of(ids),
        command=f"cvp errors {ref} --likely-label-errors",
        text="The model disagrees with them and is as sure as it is when it is right, on images"
        " that it has not learnt from. A person decides; the worst first.",
    )


def _gallery(title: str, ids: Sequence[str], pictures: Pictures, command: str) -> Gallery:
    return Gallery(title, pictures.of(list(dict.fromkeys(ids))[:HARDEST]), command)


def _chart(name: str, png: bytes) -> Chart:
    title, alt = _TITLES[name]
    return Chart(title, png, alt, wide=name == "confusion.png")


def _comparison(evaluated: Evaluated, log: EventLog) -> list[str]:
    """The model against the champion, on the images that both were evaluated on."""
    latest = log.latest(f"{evaluated.project}/champion")
    champion = latest.metadata.get("champion") if latest else None
    if champion is None or champion == "none":
        return []
    if champion == evaluated.model.version:
        return ["This model is the champion."]
    own = evaluated.evaluation.record
    events = [
        e
        for e in log.newest_first(f"{evaluated.project}/eval_slices")
        if e.metadata.get("model") == champion
    ]
    same = [e for e in events if e.metadata.get("dataset") == own.dataset]
    for event in [*same, *events][:1]:
        with suppress(CVPipelineError):
            other = Evaluated.of(log, event, store=evaluated.store, cache=evaluated.cache)
            found = compare(
                Side(other.evaluation, costs=other.costs()),
                Side(evaluated.evaluation, costs=evaluated.costs()),
            )
            return [f"Champion {str(champion)[:12]}. {found.verdict}", *found.notes]
    return [f"The champion {str(champion)[:12]} has no evaluation to compare this one with."]


def _commands(project: str, evaluated: Evaluated) -> list[str]:
    version = evaluated.event.version[:12]
    metric = evaluated.evaluation.record.metric
    config = {"ops": {"eval_slices": {"config": {"predictions": evaluated.predictions.version}}}}
    return [
        f"cvp run {project} --select eval_slices --config-json '{json.dumps(config)}'",
        f"cvp verdict {project} --evaluation {version}",
        f"cvp slices {project} --evaluation {version}",
        f"cvp errors {project} --evaluation {version}",
        f"cvp review {project} --evaluation {version} --sample 50",
        f"cvp trace metric {project}/{metric}@{version}",
        f"cvp report {project} --evaluation {version} --out report.html",
    ]
