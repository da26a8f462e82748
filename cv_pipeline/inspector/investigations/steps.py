"""The steps of an investigation, and what they took: seconds and clicks to the images and the run.

Times are those of the page: from the click on the alert until a page was there. Machine time is
how long its pages took to load; the rest is reading and thinking.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

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


class Took(BaseModel):
    """What an investigation took; null for what it did not come to.

    Attributes:
        images_s: seconds until the first images.
        images_clicks: clicks until then.
        images_machine_s: seconds of those that pages took to load.
        run_s: seconds until the first run that it launched, and its page, were there.
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


def measure(steps: Sequence[Step], launched: Collection[str] = ()) -> Took:
    """What the steps of an investigation took.

    Whatever way led to a run counts, by its images or straight from an alert; to look at a run that
    was not launched from here does not.

    Args:
        steps: in the order of their time.
        launched: ids of the runs that it launched.
    """
    images = _until(steps, [s.kind in ("images", "image") for s in steps])
    run = _until(steps, [s.kind == "run" and _run_of(s.address) in launched for s in steps])
    return Took(
        images_s=images[0] if images else None,
        images_clicks=images[1] if images else None,
        images_machine_s=images[2] if images else None,
        run_s=run[0] if run else None,
        run_clicks=run[1] if run else None,
        run_machine_s=run[2] if run else None,
        clicks=max((s.clicks for s in steps), default=0),
    )


def _run_of(address: str) -> str:
    """Id of the run that the address of its page names."""
    return unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2])


def _until(steps: Sequence[Step], there: Sequence[bool]) -> tuple[float, int, float] | None:
    machine = 0.0
    for step, reached in zip(steps, there, strict=True):
        machine += step.machine_s
        if reached:
            return round(step.elapsed_s, 3), step.clicks, round(machine, 3)
    return None
