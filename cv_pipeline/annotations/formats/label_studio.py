"""Label Studio's JSON export: a list of tasks, each with the annotations of several people.

It is read task by task, twice: to see which annotations count, and to read those. Annotations are
validated by label-studio-sdk's own type. Cancelled ones, and those that the same
annotator has replaced by a later one of the same image, are counted, named and left out.
Predictions and drafts are counted, never imported. What is written is such an export too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.content import Content, Target, copy_images
from cv_pipeline.annotations.formats.json_file import NotJSON, in_utf8, is_list, json_items
from cv_pipeline.annotations.formats.label_studio_config import declared_labels, is_config
from cv_pipeline.annotations.formats.label_studio_regions import Annotation, Regions
from cv_pipeline.annotations.formats.label_studio_results import result_of as result_of
from cv_pipeline.annotations.raw import (
    UNKNOWN_ANNOTATOR,
    ExportBuilder,
    FieldNames,
    ParsedExport,
    RawImage,
)
from cv_pipeline.annotations.values import (
    IMAGE_SUFFIXES,
    as_finite,
    as_identifier,
    as_split,
    as_text,
    as_utc,
    pseudonym,
)

FIELDS = FieldNames(image="{object}: image", label="{object}.value: label", box="{object}.value")
CHUNK = 1_000
"""Images whose results are in memory at once: a mask's are large."""

_MOST_ANNOTATORS = 1_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like Label Studio's: tasks with data and annotations."""
    for path, data in files.items():
        if path.lower().endswith(".json"):
            data = in_utf8(data)
            start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
            task = b'"annotations"' in data and b'"data"' in data
            if task and (
                start.startswith(b"[") or (start.startswith(b"{") and b'"result"' in data)
            ):
                return True
    return False


