"""A project for data that nobody has described yet: what the export says, as a project.yaml.

Nothing is guessed that the data do not show: classes, attributes and official splits come from
the export, the input size from the images. Everything else is a default with a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.annotations.formats.coco_shapes import point_names
from cv_pipeline.annotations.image_facts import metadata_csv
from cv_pipeline.annotations.official_splits import SplitList, official_splits
from cv_pipeline.annotations.raw import ParsedExport
from cv_pipeline.annotations.values import IMAGE_SUFFIXES
from cv_pipeline.catalog.ingest.path_matching import match_images
from cv_pipeline.catalog.schemas.annotations import KINDS_OF_TASK
from cv_pipeline.errors import AnnotationError, ImageError, SourceError
from cv_pipeline.project import SplitName, Task
from cv_pipeline.storage import ImageSource

_SAMPLE = 48
_MOST_VALUES = 20
_SHORT_SIDE = 160
_STRIDE = 32
_SMALL_IMAGE = 64
_YES_OR_NO = frozenset({"yes", "no", "true", "false"})

_TEMPLATE = """\
# A project of {found.task}, written by cvp new. docs/project.md describes every key.
# Found: {found.annotations} annotations in {found.format} format, of {found.annotated} of the
# {found.images} images.
name: {name}
task: {found.task}

charter:
  # what the model is for, in a sentence or two: replace it by your own
  problem: {problem}

source:
  # folder, archive.tar.gz!folder/inside or s3://bucket/prefix; ${{NAME}} is expanded
  images: {images_url}{metadata}{splits}

annotations:
  source: {annotations_url}
  format: {found.format}
  # several annotators on one image: latest, or majority (classification only)
  aggregation: {aggregation}

ontology:
  # raise a version when the classes or the guideline change
  version: "1"
  guideline_version: "1"
  # in training order
  labels:
{labels}{attributes}{shapes}

dataset:
  query:
    # only images with labels; metadata, tags_any and date_range narrow it further
    labelled: true
  split:
    # of images without an official split; near-duplicates always stay together
    ratios: {{train: 0.7, val: 0.15, test: 0.15}}
    # metadata keys whose values must not cross a split, such as patient
    group_by: []

training:
  model: {model}
  # height and width; the median image is {median_height} high and {median_width} wide
  input_size: [{height}, {width}]
  epochs: {epochs}
  batch_size: {batch_size}
  learning_rate: 0.001
  augmentation:
    # probability of a left-right flip: 0 where left and right matter
    flip: 0.5
    brightness: 0.1
    contrast: 0.1

evaluation:
  metric: {metric}
  # metadata keys: each of their values is reported as a slice
  slices: []
