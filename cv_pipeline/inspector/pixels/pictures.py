"""Pictures of images for a browser: rendered once, kept on disk, and never of what is gone.

Before anything is served, kept or not, it is asked whether the image was taken out; and again
after a render was kept, for a take-out may have been faster. What is on this machine of an image
that was taken out is removed when it is asked for, wherever the take-out was done.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.errors import ObjectTakenOut
from cv_pipeline.imaging.opened import Opened, Overview, open_picture
from cv_pipeline.imaging.pyramid import TILE, level_within, levels_of, tile_box
from cv_pipeline.imaging.render import encode_jpeg, thumbnail_jpeg
from cv_pipeline.imaging.thumbnails import QUALITY, small_jpeg
from cv_pipeline.imaging.view import RENDERER, Plan, Spread, plan_view, render, spread_of
from cv_pipeline.imaging.view_settings import ViewSettings
from cv_pipeline.inspector.kept import Kept
from cv_pipeline.inspector.pixels.images import (
    Facts,
    Images,
    image_facts,
    read_image,
    readable,
)
from cv_pipeline.inspector.pixels.limits import memory_bytes, renders_bytes
from cv_pipeline.inspector.pixels.renders import Renders
from cv_pipeline.inspector.pixels.room import Room
from cv_pipeline.inspector.pixels.shelf import Shelf
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.storage import Blobs

T = TypeVar("T")

_PICTURE_QUALITY, _TILE_QUALITY = 90, 94
_DRAWING = 24
"""Bytes of memory for each pixel that is rendered."""

_services: WeakKeyDictionary[Workspace, Pictures] = WeakKeyDictionary()
_services_lock = threading.Lock()


@dataclass(frozen=True)
class Rendered:
    """A picture to be sent.

    Attributes:
        name: what tells it from any other render of the image.
        data: the JPEG; None when whoever asks has it.
    """

    name: str
    data: bytes | None


class Pictures:
    """Renders the images of a workspace.

    Args:
        workspace: what is read.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.renders = Renders(workspace.cache / "inspector" / "renders", max_bytes=renders_bytes())
        self.shelf = Shelf(memory_bytes())
        self.threads = ThreadPoolExecutor(
            max(4, 2 * (os.cpu_count() or 1)), thread_name_prefix="pictures"
        )
        self._images = Images(workspace)
        self._room = Room(memory_bytes())
        self._spreads: Kept[list[Spread]] = Kept(512)
        self._plans: Kept[Plan] = Kept(1024)

    def fitted(
        self,
        project: str,
        image_id: str,
        *,
        side: int,
        settings: ViewSettings,
        small: bool = False,
        known: str = "",
    ) -> Rendered:
        """An image that fits in ``side`` × ``side`` pixels.

        Args:
            project: whose image it is.
            image_id: the image.
            side: longest side, pixels; a smaller picture is not enlarged.
            settings: how it is seen.
            small: whether it is one of many: not worth keeping opened, and of up to a third more
                pixels where that is faster.
            known: names of renders that whoever asks has.
        """

        def make(facts: Facts) -> bytes:
            if settings == ViewSettings() and facts.format == "JPEG":
                return self._quick(project, image_id, facts, side=side, small=small)

            def draw(picture: Opened) -> bytes:
                plan = self.plan(project, image_id, picture, settings)
                info = picture.info
                level = max(0, level_within(info.width, info.height, side) - 1)
                planes = picture.read(plan.bands, level, None)
                quality = QUALITY if small else _PICTURE_QUALITY
                return thumbnail_jpeg(render(planes, plan), size=side, quality=quality)

            area = min(4 * side * side, facts.width * facts.height)
            return self._with(
                project, image_id, facts, settings.frame, draw, keep=not small, area=area
            )

        return self._served(project, image_id, f"fit {side} {small}", settings, make, known)

    def tile(
        self,
        project: str,
        image_id: str,
        *,
        level: int,
        x: int,
        y: int,
        settings: ViewSettings,
        known: str = "",
    ) -> Rendered:
        """A tile of an image.

        Raises:
            NotFound: there is no such tile.
        """

        def make(facts: Facts) -> bytes:

            def draw(picture: Opened) -> bytes:
                info = picture.info
                box = tile_box(info.width, info.height, level, x, y)
                if box is None:
                    raise NotFound(
                        f"The image has no tile {x}, {y} at level {level}.",
                        do=f"It has levels 0 to {levels_of(info.width, info.height) - 1} of tiles"
                        f" of {TILE} pixels.",
                    )
                plan = self.plan(project, image_id, picture, settings)
                planes = picture.read(plan.bands, level, box)
                return encode_jpeg(render(planes, plan), quality=_TILE_QUALITY, subsampling="444")

            area = TILE * TILE << (2 * min(level, 4))
            return self._with(project, image_id, facts, settings.frame, draw, keep=True, area=area)

        return self._served(project, image_id, f"tile {level} {x} {y}", settings, make, known)

    def look(
        self, project: str, image_id: str, frame: int, see: Callable[[Opened], T]
    ) -> tuple[Facts, T]:
        """What can be told of an opened picture.

        Args:
            project: whose image it is.
            image_id: the image.
            frame: which picture of a file that has several.
            see: tells it; called with the opened picture.
        """
        facts = image_facts(*self._find(project, image_id))
        if not Blobs(self._workspace.store).exists(image_id):  # though it may be at hand
            read_image(self._workspace, image_id)
        with readable():
            return facts, self._with(project, image_id, facts, frame, see, keep=True, area=0)

    def spreads(self, project: str, image_id: str, picture: Opened, frame: int) -> list[Spread]:
        """How the values of each band are spread."""

        def measure() -> list[Spread]:
            bands = zip(Overview(picture), picture.meaning.bands, strict=True)
            return [spread_of(band, meaning) for band, meaning in bands]

        return self._spreads.get((project, image_id, frame), measure)

    def plan(self, project: str, image_id: str, picture: Opened, settings: ViewSettings) -> Plan:
        """How an image is seen by some settings, the same for all of its parts."""
        return self._plans.get(
            (project, image_id, settings.text()),
            lambda: plan_view(settings, meaning=picture.meaning, bands=Overview(picture)),
        )

    def _quick(self, project: str, image_id: str, facts: Facts, *, side: int, small: bool) -> bytes:
        """A JPEG as it is, decoded no larger than is needed."""
        scale = max(1, min(8, max(facts.width, facts.height) // side))
        with self._room.taken(2 * facts.bytes + 4 * facts.decoded // scale**2):
            data = read_image(self._workspace, image_id)
            quality = QUALITY if small else _PICTURE_QUALITY
            limit = self._max_pixels(project)
            return small_jpeg(data, side=side, max_pixels=limit, quality=quality, exactly=not small)

    def _with(
        self,
        project: str,
        image_id: str,
        facts: Facts,
        frame: int,
        see: Callable[[Opened], T],
        *,
        keep: bool,
        area: int,
    ) -> T:
        """Do something with an opened picture, within the room that there is.

        Room is never taken while some is held, so that nobody waits for one who waits.
        """
        key = (image_id, project, frame)
        need = 2 * facts.bytes + 3 * facts.decoded + (16 << 20)
        drawing = area * _DRAWING

        def open_it() -> Opened:
            return open_picture(
                read_image(self._workspace, image_id),
                max_pixels=self._max_pixels(project),
                name=facts.name,
                frame=frame,
            )

        def open_in_room() -> Opened:
            with self._room.taken(need):
                return open_it()

        picture = self.shelf.at_hand(key)
        if picture is None and not keep:
            with self._room.taken(need + drawing):
                return see(open_it())
        if picture is None:
            picture = self.shelf.get(key, open_in_room)
        with self._room.taken(drawing):
            return see(picture)

    def _served(
        self,
        project: str,
        image_id: str,
        what: str,
        settings: ViewSettings,
        make: Callable[[Facts], bytes],
        known: str,
    ) -> Rendered:
        snapshot, number = self._find(project, image_id)
        told = f"{RENDERER}\n{project}\n{what}\n{settings.text()}"
        name = hashlib.sha256(told.encode()).hexdigest()[:32]
        if name in known:
            return Rendered(name, None)
        # a window that is dragged goes through hundreds of views that nobody sees again
        kept = not settings.low and not settings.high and settings.gamma == 1.0
        data = self.renders.get(image_id, name) if kept else None
        if data is None:
            with readable():
                data = make(image_facts(snapshot, number))
            if kept:
                self.renders.put(image_id, name, data)
                self._find(project, image_id)
        return Rendered(name, data)

    def _find(self, project: str, image_id: str) -> tuple[Snapshot, int]:
        """An image that may be served; what is here of one that was taken out is removed."""
        try:
            return self._images.find(project, image_id)
        except ObjectTakenOut:
            self.renders.forget(image_id)
            self.shelf.forget(image_id)
            raise

    def _max_pixels(self, project: str) -> int:
        return self._workspace.project(project).source.max_pixels


def pictures_of(workspace: Workspace) -> Pictures:
    """The pictures of a workspace, the same each time."""
    with _services_lock:
        if workspace not in _services:
            _services[workspace] = Pictures(workspace)
        return _services[workspace]
