"""The annotations as Label Studio exports them, with a few faults that real exports have.

Tasks and annotations carry the fields of Label Studio 1.23's JSON export. Boxes are percent of
``original_width`` and ``original_height``; what was ticked about a box bears the box's id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from cv_pipeline.samples.fruit.annotators import ANNOTATORS, CAMPAIGN_START, Annotation, Region
from cv_pipeline.samples.fruit.painters import Painted
from cv_pipeline.samples.fruit.photos import Photo
from cv_pipeline.samples.fruit.plan import generator
from cv_pipeline.samples.fruit.scenery import HEIGHT, WIDTH
from cv_pipeline.samples.fruit.species import LABELS

EXPORT_NAME = "label_studio.json"
ATTRIBUTES = {"occluded": "partly hidden", "truncated": "cut by the frame"}
UNKNOWN_LABEL = "leaf"
MISSING_IMAGE = "belt_2/2025-07-07-4711.jpg"

_PROJECT, _OWNER = 1, 1
_FIRST_ANNOTATION = 100
_MORE = 100_000
_COLOURS = ("#d62728", "#ffdd33", "#ff7f0e", "#b22222", "#e6d800", "#9acd32", "#6a3d9a", "#8c6d3f")


@dataclass(frozen=True)
class AnnotationFault:
    """One region of the export that no import should accept.

    Attributes:
        image: path of the image that it claims to be on.
        field: where in the export, ``[task].annotations[n].result[n]``.
        reason: what is wrong with it.
    """

    image: str
    field: str
    reason: str


def labelling_config() -> str:
    """The labelling configuration of the Label Studio project."""
    labels = "\n".join(
        f'    <Label value="{label}" background="{colour}"/>'
        for label, colour in zip(LABELS, _COLOURS, strict=True)
    )
    ticks = "\n".join(
        f'  <Choices name="{name}" toName="image" perRegion="true" choice="multiple">\n'
        f'    <Choice value="{shown}" alias="{name}"/>\n'
        "  </Choices>"
        for name, shown in ATTRIBUTES.items()
    )
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        '  <RectangleLabels name="label" toName="image">\n'
        f"{labels}\n  </RectangleLabels>\n{ticks}\n</View>\n"
    )


def export(
    seed: int, annotations: Iterable[Annotation], painted: dict[str, Painted], broken_image: str
) -> tuple[list[dict[str, Any]], list[AnnotationFault]]:
    """The export as JSON-ready tasks, and what is wrong in it.

    Args:
        seed: of the world.
        annotations: sorted by path.
        painted: what each path holds.
        broken_image: path of a file that cannot be read, which somebody annotated all the same.
    """
    writer = _Writer(generator(seed, 9))
    for path, group in groupby(annotations, key=lambda a: a.path):
        writer.add_task(path, list(group), painted[path].width, painted[path].height)
    faults = list(_plant(writer, broken_image))
    return writer.tasks, faults


def export_more(
    seed: int, annotations: Iterable[tuple[Photo, Annotation]], painted: dict[str, Painted]
) -> list[dict[str, Any]]:
    """A later export, of images that the first one does not hold.

    Ids follow from the number of the photo, so that those of two such exports never meet.
    """
    tasks = []
    for photo, annotation in annotations:
        writer = _Writer(generator(seed, 10, photo.number), first=_MORE + photo.number)
        image = painted[photo.path]
        tasks.append(writer.add_task(photo.path, [annotation], image.width, image.height))
    return tasks


class _Writer:
    """Numbers tasks, annotations and regions in the order in which they come."""

    def __init__(self, rng: np.random.Generator, *, first: int = 1) -> None:
        self.tasks: list[dict[str, Any]] = []
        self._rng = rng
        self._first = first
        self._annotations = _FIRST_ANNOTATION + first - 1

    def add_task(
        self, path: str, annotations: list[Annotation], width: int, height: int
    ) -> dict[str, Any]:
        """Add the task of one image."""
        number = self._first + len(self.tasks)
        imported = CAMPAIGN_START - timedelta(days=3) + timedelta(milliseconds=number)
        skipped = sum(a.skipped for a in annotations)
        task: dict[str, Any] = {
            "id": number,
            "annotations": [self._annotation(number, a, width, height) for a in annotations],
            "file_upload": None,
            "drafts": [],
            "predictions": [],
            # Label Studio's own address of a file in local storage
            "data": {"image": f"/data/local-files/?d={path}"},
            "meta": {},
            "created_at": _time(imported),
            "updated_at": _time(max(a.created_at for a in annotations)),
            "allow_skip": True,
            "inner_id": number,
            "total_annotations": len(annotations) - skipped,
            "cancelled_annotations": skipped,
            "total_predictions": 0,
            "comment_count": 0,
            "unresolved_comment_count": 0,
            "last_comment_updated_at": None,
            "project": _PROJECT,
            "updated_by": annotations[-1].annotator,
            "comment_authors": [],
        }
        self.tasks.append(task)
        return task

    def region(self, region: Region, width: int, height: int) -> list[dict[str, Any]]:
        """The results of one box: its rectangle, and one more for each attribute ticked."""
        left, top, right, bottom = region.box
        place = {
            "x": left / width * 100,
            "y": top / height * 100,
            "width": (right - left) / width * 100,
            "height": (bottom - top) / height * 100,
            "rotation": 0,
        }
        frame = {"original_width": width, "original_height": height, "image_rotation": 0}
        identity = {"id": self._identifier(), "to_name": "image", "origin": "manual"}
        results = [
            {
                **frame,
                "value": {**place, "rectanglelabels": [region.label]},
                **identity,
                "from_name": "label",
                "type": "rectanglelabels",
            }
        ]
        for name in ATTRIBUTES:
            if getattr(region, name):
                ticked = {**place, "choices": [name]}
                answer = {"value": ticked, **identity, "from_name": name, "type": "choices"}
                results.append({**frame, **answer})
        return results

    def _annotation(self, task: int, done: Annotation, width: int, height: int) -> dict[str, Any]:
        self._annotations += 1
        results = [r for region in done.regions for r in self.region(region, width, height)]
        drafted = done.created_at - timedelta(seconds=done.lead_time)
        return {
            "id": self._annotations,
            "completed_by": done.annotator,
            "result": results,
            "was_cancelled": done.skipped,
            "ground_truth": False,
            "created_at": _time(done.created_at),
            "updated_at": _time(done.created_at),
            "draft_created_at": _time(drafted) if results else None,
            "lead_time": done.lead_time,
            "prediction": {},
            "result_count": len(done.regions),
            "unique_id": str(uuid.UUID(bytes=self._rng.bytes(16), version=4)),
            "import_id": None,
            "last_action": None,
            "bulk_created": False,
            "task": task,
            "project": _PROJECT,
            "updated_by": done.annotator,
            "parent_prediction": None,
            "parent_annotation": None,
            "last_created_by": None,
        }

    def _identifier(self) -> str:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
        return "".join(alphabet[i] for i in self._rng.integers(0, len(alphabet), size=10))


def _time(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plant(writer: _Writer, broken_image: str) -> Iterator[AnnotationFault]:
    """Add what no import should accept; what was there stays as it is."""
    stray = Region("apple", (40.0, 30.0, 60.0, 50.0), occluded=False, truncated=False)
    plain = [t for t in writer.tasks if len(t["annotations"]) == 1 and len(_boxes(t)) > 1]
    spoil: tuple[tuple[str, dict[str, Any]], ...] = (
        ("unknown_label", {"rectanglelabels": [UNKNOWN_LABEL]}),
        ("inverted_box", {"x": 62.5, "width": -12.25}),
        ("out_of_frame_box", {"x": 88.0, "width": 31.0}),
        ("not_finite", {"height": float("nan")}),
    )
    for place, (reason, changes) in enumerate(spoil):
        task = plain[50 + 120 * place]
        annotation = task["annotations"][0]
        frame = annotation["result"][0]
        [extra] = writer.region(stray, frame["original_width"], frame["original_height"])
        extra["value"].update(changes)
        annotation["result"].append(extra)
        annotation["result_count"] += 1
        where = f"[{task['id'] - 1}].annotations[0].result[{len(annotation['result']) - 1}]"
        yield AnnotationFault(_image(task), where, reason)
    for reason, path in (("unknown_image", MISSING_IMAGE), ("refused_image", broken_image)):
        annotation = Annotation(
            path, ANNOTATORS[0], CAMPAIGN_START + timedelta(hours=30), 6.5, (stray,)
        )
        task = writer.add_task(path, [annotation], WIDTH, HEIGHT)
        yield AnnotationFault(path, f"[{task['id'] - 1}].annotations[0].result[0]", reason)
    # a task that two exports, joined by hand, both hold; its annotation was handed on in between
    twice = deepcopy(next(t for t in writer.tasks if len(_boxes(t)) == len(t["annotations"]) == 1))
    owner = twice["annotations"][0]["completed_by"]
    twice["annotations"][0]["completed_by"] = next(a for a in ANNOTATORS if a != owner)
    writer.tasks.append(twice)
    where = f"[{len(writer.tasks) - 1}].annotations[0].result[0]"
    yield AnnotationFault(_image(twice), where, "duplicate_id")


def _boxes(task: dict[str, Any]) -> list[dict[str, Any]]:
    return [r for a in task["annotations"] for r in a["result"] if r["type"] == "rectanglelabels"]


def _image(task: dict[str, Any]) -> str:
    return str(task["data"]["image"]).partition("?d=")[2]
