"""What a person does in the inspector, for the load tool: ``locust -f tests/inspector/people.py``.

They look at the board, go to an evaluation, its images and one of them, and now and then to the
data pages. Environment: ``INSPECTOR_TOKEN`` and ``INSPECTOR_PROJECT``.
"""

from __future__ import annotations

import os
import random
from typing import Any

from locust import HttpUser, between, task

PROJECT = os.environ["INSPECTOR_PROJECT"]
P = f"/p/{PROJECT}"
API = f"/api/v1{P}"
QUERIES = (
    "all images",
    "labelled = true",
    "metadata.scene = 'river'",
    "label = 'class_3' and metadata.scene in ('yard', 'road')",
    "brightness < 0.2 order by brightness",
    "tag = 'promo' and annotations_count >= 2",
)


class Person(HttpUser):
    """Somebody who clicks every second or two."""

    wait_time = between(0.5, 2.0)

    def on_start(self) -> None:
        """Sign in by token, and find out what there is."""
        self.client.headers["Authorization"] = f"Bearer {os.environ['INSPECTOR_TOKEN']}"
        self.evaluation = self._json(f"{API}/evaluations/latest", "evaluation")["digest"]

    @task(3)
    def board(self) -> None:
        """The board."""
        self._page(P, "board")

    @task(3)
    def evaluation_and_its_images(self) -> None:
        """An evaluation, its worst images with their pictures, and one of those large."""
        self._page(f"{P}/evaluations/{self.evaluation}", "evaluation")
        self._grid({"evaluation": self.evaluation})

    @task(5)
    def query(self) -> None:
        """A query of the lake, its pictures, and one of them large."""
        self._grid({"q": random.choice(QUERIES)})

    @task(1)
    def data_pages(self) -> None:
        """One of the data pages."""
        name = random.choice(["datasets", "models", "queries", "overview", "lineage"])
        self._page(f"{P}/{name}", name)

    def _grid(self, where: dict[str, Any]) -> None:
        self._page(f"{P}/images", "images", params=where)
        answer = self._json(f"{API}/images", "images, as JSON", params=where)
        shown = [image["id"] for image in answer["items"]]
        for image_id in random.sample(shown, min(12, len(shown))):
            self.client.get(f"{P}/images/{image_id}/thumbnail?size=256", name="thumbnail")
        if shown:
            self._page(f"{P}/images/{random.choice(shown)}", "image", params=where)

    def _page(self, path: str, name: str, **more: Any) -> None:
        self.client.get(path, name=name, headers={"Accept": "text/html"}, **more)

    def _json(self, path: str, name: str, **more: Any) -> Any:
        with self.client.get(path, name=name, catch_response=True, **more) as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code}: {response.text[:200]}")
                return {"items": [], "digest": ""}
            return response.json()
