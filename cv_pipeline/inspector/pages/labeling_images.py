"""Images for the browsers of annotators, by signed addresses: they have no account here.

An address shows one image until the day that is signed with it, unless the batch that it was pushed
in is paused or cancelled: what is done is still checked, corrected and marked as gold. What was
not signed here is answered as if there were nothing, whatever there is.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.imaging.view_settings import ViewSettings
from cv_pipeline.inspector.access.front_door import CurrentFrontDoor, address_of
from cv_pipeline.inspector.access.image_access import is_restricted
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.pixels.images import image_facts, read_image, require_image
from cv_pipeline.inspector.pixels.pictures import pictures_of
from cv_pipeline.inspector.problems import NotFound, RequestError
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.labeling.batches.declared import declared_state
from cv_pipeline.labeling.tool.connection import tool_url
from cv_pipeline.labeling.tool.image_addresses import FIRST_ROUTE, ROUTE, ImageAddresses
from cv_pipeline.settings import expand

routes = Routes("Labeling")

SHOWN = ("open", "pushed", "in_progress", "done")
"""States of a batch in which its images are shown; a push has made tasks before it is pushed."""
FRESH_SECONDS = 2
_PLAIN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_TOOL = "label-studio"


class NoLongerLabelled(RequestError):
    """The batch of an image is paused or cancelled, or no longer has it."""

    status = 410


class AddressExpired(RequestError):
    """The address of an image is no longer good, whatever became of its batch."""

    status = 410


@routes.raw("GET", ROUTE, permission=Permission.PUBLIC)
def labeling_image(
    project: str,
    batch: str,
    until: str,
    image_id: str,
    signature: str,
    request: Request,
    workspace: CurrentWorkspace,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> Response:
    """An image of a batch that is or was labelled, in the size and orientation that count.

    What a browser shows as it is stored is sent as it is stored; anything else as a JPEG of all
    its pixels.
    """
    address = address_of(request)
    door.address_throttle.fetch(address)
    addresses = ImageAddresses(workspace.home)
    good_until = addresses.good_until(project, batch, until)
    if good_until is None or not addresses.is_signed(project, batch, image_id, signature):
        door.address_throttle.wrong(address)
        raise NotFound("There is no such image here.", do="Open the task again.")
    if good_until <= datetime.now(UTC):
        raise _expired(project, batch, f"was good until {good_until:%-d %b %Y %H:%M} UTC")
    _require_labelled(workspace, project, batch, image_id)
    require_image(workspace, project, image_id)
    if is_restricted(workspace, project, image_id):
        key = (audit.user or _TOOL, audit.credential, audit.address, project, image_id, batch)
        if door.image_accesses.is_news(key):
            try:
                audit.of(audit.user or _TOOL)(
                    "image.seen", image_id, project=project, way="labeling", batch=batch
                )
            except CVPipelineError:
                door.image_accesses.forget(key)
                raise
    data, kind = _picture(workspace, project, image_id)
    return Response(data, media_type=kind, headers=_headers(workspace, project, request))


@routes.raw("GET", FIRST_ROUTE, permission=Permission.PUBLIC)
def labeling_image_of_first_release(
    project: str,
    batch: str,
    image_id: str,
    signature: str,
    request: Request,
    workspace: CurrentWorkspace,
    door: CurrentFrontDoor,
) -> Response:
    """What an address without a last day says, as the first release made them."""
    address = address_of(request)
    door.address_throttle.fetch(address)
    if ImageAddresses(workspace.home).is_signed(project, batch, image_id, signature):
        raise _expired(project, batch, "is of an earlier release, and was good without end")
    door.address_throttle.wrong(address)
    raise NotFound("There is no such image here.", do="Open the task again.")


def _expired(project: str, batch: str, why: str) -> AddressExpired:
    return AddressExpired(
        f"This address of an image of batch {batch!r} {why}.",
        do="Open the task again. If that does not help, whoever looks after the batch renews all"
        f" of its addresses with: cvp push {project} --batch {batch}",
    )


def _require_labelled(workspace: Workspace, project: str, batch: str, image_id: str) -> None:
    """See that an image is a task of a batch that is neither paused nor cancelled.

    Nothing but the rows of this image and the events of this batch are read, however many there
    are; what was found holds for a moment, in which a browser asks for its image more than once.
    """

    def look() -> bool:
        catalog: Catalog = workspace.lake(project).catalog
        rows = catalog.table("labeling_tasks").read(
            columns=["state"],
            filter=one_of("batch", [batch]) & one_of("image_id", [image_id]),
        )
        is_task = "pushed" in rows["state"].to_pylist()
        return is_task and declared_state(catalog, batch) in SHOWN

    moment = int(time.monotonic() // FRESH_SECONDS)
    if not workspace.moments.get(("labelled", project, batch, image_id, moment), look):
        raise NoLongerLabelled(
            f"Batch {batch!r} is paused or cancelled, or no longer has this image.",
            do="Ask who looks after the batch; its state is on the page of the batches.",
        )


def _picture(workspace: Workspace, project: str, image_id: str) -> tuple[bytes, str]:
    snapshot = workspace.snapshot(project)
    facts = image_facts(snapshot, require_image(workspace, project, image_id))
    kind = _PLAIN.get(facts.format)
    if kind is not None and facts.dtype == "uint8" and facts.bands in (1, 3):
        return read_image(workspace, image_id), kind
    side = max(facts.width, facts.height)
    rendered = pictures_of(workspace).fitted(project, image_id, side=side, settings=ViewSettings())
    assert rendered.data is not None  # nobody said that they have it
    return rendered.data, "image/jpeg"


def _headers(workspace: Workspace, project: str, request: Request) -> dict[str, str]:
    headers = {
        # the tool's page is of another origin, and draws on the picture
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, max-age=600",
        "Vary": "Origin",
    }
    found = workspace.project(project)
    public = found.labeling.public_url
    tool = expand(public) if public else tool_url(found)
    if tool is not None:
        parts = urlsplit(tool)
        origin = f"{parts.scheme}://{parts.netloc}"
        if request.headers.get("origin") == origin:
            headers["Access-Control-Allow-Origin"] = origin
    return headers