def parse(files: Mapping[str, bytes], *, is_ours: bool = True) -> ParsedExport:
    """Read the JSON files of a Label Studio export, and the labelling configuration beside them.

    Args:
        files: path to bytes.
        is_ours: whether it may have been written by this project, so that notes of a region say who
            made it and when. Annotators can write such notes too: what is pulled is not ours.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("label_studio", FIELDS)
    heads: list[Annotation] = []
    for path in sorted(p for p in files if p.lower().endswith(".json")):
        export.files.add(path)
        heads += _heads(export, path, files[path])
    for path in sorted(p for p in files if is_config(p, files[p])):
        export.companions.add(path)
        export.labels.update(dict.fromkeys(declared_labels(export, path, files[path])))
    regions = Regions(export, is_ours=is_ours)
    kept: dict[str, dict[str, Annotation]] = {}
    for head in _latest(export, heads):
        kept.setdefault(head.source, {})[head.where] = head
    for path, of_file in kept.items():
        for annotation in _with_results(files[path], of_file):
            export.images.add(annotation.image)
            try:
                regions.read(annotation)
            except RecursionError:
                export.refuse(path, annotation.where, "bad_value", "It is nested too deeply.")
    regions.finish()
    return export.build()


def _heads(export: ExportBuilder, path: str, data: bytes) -> list[Annotation]:
    """The annotations of a file without their regions; of one that is cut off none."""
    found = ExportBuilder(export.format, export.fields)
    try:
        heads = list(_tasks(found, path, json_items(data), listed=is_list(data)))
    except NotJSON as error:
        export.refuse(path, error.where, error.reason, error.detail)
        return []
    export.facts += found.facts
    export.quarantine += found.quarantine
    export.not_imported.update(found.not_imported)
    return heads


def _with_results(data: bytes, heads: Mapping[str, Annotation]) -> Iterator[Annotation]:
    """Annotations with their regions, those of a few tasks in memory at once."""
    for t, task in enumerate(json_items(data)):
        listed = task.get("annotations") if isinstance(task, dict) else None
        for a, entry in enumerate(listed if isinstance(listed, list) else []):
            head = heads.get(f"[{t}].annotations[{a}]")
            if head is not None:
                yield replace(head, results=tuple(entry["result"]))


def write(content: Content, target: Target) -> None:
    """Write ``tasks_<split>.json`` beside ``images/``, an annotation for each annotator.

    Times are those of the latest label of the annotation; each label has its own as a note.
    """
    content = copy_images(content, target, "images")
    for split in content.splits:
        target.write(f"tasks_{split}.json", _written(content.of_split(split)))


def _written(content: Content) -> Iterator[bytes]:
    between = "[\n"
    for chunk in content.chunks(CHUNK):
        on = chunk.annotations["image"].to_numpy()
        for image in chunk.images.to_pylist():
            first, last = np.searchsorted(on, [image["number"], image["number"] + 1])
            labels = chunk.annotations.slice(first, last - first)
            task = {
                "id": image["number"],
                "data": {
                    "image": f"images/{image['file_name']}"
                    if content.with_images
                    else image["path"],
                    "image_id": image["image_id"],
                    "split": image["split"],
                },
                "annotations": list(_by_annotator(image, labels)),
                "predictions": [],
            }
            yield f"{between}{json.dumps(task, ensure_ascii=False)}".encode()
            between = ",\n"
    yield b"\n]\n" if between == ",\n" else b"[]\n"


def _by_annotator(image: Mapping[str, Any], labels: pa.Table) -> Iterator[dict[str, Any]]:
    """The annotations of one image; where there is no label, one that says so."""
    if not len(labels):
        yield {
            "id": image["number"] * _MOST_ANNOTATORS,
            "completed_by": UNKNOWN_ANNOTATOR,
            "was_cancelled": False,
            "result": [],
        }
    names = sorted(set(labels["annotator"].to_pylist()))
    for place, annotator in enumerate(names):
        drawn = labels.filter(pc.equal(labels["annotator"], annotator))
        ends = {name: pc.max(drawn[name]).as_py() for name in ("created_at", "updated_at")}
        times = {name: at.isoformat() for name, at in ends.items() if at is not None}
        yield {
            "id": image["number"] * _MOST_ANNOTATORS + place,
            "was_cancelled": False,
            "completed_by": annotator,
            **times,
            "result": result_of(drawn, width=image["width"], height=image["height"]),
        }


def _tasks(
    export: ExportBuilder, path: str, tasks: Iterable[Any], *, listed: bool
) -> Iterator[Annotation]:
    """The annotations of some tasks, without their regions."""
    for t, task in enumerate(tasks):
        where = f"[{t}]"
        if not listed and not (isinstance(task, dict) and "annotations" in task):
            export.refuse(path, "", "not_label_studio", "Expected a list of tasks.")
            return
        annotations = task.get("annotations") if isinstance(task, dict) else None
        if not isinstance(annotations, list):
            export.refuse(
                path,
                f"{where}.annotations",
                "missing_field",
                "Expected a task with a list of annotations: export as JSON, not JSON-MIN.",
            )
            continue
        data = task.get("data")
        image = image_path(data)
        if image is None:
            export.refuse(path, f"{where}.data", "missing_image", "The task names no image.")
            continue
        split = as_split(data.get("split"))
        if split is not None:
            export.facts.append(RawImage(image, split))
        for key in ("predictions", "drafts"):
            if isinstance(task.get(key), list) and task[key]:
                export.not_imported[key] += len(task[key])
        for a, entry in enumerate(annotations):
            place = f"{where}.annotations[{a}]"
            try:
                found = _annotation(export, path, place, image, entry)
            except RecursionError:
                export.refuse(path, place, "bad_value", "It is nested too deeply.")
                continue
            if found is not None:
                yield found


def _annotation(
    export: ExportBuilder, path: str, where: str, image: str, entry: object
) -> Annotation | None:
    from label_studio_sdk.types.annotation import Annotation as SdkAnnotation
    from pydantic import ValidationError

    results = entry.get("result") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(results, list):
        export.refuse(path, f"{where}.result", "missing_field", "Expected a list of regions.")
        return None
    known = ("id", "was_cancelled", "lead_time", "created_at", "updated_at")
    values = {key: entry.get(key) for key in known}
    try:
        parsed = SdkAnnotation.model_validate(values)
    except ValidationError as error:
        wrong = sorted({str(e["loc"][0]) for e in error.errors()})
        for key in wrong:
            shown = repr(values[key])[:60]
            export.refuse(path, f"{where}.{key}", "bad_value", f"Not a valid {key}: {shown}.")
        if "was_cancelled" in wrong:
            return None
        parsed = SdkAnnotation.model_validate(values | dict.fromkeys(wrong))
    if parsed.was_cancelled:
        export.not_imported["cancelled annotation"] += 1
        export.refuse(path, where, "cancelled_annotation", "The annotator skipped the image.")
        return None
    who = entry.get("completed_by")
    named = who is None or isinstance(who, Mapping) or who == UNKNOWN_ANNOTATOR
    if not named and pseudonym(who) == UNKNOWN_ANNOTATOR:
        shown = repr(who)[:60]
        export.refuse(path, f"{where}.completed_by", "bad_annotator", f"Nobody's id: {shown}.")
        return None
    return Annotation(
        source=path,
        where=where,
        image=image,
        identifier=as_identifier(entry.get("id")) or where,
        annotator=pseudonym(entry.get("completed_by")),
        lead_time=as_finite(parsed.lead_time),
        created_at=as_utc(parsed.created_at),
        updated_at=as_utc(parsed.updated_at),
        results=(),
        signed=who == UNKNOWN_ANNOTATOR or pseudonym(who) != UNKNOWN_ANNOTATOR,
    )


@dataclass(frozen=True, order=True)
class _Age:
    changed: datetime
    place: int


def _latest(export: ExportBuilder, annotations: list[Annotation]) -> list[Annotation]:
    """Keep each annotator's last annotation of each image, in the order of the export."""
    last: dict[tuple[str, str], _Age] = {}
    kept: list[Annotation] = []
    for place, a in enumerate(annotations):
        age = _Age(a.updated_at or a.created_at or _LONG_AGO, place)
        key = (a.image, a.annotator)
        last[key] = max(age, last.get(key, age))
    signed = any(a.signed for a in annotations)
    for place, a in enumerate(annotations):
        if a.annotator == UNKNOWN_ANNOTATOR:
            kept.append(a)
            if signed and not a.signed:  # in an export of people's work, this one is nobody's
                export.refuse(
                    a.source,
                    f"{a.where}.completed_by",
                    "missing_annotator",
                    "It does not say whose it is; its labels are those of nobody known.",
                )
        elif last[a.image, a.annotator].place == place:
            kept.append(a)
        else:
            export.not_imported["replaced annotation"] += 1
            export.refuse(
                a.source,
                a.where,
                "second_annotation",
                f"{a.annotator} has a later annotation of the same image, which counts.",
            )
    return kept


