"""Pictures of images: thumbnails, whole pictures, tiles, and what their pixels say."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from cv_pipeline.imaging.color_maps import COLOR_MAPS
from cv_pipeline.imaging.opened import Opened
from cv_pipeline.imaging.presets import presets_of
from cv_pipeline.imaging.pyramid import TILE, Box, level_size, levels_of
from cv_pipeline.imaging.view_settings import ViewSettings
from cv_pipeline.inspector.access.access import Access, CurrentAccess
from cv_pipeline.inspector.access.front_door import CurrentFrontDoor, FrontDoor
from cv_pipeline.inspector.access.image_access import SeenImage, audit_image_access, may_see_image
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import Audit, CurrentAudit
from cv_pipeline.inspector.pixels.images import readable
from cv_pipeline.inspector.pixels.pictures import Pictures, Rendered, pictures_of
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace

routes = Routes("Pixels")

T = TypeVar("T")

_DEFAULT = ViewSettings()

_IMAGE = "/p/{project}/images/{image_id}"
_SIDES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
_FRESH = "private, max-age=600, immutable"
"""A browser may show what it has for ten minutes; then it asks, and is told if it is gone."""


@dataclass(frozen=True)
class Asked:
    """Which image somebody asks for, before it is known whether they may see it.

    All of a request is then done in one thread, for a page of pictures is a hundred requests.
    """

    request: Request
    project: str
    image_id: str
    access: Access
    workspace: Workspace
    door: FrontDoor
    audit: Audit

    def seen(self) -> str:
        """Id of the image, once it is certain that it may be seen; as of :data:`SeenImage`.

        Raises:
            NotFound: there is no such image, or it may not be seen.
        """
        image = may_see_image(self.project, self.image_id, self.access, self.workspace)
        return audit_image_access(
            self.project, image, self.request, self.workspace, self.door, self.audit
        )


async def _asked(
    request: Request,
    project: str,
    image_id: str,
    access: CurrentAccess,
    workspace: CurrentWorkspace,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> Asked:
    return Asked(request, project, image_id, access, workspace, door, audit)


AskedImage = Annotated[Asked, Depends(_asked)]


async def _settings(
    preset: Annotated[str, Query(description="name of a preset of the image")] = "",
    bands: Annotated[str, Query(description="one band's number, or three: 4,3,2")] = "",
    low: Annotated[str, Query(description="value seen black, in the image's unit")] = "",
    high: Annotated[str, Query(description="value seen white, in the image's unit")] = "",
    gamma: Annotated[str, Query(description="above 1 makes the middle brighter")] = "",
    color_map: Annotated[str, Query(alias="map", description="colour map, for one band")] = "",
    invert: Annotated[str, Query(description="true exchanges bright and dark")] = "",
    frame: Annotated[str, Query(description="which picture of a file of several")] = "",
) -> ViewSettings:
    """The view that an address describes.

    Raises:
        Unreadable: a value is not allowed.
    """
    listed = {"bands": bands, "low": low, "high": high}
    plain = {"preset": preset, "gamma": gamma, "map": color_map, "invert": invert, "frame": frame}
    return _view(listed | plain)


View = Annotated[ViewSettings, Depends(_settings)]


def _view(query: Mapping[str, str]) -> ViewSettings:
    """The view that an address describes; what it says besides is no matter."""
    given: dict[str, object] = {}
    for name in ViewSettings.model_fields:
        if value := query.get(name):
            given[name] = value.split(",") if name in ("bands", "low", "high") else value
    if not given:
        return _DEFAULT
    with readable():
        return ViewSettings.of(given)


@routes.raw("GET", f"{_IMAGE}/thumbnail", permission=Permission.ASSIGNED)
async def thumbnail(
    asked: AskedImage, size: Annotated[int, Query(ge=16, le=1024)] = 256
) -> Response:
    """A JPEG of an image of about ``size`` pixels, for one of many on a page.

    It has ``size`` or the next larger size that is kept, and up to a third more where that is
    faster; a smaller image is not enlarged.
    """
    side = next(s for s in _SIDES if s >= size)
    return await _answered(asked, Pictures.fitted, side=side, small=True)


@routes.raw("GET", f"{_IMAGE}/picture", permission=Permission.ASSIGNED)
async def picture(
    asked: AskedImage, size: Annotated[int, Query(ge=16, le=4096)] = 2048
) -> Response:
    """A JPEG of an image that fits in ``size`` pixels."""
    return await _answered(asked, Pictures.fitted, side=size)


@routes.raw("GET", f"{_IMAGE}/tiles/{{level}}/{{x}}/{{y}}", permission=Permission.ASSIGNED)
async def tile(
    asked: AskedImage,
    level: Annotated[int, PathParameter(ge=0, le=30)],
    x: Annotated[int, PathParameter(ge=0, le=1_000_000)],
    y: Annotated[int, PathParameter(ge=0, le=1_000_000)],
) -> Response:
    """A JPEG of one tile of a level; level 0 is the image itself, each further one half of it."""
    return await _answered(asked, Pictures.tile, level=level, x=x, y=y)


class BandOut(BaseModel):
    """One band."""

    number: int
    name: str
    kind: str = Field(description="what it measures, where that is known: red, nir, thermal, …")
    unit: str
    least: float | None = Field(description="least value, in its unit; null when it has none")
    greatest: float | None
    low: float | None = Field(description="1st percentile")
    high: float | None = Field(description="99th percentile")


class PresetOut(BaseModel):
    """A view that the image has what it needs for."""

    name: str
    title: str
    bands: list[int]
    index: bool = Field(description="whether the normalised difference of two bands is seen")
    low: float | None = Field(description="value seen black; null for percentiles")
    high: float | None
    map: str


class LevelOut(BaseModel):
    """A level of tiles."""

    level: int
    width: int
    height: int
    columns: int
    rows: int


class ViewOut(BaseModel):
    """A view with everything decided."""

    bands: list[int]
    index: bool
    low: list[float]
    high: list[float]
    gamma: float
    map: str
    invert: bool
    unit: str


class Pixels(BaseModel):
    """What an image's pixels are and how they can be seen."""

    image_id: str
    name: str
    format: str
    width: int
    height: int
    dtype: str
    modality: str
    frames: int
    bands: list[BandOut]
    presets: list[PresetOut] = Field(description="the first is what the image is seen with")
    maps: list[str]
    view: ViewOut = Field(description="the view that the address asks for")
    settings: str = Field(description="canonical text of the view's settings")
    tile_size: int
    levels: list[LevelOut]


