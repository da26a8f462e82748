"""Where a model looks on an image, from what a user types to a picture."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow.compute as pc
from dagster import DagsterInstance

from cv_pipeline.provenance.event_log import EventLog
from cv_pipeline.provenance.references import find_event
from cv_pipeline.settings import cv_home, store_url
from cv_pipeline.storage import Blobs, ObjectStore, fetch, open_store

if TYPE_CHECKING:
    from cv_pipeline.evaluation.activation_maps.explainer import Explainer

_EDGES = ("x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True)
class ActivationPicture:
    """A class-activation map over its image.

    Attributes:
        project: the project.
        model: digest of the model.
        image_id: the image.
        path: its path in its source.
        label: the class that the map is of.
        score: how sure the model is of the class; None where a detector finds none of it.
        share: share of the activation inside the labelled boxes of the class; None without.
        area: share of the image that those boxes cover; None without.
        png: the picture; None where there is no activation.
    """

    project: str
    model: str
    image_id: str
    path: str
    label: str
    score: float | None
    share: float | None
    area: float | None
    png: bytes | None

    def to_json(self) -> dict[str, Any]:
        """All but the picture, as plain values."""
        return {name: value for name, value in vars(self).items() if name != "png"}


def activation_map(
    model: str,
    image: str,
    *,
    label: str | None = None,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> ActivationPicture:
    """Where a model looks for a class on any image of its project.

    Args:
        model: ``project@version``, its digest or a prefix.
        image: SHA-256, a prefix of eight or more, or a path.
        label: the class; by default the one that the model is surest of.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for copies of a remote store's models.

    Raises:
        ProvenanceError: the model is unknown or ambiguous.
        CatalogError: the image is.
        EvaluationError: the model has no such class, finds nothing at all, or has no feature map.
        ObjectTakenOut: the image's pixels are gone.
    """
    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.evaluation.activation_maps.render import overlay_png
    from cv_pipeline.imaging import decode, to_rgb8

    store = store or open_store(store_url())
    log = EventLog(instance or DagsterInstance.get())
    event = find_event(log, asset="trained_model", ref=model)
    picture = Datalake.open(event.project, store=store).image(image)
    facts = picture.properties
    size = (int(facts["height"]), int(facts["width"]))
    data = picture.read()
    key = f"projects/{event.project}/models/{event.version}"
    folder = fetch(store, key, marker="model.json", cache=cache or cv_home() / "cache")
    explainer = _explainer(folder, cast("Hashable", store))
    named = label or explainer.surest(picture.id, size=size)
    rows = picture.annotations
    rows = rows.filter(pc.and_(pc.equal(rows["kind"], "bbox"), pc.equal(rows["label"], named)))
    boxes = np.column_stack([rows[e].to_numpy().astype(np.float64) for e in _EDGES])
    found = explainer.explain(picture.id, size=size, label=named, boxes=boxes)
    png = None
    if found.map is not None:
        rgb8 = to_rgb8(decode(data, max_pixels=size[0] * size[1]))
        png = overlay_png(rgb8, found.map.values, boxes=boxes)
    return ActivationPicture(
        project=event.project,
        model=event.version,
        image_id=picture.id,
        path=picture.path,
        label=found.label,
        score=found.map.score if found.map else None,
        share=found.share,
        area=found.area,
        png=png,
    )


def open_explainer(
    model: str, *, instance: DagsterInstance, store: ObjectStore, cache: Path
) -> Explainer:
    """A model that is ready to be asked where it looks; the first one takes many seconds.

    Args and errors are those of :func:`activation_map`.
    """
    event = find_event(EventLog(instance), asset="trained_model", ref=model)
    key = f"projects/{event.project}/models/{event.version}"
    folder = fetch(store, key, marker="model.json", cache=cache)
    return _explainer(folder, cast("Hashable", store))


@lru_cache(maxsize=2)
def _explainer(folder: Path, store: Any) -> Explainer:
    """A model that is ready to be asked; the last two stay so, for people look at many images."""
    from cv_pipeline.evaluation.activation_maps.explainer import Explainer

    return Explainer(folder, blobs=Blobs(store))
