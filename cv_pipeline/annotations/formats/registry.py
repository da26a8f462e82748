"""The formats that are known, how one is recognised, and how a source becomes a parsed export.

A format that can be written too says what it has a place for. A source may hold anything besides:
only files that an annotation could be in are read, in one pass, and a source that fits no format or
several is an error that says what was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from cv_pipeline.annotations.content import FIELDS, Content, Target
from cv_pipeline.annotations.formats import (
    coco,
    csv,
    cvat,
    huggingface,
    label_studio,
    labelme,
    pascal_voc,
    webdataset,
    yolo,
    yolo_tasks,
)
from cv_pipeline.annotations.raw import ParsedExport, UnusableExport
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.errors import AnnotationError, nearest
from cv_pipeline.project import Task
from cv_pipeline.storage import ImageSource

EXPORT_FILE = "export.json"
"""What an export of this project lists its files in, beside them; it holds no annotation."""

EXPORT_SCHEMA = "cv_pipeline-export/1"
"""What that file says that it is."""

_SUFFIXES = (".cls", ".csv", ".json", ".jsonl", ".names", ".txt", ".xml", ".yaml", ".yml")


@dataclass(frozen=True)
class Format:
    """A format of annotation exports.

    Attributes:
        name: its name in ``project.yaml``.
        looks_like: what it is recognised by, for people.
        sniff: tells from the files' bytes, by path, whether they may be of this format.
        parse: reads those files; raises ``AnnotationError`` when nothing can be read.
        write: writes a dataset; None where that is not done.
        holds: the fields of ``content.FIELDS`` that it has a place for, for each task that it can
            be written for.
        altered: field to how many labels lose it all the same, in this very content.
    """

    name: str
    looks_like: str
    sniff: Callable[[Mapping[str, bytes]], bool]
    parse: Callable[[Mapping[str, bytes]], ParsedExport]
    write: Callable[[Content, Target], None] | None = None
    holds: Mapping[Task, frozenset[str]] = field(default_factory=dict)
    altered: Callable[[Content], Mapping[str, int]] = lambda _: {}


TASKS: tuple[Task, ...] = ("detection", "classification")
_ALL_BUT_UNUSED = FIELDS - {"unused_class"}
_OF_IMAGES = {"metadata", "path", "fold"}
_OF_CLASSES = {"class_order", "unused_class"}
_VERSIONS = {"ontology_version", "guideline_version"}
_CSV = FIELDS - _OF_IMAGES - _OF_CLASSES - _VERSIONS
_WORK = {"annotator", "role", "lead_time", "created_at", "updated_at"}
_LABEL_STUDIO = FIELDS - {"rings", "captured_at"} - _OF_IMAGES - _OF_CLASSES - _VERSIONS
_CVAT = FIELDS - {"rings", "keypoints_box", "captured_at"} - _WORK - _OF_IMAGES - _VERSIONS
_LABELME = (
    FIELDS
    - {"rings", "rotated_box", "captured_at", "role", "lead_time", "created_at", "updated_at"}
    - _OF_IMAGES
    - _VERSIONS
)

FORMATS = {
    f.name: f
    for f in (
        Format(
            "coco",
            "a .json with images and annotations",
            coco.sniff,
            coco.parse,
            coco.write,
            {"detection": FIELDS - {"tag"}},
        ),
        Format(
            "csv",
            "a .csv with the columns image and label",
            csv.sniff,
            csv.parse,
            csv.write,
            dict.fromkeys(TASKS, _CSV),
        ),
        Format(
            "cvat",
            "an .xml file with <annotations>, for images",
            cvat.sniff,
            cvat.parse,
            cvat.write,
            dict.fromkeys(TASKS, _CVAT),
        ),
        Format(
            "huggingface",
            "metadata.jsonl with file_name",
            huggingface.sniff,
            huggingface.parse,
            huggingface.write,
            {"detection": _ALL_BUT_UNUSED, "classification": _ALL_BUT_UNUSED},
        ),
        Format(
            "label_studio",
            "a .json list of tasks with data and annotations",
            label_studio.sniff,
            label_studio.parse,
            label_studio.write,
            dict.fromkeys(TASKS, _LABEL_STUDIO),
        ),
        Format(
            "labelme",
            ".json files with shapes and imagePath",
            labelme.sniff,
            labelme.parse,
            labelme.write,
            {"detection": _LABELME, "classification": _LABELME - {"annotator", "attributes"}},
            labelme.altered,
        ),
        Format(
            "pascal_voc",
            ".xml files with <annotation>",
            pascal_voc.sniff,
            pascal_voc.parse,
            pascal_voc.write,
            {"detection": frozenset({"attributes", "annotator", "path", "unlabelled_image"})},
        ),
        Format(
            "webdataset",
            "samples of .json or .cls in FOLDER/*.tar",
            webdataset.sniff,
            webdataset.parse,
            webdataset.write,
            {"detection": _ALL_BUT_UNUSED, "classification": _ALL_BUT_UNUSED},
        ),
        Format(
            "yolo",
            "labels/*.txt beside data.yaml or classes.txt",
            yolo.sniff,
            yolo.parse,
            yolo.write,
            {
                "detection": frozenset(
                    {"class_order", "unused_class", "unlabelled_image", "keypoints_box"}
                    | {"rotated_box", "polygon", "mask", "keypoints"}
                ),
                "classification": frozenset(
                    {"annotator", "lead_time", "created_at", "captured_at"}
                ),
            },
            yolo_tasks.altered,
        ),
    )
}
"""Name to format."""


@dataclass(frozen=True)
class ExportFiles:
    """The files of a source that annotations could be in.

    Attributes:
        url: where they are from.
        files: path to bytes.
        fingerprints: path to what tells that a file has changed.
        missing: paths that were listed but could not be read.
        listed: how many files of each suffix the source holds.
    """

    url: str
    files: Mapping[str, bytes]
    fingerprints: Mapping[str, str]
    missing: tuple[str, ...]
    listed: Mapping[str, int]


def read_export(source: ImageSource) -> ExportFiles:
    """Read from a source what annotations could be in, in one pass.

    Raises:
        SourceError: the source cannot be read.
    """
    entries = source.list()
    paths = [entry.path for entry in entries]
    wanted = {p: None for p in paths if p.lower().endswith(_SUFFIXES)}
    files = dict(source.read_many(wanted))
    for path in [p for p, data in files.items() if _lists_an_export(p, data)]:
        del files[path], wanted[path]
    return ExportFiles(
        url=source.url,
        files=files,
        fingerprints={entry.path: entry.fingerprint for entry in entries if entry.path in wanted},
        missing=tuple(p for p in wanted if p not in files),
        listed=Counter(PurePosixPath(p).suffix.lower() or "no suffix" for p in paths),
    )


def _lists_an_export(path: str, data: bytes) -> bool:
    """Tell whether a file is what an export of this project lists its files in."""
    return PurePosixPath(path).name == EXPORT_FILE and EXPORT_SCHEMA.encode() in data[:200]


def detect_format(export: ExportFiles) -> str:
    """Return the name of the one format that the files are of.

    Raises:
        AnnotationError: they fit none, or several.
    """
    fitting = [f.name for f in FORMATS.values() if f.sniff(export.files)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise AnnotationError(
            f"{export.url} may hold annotations of {' or '.join(fitting)}.",
            do="Set annotations.format, or point to the folder or file of one of them.",
        )
    wanted = "; ".join(f"{f.name}: {f.looks_like}" for f in FORMATS.values())
    found = ", ".join(f"{n} {suffix}" for suffix, n in sorted(export.listed.items()))
    raise AnnotationError(
        f"{export.url} holds no annotations of a known format. Looked for {wanted}."
        f" Found {found or 'no files'}.",
        do="Point to the folder or file of the export.",
    )


def parse_export(export: ExportFiles, *, format: str = "auto") -> ParsedExport:  # noqa: A002
    """Parse the files of a source.

    Args:
        export: what ``read_export`` read.
        format: name of a format, or ``auto`` to recognise it.

    Raises:
        AnnotationError: the format is unknown or not recognised, or no file is of it.
        UnusableExport: there is no annotation, and something was refused.
    """
    vanished = tuple(
        Refusal(path, "", "unreadable_file", "The file was listed but could not be read.")
        for path in export.missing
    )
    if vanished and not export.files:
        raise _unusable(export, vanished)
    name = detect_format(export) if format == "auto" else format
    if name not in FORMATS:
        raise AnnotationError(f"There is no format {name!r}.", do=nearest(name, FORMATS))
    try:
        parsed = FORMATS[name].parse(export.files)
    except UnusableExport as error:
        refusals = error.refusals + vanished
        raise UnusableExport(error.what, do=error.do, refusals=refusals) from error
    refusals = parsed.quarantine + vanished
    if vanished and not len(parsed.rows):
        raise _unusable(export, refusals)
    return replace(parsed, quarantine=refusals)


def _unusable(export: ExportFiles, refusals: tuple[Refusal, ...]) -> UnusableExport:
    return UnusableExport(
        f"{export.url} gave no annotation, and {len(export.missing)} of its files could not be"
        f" read. The first: {export.missing[0]}.",
        do="Check that the files can be read, and try again.",
        refusals=refusals,
    )
