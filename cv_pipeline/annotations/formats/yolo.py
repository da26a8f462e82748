"""YOLO: one text file an image, a line ``class x_centre y_centre width height`` an object.

Lines of turned boxes, polygons and key points are longer: see ``yolo_tasks``. Coordinates are
shares of the image's sides and stay so until the image's size is known. Class names come from
``names`` of ``data.yaml``, else from ``classes.txt`` or ``obj.names``. The label file
``…/labels/a.txt`` speaks of the image ``…/images/a.*``, whatever its format. For classification
YOLO takes a folder a class; a CSV beside them says the rest.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError, YAMLWarning

from cv_pipeline.annotations.content import (
    Content,
    Target,
    copy_images,
    require_images,
    split_folders,
    without_tags,
)
from cv_pipeline.annotations.file_names import unique_names
from cv_pipeline.annotations.formats.yolo_tasks import (
    Lines,
    lines_of,
    read_line,
    task_of,
    with_lines,
)
from cv_pipeline.annotations.formats.yolo_tasks import described as described_task
from cv_pipeline.annotations.geometry import BadShape
from cv_pipeline.annotations.raw import (
    ExportBuilder,
    FieldNames,
    ParsedExport,
    RawRow,
    UnusableExport,
)
from cv_pipeline.annotations.values import as_identifier, as_number, as_text

FIELDS = FieldNames(image="", label="{object}: class", box="{object}: box")
_OBJECT = re.compile(rb"\s*\d+(?:\s+[-+.\deE]+){4,}\s*(?:\n|\r|$)")
_LISTS = frozenset({"classes.txt", "labels.txt", "train.txt", "val.txt", "test.txt"})
_LARGEST_SHARE = 2.0
_YAML_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    YAMLError,
)
"""What ruamel.yaml raises of broken files: many of its constructors check nothing."""

_TIME = "%Y-%m-%dT%H:%M:%SZ"  # seconds with their decimals

_LINES = """
SELECT coalesce(string_agg(
    a.category || ' ' || coalesce(a.line, concat_ws(' ',
        (a.x_min + a.x_max) / 2 / i.width, (a.y_min + a.y_max) / 2 / i.height,
        a.width / i.width, a.height / i.height)) || chr(10),
    '' ORDER BY a.number), '')
