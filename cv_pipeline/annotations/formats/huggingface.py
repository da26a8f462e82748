"""A folder for Hugging Face ``datasets``: ``<split>/metadata.jsonl`` beside the split's images.

Each line names its image by ``file_name``, and the image's objects as columns: ``bbox`` (x, y,
width, height in pixels) and ``category``; or the class of the image as ``label``. What may be
unknown is text, empty where it is, for the columns of all splits must be of one type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.content import Content, Target, copy_images, require_images
from cv_pipeline.annotations.formats.sample import Samples
from cv_pipeline.annotations.raw import ExportBuilder, FieldNames, ParsedExport
from cv_pipeline.annotations.values import as_split, as_text

FIELDS = FieldNames(image="{object}.file_name", label="{object}.category", box="{object}.bbox")
METADATA_FILE = "metadata.jsonl"

_FOLDERS = {"train": "train", "val": "validation", "test": "test"}
_OBJECTS = """
SELECT to_json({
    'file_name': i.file_name,
    'image_id': i.image_id,
    'path': i.path,
    'width': i.width,
    'height': i.height,
    'captured_at': coalesce(strftime(i.captured_at, '%Y-%m-%dT%H:%M:%S.%fZ'), ''),
    'metadata': i.metadata,
    'fold': coalesce(CAST(i.fold AS VARCHAR), ''),
    'objects': {
        'bbox': [CASE WHEN o.x_min IS NOT NULL
            THEN [o.x_min, o.y_min, o.width, o.height] END FOR o IN objects],
        'category': [o.label FOR o IN objects],
        'category_id': [o.category FOR o IN objects],
        'edges': [CASE WHEN o.x_min IS NOT NULL
            THEN [o.x_min, o.y_min, o.x_max, o.y_max] END FOR o IN objects],
        'attributes': [o.attributes FOR o IN objects],
        'kind': [o.kind FOR o IN objects],
        'geometry': [coalesce(o.geometry, '') FOR o IN objects],
        'annotator': [o.annotator FOR o IN objects],
        'role': [o.role FOR o IN objects],
        'annotation_id': [o.annotation_id FOR o IN objects],
        'lead_time': [coalesce(CAST(o.lead_time AS VARCHAR), '') FOR o IN objects],
        'created_at':
            [coalesce(strftime(o.created_at, '%Y-%m-%dT%H:%M:%S.%fZ'), '') FOR o IN objects],
        'updated_at':
            [coalesce(strftime(o.updated_at, '%Y-%m-%dT%H:%M:%S.%fZ'), '') FOR o IN objects],
        'ontology_version': [o.ontology_version FOR o IN objects],
        'guideline_version': [o.guideline_version FOR o IN objects]
    }
}) FROM (
    SELECT image, list(a ORDER BY a.number) AS objects FROM annotations AS a GROUP BY image
) AS o RIGHT JOIN images AS i ON o.image = i.number
ORDER BY i.number
"""
_CLASS = """
SELECT to_json({
    'file_name': i.file_name,
    'image_id': i.image_id,
    'path': i.path,
    'width': i.width,
    'height': i.height,
    'captured_at': coalesce(strftime(i.captured_at, '%Y-%m-%dT%H:%M:%S.%fZ'), ''),
    'metadata': i.metadata,
    'fold': coalesce(CAST(i.fold AS VARCHAR), ''),
    'label': coalesce(a.label, ''),
    'category_id': coalesce(a.category, -1),
    'attributes': coalesce(a.attributes, '{}'),
    'annotator': coalesce(a.annotator, ''),
    'role': coalesce(a.role, ''),
    'annotation_id': coalesce(a.annotation_id, ''),
    'lead_time': coalesce(CAST(a.lead_time AS VARCHAR), ''),
    'created_at': coalesce(strftime(a.created_at, '%Y-%m-%dT%H:%M:%S.%fZ'), ''),
    'updated_at': coalesce(strftime(a.updated_at, '%Y-%m-%dT%H:%M:%S.%fZ'), ''),
    'ontology_version': coalesce(a.ontology_version, ''),
    'guideline_version': coalesce(a.guideline_version, '')
}) FROM images AS i LEFT JOIN annotations AS a ON a.image = i.number
ORDER BY i.number, a.number
"""
_CARD = """\
---
pretty_name: {project}
task_categories:
- {task}
---

