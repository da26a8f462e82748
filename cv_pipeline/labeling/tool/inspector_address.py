"""Where the inspector is, so that annotators' browsers find the images that a push shows them."""

from __future__ import annotations

import secrets

from cv_pipeline.project import Project
from cv_pipeline.settings import cv_home, expand

DEFAULT = "http://127.0.0.1:8000"
"""Where the inspector is when nobody says otherwise."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


def tell_address(host: str, port: int) -> str:
    """Write down where the inspector listens, for pushes on this machine; returns the address.

    It stays written down when the inspector ends, for it mostly starts there again.
    """
    reached = _EVERYWHERE.get(host, host)
    address = f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
    file = cv_home() / "labeling" / "inspector.url"
    if _told() != address:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        temporary.write_text(address)
        temporary.rename(file)
    return address


def images_base(project: Project) -> str:
    """Address of the inspector as annotators' browsers reach it.

    That is ``labeling.images`` of the project, or where the inspector last started here.
    """
    declared = project.labeling.images
    base = (expand(declared).strip() if declared else "") or _told() or DEFAULT
    return base.rstrip("/")


def _told() -> str:
    try:
        return (cv_home() / "labeling" / "inspector.url").read_text().strip()
    except FileNotFoundError:
        return ""