FROM images AS i LEFT JOIN annotations AS a ON a.image = i.number
GROUP BY i.number ORDER BY i.number
"""


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether files look like YOLO: label files, and a file that names the classes."""
    labelled = any(_OBJECT.match(files[p]) for p in _label_files(files))
    return labelled and any(True for _ in _name_files(files))


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the label files of a YOLO export.

    Raises:
        AnnotationError: there is no label file.
        UnusableExport: the class names are missing, or not one of what the label files hold can
            be read.
    """
    export = ExportBuilder("yolo", FIELDS)
    names, described = _read_names(export, files)
    if not names:
        told = "".join(f" {r.file}: {r.detail}" for r in export.quarantine)
        raise UnusableExport(
            f"The YOLO export does not name its classes.{told}",
            do="Point to the folder that holds both data.yaml (with names) and labels/.",
            refusals=tuple(export.quarantine),
        )
    export.labels.update(dict.fromkeys(names.values()))
    paths = _label_files(files)
    lines = lines_of(described, (files[p] for p in paths))
    for path in paths:
        export.files.add(path)
        try:
            text = files[path].decode("utf-8-sig")
        except UnicodeDecodeError as error:
            where = f"byte {error.start}"
            export.refuse(path, where, "not_utf8", f"Not UTF-8 text, {where}.")
            continue
        _read_labels(export, path, text, names, lines)
    return export.build()


def write(content: Content, target: Target) -> None:
    """Write ``labels/<split>/``, ``images/<split>/`` and ``data.yaml``, as Ultralytics reads them.

    A folder holds one kind of object: key points where there are any, else polygons, else turned
    boxes, else boxes. For classification it is ``<split>/<class>/`` and ``labels.csv``.
    """
    if content.task == "classification":
        _write_class_folders(content, target)
        return
    content = copy_images(content, target, split_folders(content, "images"))
    content = replace(content, annotations=without_tags(content.annotations))
    task = task_of(content)
    for part in content.chunks():
        chunk = replace(part, annotations=with_lines(part, task, content.points))
        paths = pc.binary_join_element_wise(
            "labels", chunk.images["split"], chunk.images["stem"], "/"
        )
        for path, lines in zip(paths.to_pylist(), chunk.texts(_LINES), strict=True):
            target.write(f"{path}.txt", [lines.encode()])
    folders = {split: f"images/{split}" for split in content.splits}
    of_task = described_task(task, content)
    text = io.BytesIO()
    YAML(typ="safe", pure=True).dump(
        {**folders, **of_task, "nc": len(content.labels), "names": dict(enumerate(content.labels))},
        text,
    )
    target.write("data.yaml", [text.getvalue()])


def _write_class_folders(content: Content, target: Target) -> None:
    require_images(content, "yolo")
    content = copy_images(content, target, _class_folders(content))
    labels = _first_labels(content)
    paths = pc.binary_join_element_wise(_class_folders(content), content.images["file_name"], "/")
    columns = {
        "image": paths,
        "label": labels["label"],
        "annotator": labels["annotator"],
        "seconds": labels["lead_time"],
        "created_at": pc.strftime(labels["created_at"], format=_TIME),
        "captured_at": pc.strftime(content.images["captured_at"], format=_TIME),
        "split": content.images["split"],
    }
    text = io.BytesIO()
    pa_csv.write_csv(pa.table(columns), text)
    target.write("labels.csv", [text.getvalue()])


def _first_labels(content: Content) -> pa.Table:
    """The class of each image, of images that have one."""
    on = content.annotations["image"].combine_chunks()
    return content.annotations.take(pc.index_in(content.images["number"], value_set=on))


def _class_folders(content: Content) -> pa.ChunkedArray:
    """``split/class`` of each image."""
    marks = [hashlib.sha256(label.encode()).hexdigest() for label in content.labels]
    names = pa.array(unique_names(pa.array(content.labels), marks=marks), pa.string())
    classes = names.take(_first_labels(content)["category"].combine_chunks())
    return pc.binary_join_element_wise(content.images["split"], classes, "/")


def _label_files(files: Mapping[str, bytes]) -> list[str]:
    """The ``.txt`` files below a folder ``labels``, else those that hold objects, or nothing."""
    texts = sorted(p for p in files if p.lower().endswith(".txt"))
    below = [p for p in texts if "labels" in PurePosixPath(p).parts[:-1]]
    if below:
        return below
    return [
        p
        for p in texts
        if PurePosixPath(p).name.lower() not in _LISTS
        and (_OBJECT.match(files[p]) or not files[p].strip())
    ]


def _name_files(files: Mapping[str, bytes]) -> list[str]:
    """Files that may name the classes, the most telling first."""
    described = [
        p
        for p in sorted(files)
        if p.lower().endswith((".yaml", ".yml")) and re.search(rb"(?m)^names\s*:", files[p])
    ]
    listed = [
        p
        for p in sorted(files)
        if PurePosixPath(p).name.lower() == "classes.txt" or p.lower().endswith(".names")
    ]
    return described + listed


def _read_names(
    export: ExportBuilder, files: Mapping[str, bytes]
) -> tuple[dict[int, str], dict[str, Any]]:
    """Class number to name, and what ``data.yaml`` says besides."""
    described: dict[str, Any] = {}
    for path in _name_files(files):
        export.companions.add(path)
        if path.lower().endswith((".yaml", ".yml")):
            described = _yaml(export, path, files[path])
            found = _names_of_yaml(export, path, described)
        else:
            lines = files[path].decode("utf-8-sig", "replace").split("\n")
            found = {i: name for i, line in enumerate(lines) if (name := as_text(line))}
        if found:
            return found, described
    return {}, {}


def _yaml(export: ExportBuilder, path: str, data: bytes) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", YAMLWarning)  # a repeated anchor is no harm here
            document = YAML(typ="safe", pure=True).load(data.decode("utf-8-sig"))
    except _YAML_ERRORS as error:
        first = str(error).strip().split("\n")[0]
        export.refuse(path, "", "not_yaml", f"Not valid YAML: {first}.")
        return {}
    return document if isinstance(document, dict) else {}


def _names_of_yaml(export: ExportBuilder, path: str, document: Mapping[str, Any]) -> dict[int, str]:
    """Class number to name: ``names`` is a list, or a mapping from numbers."""
    names = document.get("names")
    pairs: list[tuple[object, object]] = []
    if isinstance(names, list):
        pairs = list(enumerate(names))
    elif isinstance(names, dict):
        pairs = list(names.items())
    found: dict[int, str] = {}
    for key, value in pairs:
        number, name = as_number(key), as_text(value) or as_identifier(value)
        if number is None or not number.is_integer() or name is None:
            export.refuse(path, f"names[{key!r}]", "missing_label", "Expected number: name.")
        else:
            found[int(number)] = name
    if not found:
        export.refuse(path, "names", "missing_field", "Expected a list of class names.")
    return found


def _read_labels(
    export: ExportBuilder, path: str, text: str, names: dict[int, str], lines: Lines
) -> None:
    image = _image_path(path)
    export.images.add(image)
    if not text.strip():
        export.empty.add(image)
    for i, line in enumerate(text.splitlines(), start=1):
        where = f"line {i}"
        cells = line.split()
        if not cells:
            continue
        numbers = [as_number(c) for c in cells]
        if len(cells) < 5 or any(n is None for n in numbers):
            export.refuse(
                path,
                where,
                "bad_box",
                f"Expected five numbers or more, found {line.strip()[:60]!r}.",
            )
            continue
        label, *places = (n for n in numbers if n is not None)
        if not label.is_integer() or int(label) not in names:
            export.refuse(
                path,
                f"{where}: class",
                "unknown_label",
                f"Class {cells[0][:60]} is not among the {len(names)} names.",
            )
            continue
        if max(map(abs, places)) > _LARGEST_SHARE:
            export.refuse(
                path,
                f"{where}: box",
                "not_normalized",
                f"Expected shares of the image between 0 and 1, found {line.strip()[:60]!r}.",
            )
            continue
        try:
            kind, edges, geometry = read_line(lines, int(label), places)
        except BadShape as error:
            export.refuse(path, where, error.reason, error.detail)
            continue
        x_min, y_min, x_max, y_max = edges or (None,) * 4
        export.rows.append(
            RawRow(
                image_path=image,
                label=names[int(label)],
                kind=kind,
                source=path,
                object=where,
                original_id=str(i),
                x_min=x_min,
                y_min=y_min,
                x_max=x_max,
                y_max=y_max,
                geometry=geometry,
                normalized=True,
            )
        )


def _image_path(label_file: str) -> str:
    """``train/labels/a.txt`` → ``train/images/a.*``."""
    path = PurePosixPath(label_file)
    folders = list(path.parts[:-1])
    if "labels" in folders:
        last = len(folders) - 1 - folders[::-1].index("labels")
        folders[last] = "images"
    return "/".join([*folders, f"{path.stem}.*"])
