"""Pictures of images: thumbnails, whole pictures, tiles, and what their pixels say."""

from __future__ import annotations

import functools
import hashlib
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Query, Request
from fastapi.responses import Response

from cv_pipeline.imaging.thumbnails import small_jpeg
from cv_pipeline.inspector.access.image_access import SeenImage
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.pixels.images import read_image, require_image
from cv_pipeline.inspector.pixels.renders import Renders
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace

routes = Routes("Pixels")

_SIDES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
_FRESH = "private, max-age=600, immutable"
_RENDERER = "1"

_threads = CapacityLimiter(8)


@routes.raw("GET", "/p/{project}/images/{image_id}/thumbnail", permission=Permission.ASSIGNED)
async def thumbnail(
    request: Request,
    project: str,
    image: SeenImage,
    workspace: CurrentWorkspace,
    size: Annotated[int, Query(ge=16, le=1024)] = 256,
) -> Response:
    """A JPEG of an image that fits in ``size`` pixels, or the next larger size that is kept."""
    side = next(s for s in _SIDES if s >= size)
    return await _render(request, workspace, project, image, side)


@routes.raw("GET", "/p/{project}/images/{image_id}/picture", permission=Permission.ASSIGNED)
async def picture(
    request: Request,
    project: str,
    image: SeenImage,
    workspace: CurrentWorkspace,
    size: Annotated[int, Query(ge=16, le=4096)] = 2048,
) -> Response:
    """A JPEG of an image that fits in ``size`` pixels."""
    return await _render(request, workspace, project, image, size)


async def _render(
    request: Request, workspace: Workspace, project: str, image: str, side: int
) -> Response:
    make = functools.partial(
        _answer, workspace, project, image, side, request.headers.get("if-none-match", "")
    )
    return await to_thread.run_sync(make, limiter=_threads)


def _answer(workspace: Workspace, project: str, image: str, side: int, known: str) -> Response:
    require_image(workspace, project, image)
    name = hashlib.sha256(f"{_RENDERER} {side}".encode()).hexdigest()[:32]
    headers = {"ETag": f'"{image[:16]}-{name}"', "Cache-Control": _FRESH}
    if headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    renders: Renders = workspace.kept.get(
        "renders", lambda: Renders(workspace.cache / "inspector" / "renders")
    )
    data = renders.get(image, name)
    if data is None:
        found = workspace.project(project).source.max_pixels
        data = small_jpeg(read_image(workspace, image), side=side, max_pixels=found)
        renders.put(image, name, data)
    return Response(data, media_type="image/jpeg", headers=headers)