"""


@dataclass(frozen=True)
class Discovery:
    """What was found out about images and their annotations.

    Attributes:
        format: name of the export's format.
        task: detection if there are boxes, else classification.
        labels: classes, in the order that the export declares, else sorted.
        attributes: attribute to its values, sorted; none means yes or no. Free text is left out.
        images: image files in the source.
        annotated: how many of them the export describes.
        annotations: objects, or image-level labels.
        annotators: people who made them.
        refused: things in the export that cannot be read.
        median_size: width and height, pixels, over a sample of the images.
        splits: official splits.
        metadata: CSV of the capture times and metadata that the export gives, if any.
        geometry: kinds of shapes, where there are others than boxes.
        keypoints: class to the names of its key points, sorted.
        tags: tags of images, sorted.
    """

    format: str
    task: Task
    labels: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    images: int
    annotated: int
    annotations: int
    annotators: int
    refused: int
    median_size: tuple[int, int]
    splits: Mapping[SplitName, SplitList]
    metadata: str | None = None
    geometry: tuple[str, ...] = ()
    keypoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


def discover(*, images: ImageSource, annotations: ImageSource) -> Discovery:
    """Find out what a user's images and annotations are.

    Raises:
        SourceError: a source cannot be read, or holds no image.
        AnnotationError: the format is not recognised (the message lists what was looked for and
            found), there is no annotation, or none is of an image of the source.
    """
    export = read_export(annotations)
    parsed = parse_export(export)
    if not len(parsed.rows):
        raise AnnotationError(f"The {parsed.format} export {export.url} holds no annotation.")
    names = [e.path for e in images.list()]
    paths = [p for p in names if p.lower().endswith(tuple(IMAGE_SUFFIXES))]
    if not paths:
        raise SourceError(
            f"There is no image among the {len(names)} files in {images.url}.",
            do=f"Image files end in {', '.join(sorted(IMAGE_SUFFIXES))}.",
        )
    known = pa.array(paths, pa.string())
    matches = match_images(
        pa.array(parsed.images, pa.string()), files=pa.table({"path": known, "image_id": known})
    )
    annotated = pc.count_distinct(matches.image_ids).as_py()
    if annotated == 0:
        raise AnnotationError(
            f"None of the {len(parsed.images)} images in {export.url} (such as"
            f" {parsed.images[0]!r}) is among the {len(paths)} in {images.url} (such as"
            f" {paths[0]!r}).",
            do="Point --images to the images that were annotated.",
        )
    kinds = set(pc.unique(parsed.rows["kind"]).to_pylist())
    drawn = [kind for kind in KINDS_OF_TASK["detection"] if kind in kinds]
    labels = parsed.labels or _labels(parsed, is_tag=False)
    return Discovery(
        format=parsed.format,
        task="detection" if drawn else "classification",
        labels=labels,
        attributes=_attributes(parsed),
        geometry=() if drawn in ([], ["bbox"]) else tuple(drawn),
        keypoints={k: names for k, names in _keypoints(parsed).items() if k in labels},
        tags=_labels(parsed, is_tag=True),
        images=len(paths),
        annotated=annotated,
        annotations=len(parsed.rows),
        annotators=pc.count_distinct(parsed.rows["annotator"]).as_py(),
        refused=len(parsed.quarantine),
        median_size=_median_size(images, paths),
        splits=official_splits(export, parsed, image_paths=known),
        metadata=metadata_csv(parsed, image_paths=known),
    )


def _labels(parsed: ParsedExport, *, is_tag: bool) -> tuple[str, ...]:
    """Classes, or tags, sorted."""
    tags = pc.equal(parsed.rows["kind"], "tag")
    chosen = parsed.rows["label"].filter(tags if is_tag else pc.invert(tags))
    return tuple(sorted(pc.unique(chosen).to_pylist()))


def _keypoints(parsed: ParsedExport) -> dict[str, tuple[str, ...]]:
    rows = parsed.rows.filter(pc.equal(parsed.rows["kind"], "keypoints"))
    return point_names(rows)


def _attributes(parsed: ParsedExport) -> dict[str, tuple[str, ...]]:
    values: dict[str, set[str]] = {}
    for text in pc.unique(parsed.rows["attributes"]).to_pylist():
        for name, value in json.loads(text).items():
            parts = value if isinstance(value, list) else [value]
            # as the ontology spells them: true, not Python's True
            plain = [
                str(p).lower() if isinstance(p, bool) else str(p).strip()
                for p in parts
                if isinstance(p, str | int | float)
            ]
            values.setdefault(name, set()).update(v for v in plain if v)
    return {
        name: () if {v.lower() for v in found} <= _YES_OR_NO else tuple(sorted(found))
        for name, found in sorted(values.items())
        if name == name.strip() and 0 < len(found) <= _MOST_VALUES
    }


def _median_size(images: ImageSource, paths: list[str]) -> tuple[int, int]:
    """Median width and height of evenly spaced images, in one pass over their source."""
    from cv_pipeline.imaging.read import inspect

    places = np.linspace(0, len(paths) - 1, min(_SAMPLE, len(paths))).astype(int)
    sizes = []
    for _, data in images.read_many(paths[i] for i in places):
        try:
            info = inspect(data, max_pixels=1 << 40, max_bytes=1 << 40)
        except ImageError:
            continue  # ingest will quarantine it, with the reason
        sizes.append((info.width, info.height))
    if not sizes:
        raise SourceError(f"Of {len(places)} files in {images.url} none can be read as an image.")
    width, height = np.median(np.array(sizes), axis=0).astype(int).tolist()
    return width, height


def input_size(median_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width that a model is trained at.

    Small images keep their size, rounded up to 8. Others keep their aspect: the short side is at
    most 160 px, and both are multiples of 32, the stride of the last layer of a ResNet.
    """
    width, height = median_size
    if max(width, height) <= _SMALL_IMAGE:
        return max(16, -(-height // 8) * 8), max(16, -(-width // 8) * 8)
    short = min(width, height)
    scale = min(1.0, _SHORT_SIDE / short)
    across, down = (max(1, round(side * scale / _STRIDE)) * _STRIDE for side in (width, height))
    return down, across


def project_yaml(
    discovery: Discovery,
    *,
    name: str,
    images_url: str,
    annotations_url: str,
    splits_folder: str | None = None,
    metadata_url: str | None = None,
) -> str:
    """Return a commented ``project.yaml`` that ``load_project`` accepts.

    Args:
        discovery: what ``discover`` found.
        name: name of the project, which its folder must have too.
        images_url: source of the images, as it shall stand in the file.
        annotations_url: source of the annotations, likewise.
        splits_folder: folder in which the caller writes ``split_files``; official splits that
            only folders declare are left out of the project when None.
        metadata_url: file to which the caller writes ``metadata``; it is left out when None.
    """
    found = discovery
    height, width = input_size(found.median_size)
    detects = found.task == "detection"
    small = not detects and max(found.median_size) <= _SMALL_IMAGE
    shown = ", ".join(found.labels[:8]) + (", …" if len(found.labels) > 8 else "")
    return _TEMPLATE.format(
        name=_text(name),
        found=found,
        median_width=found.median_size[0],
        median_height=found.median_size[1],
        problem=_text(f"{'Find and name' if detects else 'Tell apart'} {shown}."),
        images_url=_text(images_url),
        metadata=_metadata_lines(found, metadata_url),
        splits=_split_lines(found, splits_folder),
        annotations_url=_text(annotations_url),
        aggregation="majority" if found.annotators > 1 and not detects else "latest",
        labels="\n".join(f"    - {_text(label)}" for label in found.labels),
        attributes=_attribute_lines(found),
        shapes=_shape_lines(found),
        model="fcos_resnet18" if detects else "resnet18_small" if small else "resnet18",
        height=height,
        width=width,
        epochs=12 if detects else 10,
        batch_size=128 if small else 16,
        metric="AP50" if detects else "accuracy",
    )


def split_files(discovery: Discovery) -> dict[str, str]:
    """Return the lists of the official splits that only folders declare: file name to text."""
    return {
        f"{split}.txt": "".join(f"{image}\n" for image in listed.images)
        for split, listed in discovery.splits.items()
        if listed.url is None
    }


def _metadata_lines(found: Discovery, url: str | None) -> str:
    if found.metadata is None or url is None:
        return ""
    return f"\n  # capture times and metadata that the annotations give\n  metadata: {_text(url)}"


def _split_lines(found: Discovery, folder: str | None) -> str:
    lines = ["", "  # the official split, which is kept", "  splits:"]
    for split, listed in found.splits.items():
        url = listed.url or (f"{folder}/{split}.txt" if folder else None)
        if url is not None:
            lines.append(f"    {split}: {_text(url)}  # {len(listed.images)} images")
    return "\n".join(lines) if len(lines) > 3 else ""


def _attribute_lines(found: Discovery) -> str:
    lines = ["", "  # attribute to its allowed values; none means yes or no", "  attributes:"]
    for name, values in found.attributes.items():
        lines.append(f"    {_text(name)}: [{', '.join(map(_text, values))}]")
    return "\n".join(lines) if found.attributes else ""


def _shape_lines(found: Discovery) -> str:
    lines = []
    if found.geometry:
        lines += ["  # shapes that annotators draw", f"  geometry: [{', '.join(found.geometry)}]"]
    if found.keypoints:
        lines += ["  # class to the names of its key points", "  keypoints:"]
        for label, names in found.keypoints.items():
            lines.append(f"    {_text(label)}: [{', '.join(map(_text, names))}]")
    if found.tags:
        tags = ", ".join(map(_text, found.tags))
        lines += ["  # tags that an image may have", f"  tags: [{tags}]"]
    return "".join(f"\n{line}" for line in lines)


def _text(value: str) -> str:
    """A YAML scalar: plain where it cannot be misread, else double-quoted."""
    if re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*", value) and not re.fullmatch(
        r"(?i)y|n|yes|no|on|off|true|false|null", value
    ):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    # YAML allows fewer characters unescaped than JSON does
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda m: f"\\u{ord(m[0]):04x}", quoted
    )