def image_path(data: object) -> str | None:
    """Return the image that a task shows: the path part of whatever its data hold.

    ``image`` goes first, then the first value that looks like an image's path. A URL is cut to
    its path, ``/data/local-files/?d=…`` and the like to their parameter, ``s3://bucket/key`` to
    the key, and the prefix that Label Studio gives to uploaded files is taken off.
    """
    if not isinstance(data, dict):
        return None
    values = [v for v in map(as_text, [data.get("image"), *data.values()]) if v is not None]
    paths = [p for p in map(_path_of_url, values) if p]
    if paths and as_text(data.get("image")) is not None:
        return paths[0]
    suffixed = [p for p in paths if PurePosixPath(p).suffix.lower() in IMAGE_SUFFIXES]
    return suffixed[0] if suffixed else None


def _path_of_url(url: str) -> str:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", url) is None and not url.startswith("/"):
        return url
    try:
        parts = urlsplit(url)
        parameters = parse_qs(parts.query)
    except ValueError:  # a malformed host, or too many parameters
        return url
    for name in ("d", "filepath"):
        if name in parameters:
            return _without_upload_prefix(parameters[name][0])
    if "fileuri" in parameters and parameters["fileuri"][0] != url:
        return _path_of_url(parameters["fileuri"][0])
    if parts.scheme in ("", "s3", "gs", "azure-blob"):  # keys are not percent-encoded
        path = url.split("://", 1)[-1]
        path = path.split("/", 1)[-1] if parts.scheme else path
    else:
        path = unquote(parts.path)
    return _without_upload_prefix(path.strip("/"))


def _without_upload_prefix(path: str) -> str:
    """``data/upload/3/1a2b3c4d-a.jpg`` → ``a.jpg``."""
    return re.sub(r"^(?:data/)?upload/\d+/(?:[0-9a-f]{8}-)?", "", path.strip("/"))
