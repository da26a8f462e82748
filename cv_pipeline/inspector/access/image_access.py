"""The dependency of every route that shows one image: whether it may be seen, and who saw it.

A route at ``…/images/{image_id}…`` declares the permission ``ASSIGNED`` and a parameter
``image: SeenImage``::

    @routes.raw(
        "GET", "/p/{project}/images/{image_id}/thumbnail", permission=Permission.ASSIGNED
    )
    def thumbnail(project: str, image: SeenImage, workspace: CurrentWorkspace) -> Response:
        ...

``image`` is the id of the address, once it is certain that this account may see it. An annotator is
answered 404 for an image that is not in a batch that is assigned to them, the same as for an image
that does not exist; a prefix of an id is no id to an annotator. To all others the image may also be
called by a prefix or a path: ``image`` is its id all the same.

Who sees an image that the project restricts (``access.restricted`` of its ``project.yaml``) stands
in the audit log, once in ten minutes for the same image shown in the same way: a picture
of many tiles is one access.
"""

from __future__ import annotations

import re
from typing import Annotated

import numpy as np
import pyarrow as pa
from fastapi import Depends, Request

from cv_pipeline.catalog.snapshot.look_up import find_image
from cv_pipeline.errors import CVPipelineError, QueryError
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.assignments import visible_images
from cv_pipeline.inspector.access.front_door import CurrentFrontDoor
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace

_ID = re.compile(r"[0-9a-f]{64}")


def may_see_image(
    project: str, image_id: str, access: CurrentAccess, workspace: CurrentWorkspace
) -> str:
    """The id of the address, when whoever asks may see that image.

    Raises:
        NotFound: they may not, or there is no such image.
    """
    visible = visible_images(access, workspace, project)
    if visible is not None and image_id not in visible:
        raise NotFound(
            f"There is no image {image_id!r} here, or it is not assigned to you.",
            do="Open what is assigned to you.",
        )
    return image_id


def audit_image_access(
    project: str,
    image_id: Annotated[str, Depends(may_see_image)],
    request: Request,
    workspace: CurrentWorkspace,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> str:
    """Write down who sees an image that is restricted; returns its id.

    Raises:
        AuditLogError: it cannot be written down, and so the image is not shown.
    """
    is_plain = workspace.project(project).access.restricted is None
    if is_plain and _ID.fullmatch(image_id):  # a page of pictures asks a hundred times
        return image_id
    image_id = _whole_id(workspace, project, image_id)
    if not is_restricted(workspace, project, image_id):
        return image_id
    route = str(request.scope["route"].path)
    way = route.partition("{image_id}")[2].strip("/").partition("/")[0] or "page"
    key = (audit.user, audit.credential, audit.address, project, image_id, way)
    if door.image_accesses.is_news(key):
        try:
            audit("image.seen", image_id, project=project, way=way)
        except CVPipelineError:
            door.image_accesses.forget(key)
            raise
    return image_id


SeenImage = Annotated[str, Depends(audit_image_access)]
"""A parameter of a view that shows one image: its id, checked; its access is in the audit log."""


def _whole_id(workspace: Workspace, project: str, ref: str) -> str:
    """The id of the image that a prefix or a path means; what means no image stays as it is.

    Whatever an image is called by, to the log and to what is asked next it is one image.
    """
    snapshot = workspace.snapshot(project)
    if int(snapshot.numbering.find(pa.array([ref], pa.string()))[0]) >= 0:
        return ref
    try:
        number = find_image(snapshot, workspace.lake(project).catalog, ref)
    except QueryError:
        return ref
    return str(snapshot.images["image_id"][number].as_py())


def is_restricted(workspace: Workspace, project: str, image_id: str) -> bool:
    """Whether a project restricts an image; when its query fails, every image is."""
    text = workspace.project(project).access.restricted
    if text is None:
        return False
    try:
        found = workspace.select(project, text)
    except CVPipelineError:
        return True
    named = found.snapshot.numbering.with_prefix(image_id)
    if len(named) != 1:
        return False
    key = ("restricted", project, text, tuple(sorted(found.snapshot.identities.items())))
    numbers = (
        np.sort(found.numbers)
        if "latest" in text  # which may mean something else the next time
        else workspace.kept.get(key, lambda: np.sort(found.numbers))
    )
    place = int(np.searchsorted(numbers, named[0]))
    return place < len(numbers) and int(numbers[place]) == named[0]
