"""The steps of an investigation, and what they took: seconds and clicks to the images and the run.

Times are those of the page: from the click on the alert until a page was there. Machine time is
how long its pages took to load; the rest is reading and thinking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

OTHER = "page"


@dataclass(frozen=True)
class Step:
    """One page that was come to, or one thing that was done.

    Attributes:
        kind: alert, evaluation, images, image, run or another page.
        address: path and query.
        title: of the page, or what was clicked.
        elapsed_s: seconds since the investigation began.
        clicks: since it began.
        machine_s: seconds that the page took to load.
    """

    kind: str
    address: str
    title: str
    elapsed_s: float
    clicks: int
    machine_s: float


@dataclass(frozen=True)
class Measured:
    """What an investigation took; None for what it did not come to.

    Attributes:
        images_s: seconds until the first images.
        images_clicks: clicks until then.
        images_machine_s: seconds of those that pages took to load.
        run_s: seconds until a run was launched and its page was there.
        run_clicks: clicks until then.
        run_machine_s: seconds of those that pages took to load.
        clicks: all of them.
    """

    images_s: float | None
    images_clicks: int | None
    images_machine_s: float | None
    run_s: float | None
    run_clicks: int | None
    run_machine_s: float | None
    clicks: int


def kind_of(address: str) -> str:
    """What an address shows: ``evaluation``, ``images``, ``image``, ``run`` or ``page``."""
    parts = urlsplit(address).path.strip("/").split("/")
    if len(parts) < 3 or parts[0] != "p":
        return "board" if len(parts) == 2 and parts[0] == "p" else OTHER
    kinds = {"evaluations": "evaluation", "images": "image", "runs": "run"}
    kind = kinds.get(parts[2], OTHER)
    return "images" if kind == "image" and len(parts) == 3 else kind


def measure(steps: Sequence[Step]) -> Measured:
    """What the steps of an investigation took.

    Args:
        steps: in the order of their time.
    """
    images = _until(steps, ("images", "image"))
    run = _until(steps, ("run",)) if images else None
    return Measured(
        images_s=images[0] if images else None,
        images_clicks=images[1] if images else None,
        images_machine_s=images[2] if images else None,
        run_s=run[0] if run else None,
        run_clicks=run[1] if run else None,
        run_machine_s=run[2] if run else None,
        clicks=max((s.clicks for s in steps), default=0),
    )


def _until(steps: Sequence[Step], kinds: Sequence[str]) -> tuple[float, int, float] | None:
    machine = 0.0
    for step in steps:
        machine += step.machine_s
        if step.kind in kinds:
            return round(step.elapsed_s, 3), step.clicks, round(machine, 3)
    return None
