"""A Label Studio of the tests, and what its annotators do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cv_pipeline.labeling.tool.connection import Connection
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.labeling.tool.local_server import ADMIN, Account, LocalServer

NAMES = ("ann", "bob", "cem", "dee", "eve")
EMAILS = tuple(f"{name}@example.org" for name in NAMES)


@dataclass
class Studio:
    """A running Label Studio with its accounts."""

    server: LocalServer
    accounts: Mapping[str, Account]
    opened: dict[str, Connection] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def token(self) -> str:
        """The admin's."""
        return self.accounts[ADMIN].token

    @property
    def tool(self) -> Tool:
        """Label Studio as the admin sees it."""
        return Tool(self.of(ADMIN))

    def of(self, who: str) -> Connection:
        """Label Studio as somebody sees it, by their first name."""
        email = who if "@" in who else f"{who}@example.org"
        if email not in self.opened:
            self.opened[email] = Connection(self.url, self.accounts[email].token)
        return self.opened[email]

    def through(self, url: str, token: str | None = None) -> Connection:
        """Label Studio as the admin, or who has a token, sees it through a proxy."""
        connection = Connection(url, token or self.token)
        self.opened[f"{url} {len(self.opened)}"] = connection
        return connection

    def id_of(self, who: str) -> int:
        return self.accounts[f"{who}@example.org"].id

    def label(self, who: str, task: int, *regions: Mapping[str, Any], **more: Any) -> int:
        """Somebody labels a task; returns the annotation's id."""
        body = {"result": list(regions), "lead_time": 3.5, **more}
        return int(self.of(who).send("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def edit(self, who: str, annotation: int, *regions: Mapping[str, Any], **more: Any) -> None:
        body = {"result": list(regions), **more}
        self.of(who).send("PATCH", f"/api/annotations/{annotation}/", body)

    def delete(self, who: str, annotation: int) -> None:
        self.of(who).send("DELETE", f"/api/annotations/{annotation}/", None)

    def close(self) -> None:
        for connection in self.opened.values():
            connection.close()


def box(
    label: str = "red", *, x: float = 10, width: float = 20, name: str = "r1"
) -> dict[str, Any]:
    """A rectangle as Label Studio has it."""
    return {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 64,
        "original_height": 48,
        "image_rotation": 0,
        "value": {
            "x": x, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": [label],
        },
    }  # fmt: skip
