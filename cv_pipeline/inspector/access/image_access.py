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
that does not exist; a prefix of an id is no id to an annotator.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.assignments import visible_images
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import CurrentWorkspace


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


SeenImage = Annotated[str, Depends(may_see_image)]
"""A parameter of a view that shows one image: its id, checked; its access is in the audit log."""