class ValueOut(BaseModel):
    """What one band says at a place."""

    band: int
    name: str
    stored: float | None = Field(description="the number in the file; null when it is none")
    value: float | None = Field(description="what it means, in its unit; null for no measurement")
    unit: str


class Probe(BaseModel):
    """What an image says at a place."""

    x: int
    y: int
    values: list[ValueOut]


@routes.api("GET", f"{_IMAGE}/pixels", permission=Permission.ASSIGNED)
async def pixels(
    project: str, image: SeenImage, workspace: CurrentWorkspace, settings: View
) -> Pixels:
    """What an image's pixels are: bands, ranges, presets, tiles, and a view with all decided."""
    pictures = pictures_of(workspace)

    def see(opened: Opened) -> Pixels:
        info, meaning = opened.info, opened.meaning
        plan = pictures.plan(project, image, opened, settings)
        spreads = pictures.spreads(project, image, opened, settings.frame)
        return Pixels(
            image_id=image,
            name="",
            format=info.format,
            width=info.width,
            height=info.height,
            dtype=info.dtype,
            modality=meaning.modality,
            frames=meaning.frames,
            bands=[
                BandOut(
                    number=n,
                    name=band.name,
                    kind=band.kind,
                    unit=band.unit,
                    least=_finite(spread.least),
                    greatest=_finite(spread.greatest),
                    low=_finite(spread.low),
                    high=_finite(spread.high),
                )
                for n, (band, spread) in enumerate(zip(meaning.bands, spreads, strict=True))
            ],
            presets=[
                PresetOut(
                    name=preset.name,
                    title=preset.title,
                    bands=list(preset.bands),
                    index=preset.index,
                    low=preset.window[0] if preset.window else None,
                    high=preset.window[1] if preset.window else None,
                    map=preset.map,
                )
                for preset in presets_of(meaning)
            ],
            maps=list(COLOR_MAPS),
            view=ViewOut(
                bands=list(plan.bands),
                index=plan.index,
                low=list(plan.low),
                high=list(plan.high),
                gamma=plan.gamma,
                map=plan.map,
                invert=settings.invert,
                unit=plan.unit,
            ),
            settings=settings.text(),
            tile_size=TILE,
            levels=_levels(info.width, info.height),
        )

    look = functools.partial(pictures.look, project, image, settings.frame, see)
    facts, found = await _in_thread(pictures, look)
    return found.model_copy(update={"name": facts.name})


