"""One image with its objects as JSON: what WebDataset and Hugging Face folders are made of.

A sample names its objects' classes, and may number them, which gives the classes their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cv_pipeline.annotations.formats.extra_keys import read_box, read_facts, read_work
from cv_pipeline.annotations.geometry import BadShape, read_shape
from cv_pipeline.annotations.raw import ExportBuilder, RawRow
from cv_pipeline.annotations.values import as_identifier, as_size, as_text, attributes_json
from cv_pipeline.catalog.schemas.annotations import SHAPE_KINDS


@dataclass
class Samples:
    """Reads samples into an export.

    Attributes:
        export: where they go.
        names: number of a class to its name.
    """

    export: ExportBuilder
    names: dict[int, str] = field(default_factory=dict)

    def read(
        self,
        entry: Mapping[str, Any],
        *,
        source: str,
        where: str,
        image: str,
        split: str | None,
        objects: list[Any],
    ) -> None:
        """Read one sample.

        Args:
            entry: what it says of the image.
            source: file that it stands in.
            where: place of the list of objects in that file.
            image: path of the image.
            split: split that the layout puts it into.
            objects: objects, or the class of the image.
        """
        self.export.images.add(image)
        self.export.facts.append(read_facts(image, split, entry))
        if not objects:
            self.export.empty.add(image)
        for i, found in enumerate(objects):
            self._read_object(found, entry, source, f"{where}[{i}]", image)

    def finish(self) -> None:
        """Give the export the classes, in order of their numbers."""
        self.export.labels.update(dict.fromkeys(name for _, name in sorted(self.names.items())))

    def _read_object(
        self, found: Any, entry: Mapping[str, Any], source: str, where: str, image: str
    ) -> None:
        if not isinstance(found, dict):
            self.export.refuse(source, where, "not_an_object", "Expected an object with a class.")
            return
        label = as_text(found.get("category")) or as_identifier(found.get("category"))
        if label is None:
            self.export.refuse(source, f"{where}.category", "missing_label", "No class is given.")
            return
        box = read_box(found)
        if box is None and found.get("bbox") is not None:
            self.export.refuse(
                source,
                f"{where}.bbox",
                "bad_box",
                f"Expected four numbers x, y, width, height, found {repr(found['bbox'])[:60]}.",
            )
            return
        number = found.get("category_id")
        if isinstance(number, int):
            self.names.setdefault(number, label)
        kind, geometry = self._shape(found, source, where, boxed=box is not None)
        attributes = found.get("attributes")
        x_min, y_min, x_max, y_max = box or (None, None, None, None)
        self.export.rows.append(
            RawRow(
                image_path=image,
                label=label,
                kind=kind,
                source=source,
                object=where,
                original_id=where,
                x_min=x_min,
                y_min=y_min,
                x_max=x_max,
                y_max=y_max,
                geometry=geometry,
                attributes=(attributes_json(attributes) if isinstance(attributes, dict) else None)
                or "{}",
                width=as_size(entry.get("width")),
                height=as_size(entry.get("height")),
                **read_work(found),
            )
        )

    def _shape(
        self, found: Mapping[str, Any], source: str, where: str, *, boxed: bool
    ) -> tuple[str, str | None]:
        """Kind and geometry; of a shape that cannot be read, the box alone."""
        kind, geometry = as_text(found.get("kind")), found.get("geometry")
        if kind == "tag" and not boxed:
            return "tag", None
        if kind in SHAPE_KINDS and geometry not in (None, ""):
            text = geometry if isinstance(geometry, str) else json.dumps(geometry)
            try:
                return kind, read_shape(kind, text).text
            except BadShape as error:
                self.export.refuse(source, f"{where}.geometry", error.reason, error.detail)
        return "bbox" if boxed else "class", None