# {project}

Dataset version `{digest}`, exported with its splits.
Load it with `datasets.load_dataset("imagefolder", data_dir=FOLDER)`.

Classes, by `category_id`:

{classes}
"""


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file is the metadata of an image folder."""
    return any(
        PurePosixPath(path).name.lower() == METADATA_FILE and b'"file_name"' in data
        for path, data in files.items()
    )


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the metadata files of an image folder.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("huggingface", FIELDS)
    samples = Samples(export)
    for path in sorted(p for p in files if PurePosixPath(p).name.lower() == METADATA_FILE):
        export.files.add(path)
        for number, entry in _entries(export, path, files[path]):
            name = as_text(entry.get("file_name"))
            if name is None:
                export.refuse(path, f"line {number}", "missing_field", "It names no file_name.")
                continue
            folder = PurePosixPath(path).parent
            samples.read(
                _plain(entry),
                source=path,
                where=f"line {number}: objects",
                image=str(folder / name),
                split=next((s for p in reversed(folder.parts) if (s := as_split(p))), None),
                objects=_objects(entry),
            )
    samples.finish()
    return export.build()


def write(content: Content, target: Target) -> None:
    """Write ``train/``, ``validation/`` and ``test/``, each with ``metadata.jsonl``, and a card."""
    require_images(content, "huggingface")
    names = pa.array(list(_FOLDERS), pa.string())
    at = pc.index_in(content.images["split"], value_set=names)
    content = copy_images(content, target, pa.array(_FOLDERS.values(), pa.string()).take(at))
    for split in content.splits:
        target.write(f"{_FOLDERS[split]}/{METADATA_FILE}", _lines(content.of_split(split)))
    detects = content.task == "detection"
    card = _CARD.format(
        project=content.project,
        task="object-detection" if detects else "image-classification",
        digest=content.digest,
        classes="\n".join(
            f"{n}. {json.dumps(x, ensure_ascii=False)}" for n, x in enumerate(content.labels)
        ),
    )
    target.write("README.md", [card.encode()])


def _lines(content: Content) -> Iterator[bytes]:
    sql = _OBJECTS if content.task == "detection" else _CLASS
    for chunk in content.chunks():
        yield "".join(f"{line}\n" for line in chunk.texts(sql)).encode()


def _entries(export: ExportBuilder, path: str, data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            export.refuse(path, f"line {number}", "not_json", f"Not valid JSON: {error}.")
            continue
        if isinstance(entry, dict):
            yield number, entry
        else:
            export.refuse(path, f"line {number}", "not_an_object", "Expected an object.")


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with what is JSON in text unpacked."""
    return {**entry, **{key: _unpacked(entry.get(key)) for key in ("metadata", "attributes")}}


def _objects(entry: Mapping[str, Any]) -> list[Any]:
    """The objects one by one, or the class of the image."""
    columns = entry.get("objects")
    if not isinstance(columns, dict):
        label = entry.get("label")
        return [{**_plain(entry), "category": label}] if label not in (None, "") else []
    # other names that category goes by
    for other in ("categories", "label", "labels"):
        if "category" not in columns and other in columns:
            columns = {**columns, "category": columns[other]}
    lists = {key: value for key, value in columns.items() if isinstance(value, list)}
    count = max((len(value) for value in lists.values()), default=0)
    return [
        _plain({key: value[i] for key, value in lists.items() if i < len(value)})
        for i in range(count)
    ]


def _unpacked(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