@routes.api("GET", f"{_IMAGE}/pixels/{{x}}/{{y}}", permission=Permission.ASSIGNED)
async def probe(
    project: str,
    image: SeenImage,
    workspace: CurrentWorkspace,
    x: Annotated[int, PathParameter(ge=0, le=1 << 31)],
    y: Annotated[int, PathParameter(ge=0, le=1 << 31)],
    frame: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Probe:
    """What an image says at a pixel, band by band, in its own units."""
    pictures = pictures_of(workspace)

    def see(opened: Opened) -> Probe:
        info = opened.info
        if x >= info.width or y >= info.height:
            raise NotFound(
                f"The image has {info.width} × {info.height} pixels and none at {x}, {y}."
            )
        box = Box(y, x, y + 1, x + 1)
        stored = [float(p[0, 0]) for p in opened.read(range(info.bands), 0, box)]
        values = [
            ValueOut(
                band=n,
                name=band.name,
                stored=_finite(number),
                value=_finite(band.value(number)),
                unit=band.unit,
            )
            for n, (band, number) in enumerate(zip(opened.meaning.bands, stored, strict=True))
        ]
        return Probe(x=x, y=y, values=values)

    look = functools.partial(pictures.look, project, image, frame, see)
    _, found = await _in_thread(pictures, look)
    return found


async def _answered(asked: Asked, draw: Callable[..., Rendered], **what: Any) -> Response:
    """The answer with a picture, or that whoever asks has it already."""
    pictures = pictures_of(asked.workspace)
    known = asked.request.headers.get("if-none-match", "")
    settings = _view(asked.request.query_params)

    def answer() -> tuple[str, Rendered]:
        image = asked.seen()
        return image, draw(pictures, asked.project, image, settings=settings, known=known, **what)

    image, rendered = await _in_thread(pictures, answer)
    headers = {"ETag": f'"{image[:16]}-{rendered.name}"', "Cache-Control": _FRESH}
    if rendered.data is None:
        return Response(status_code=304, headers=headers)
    return Response(rendered.data, media_type="image/jpeg", headers=headers)


async def _in_thread(pictures: Pictures, work: Callable[[], T]) -> T:
    """Do it in a thread of pictures' own, so that other pages never wait for them."""
    return await asyncio.get_running_loop().run_in_executor(pictures.threads, work)


def _levels(width: int, height: int) -> list[LevelOut]:
    found = []
    for level in range(levels_of(width, height)):
        across, down = level_size(width, height, level)
        found.append(
            LevelOut(
                level=level,
                width=across,
                height=down,
                columns=math.ceil(across / TILE),
                rows=math.ceil(down / TILE),
            )
        )
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
