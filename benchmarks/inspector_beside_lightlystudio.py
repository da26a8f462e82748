"""The inspector beside LightlyStudio: the same JPEG files and boxes, the same Chromium.

python benchmarks/inspector_beside_lightlystudio.py --lightly PYTHON [IMAGES] [--rounds R]
    [--times T] [--keep FOLDER] [--shots FOLDER]

PYTHON belongs to an environment of its own that has lightly-studio (``uv venv /tmp/lightly``,
``uv pip install --python /tmp/lightly/bin/python lightly-studio``; about 6 GB). It runs as a
process on loopback, its telemetry off, without embeddings, since their weights come from the
network. The labels of our lake are written as COCO for it, and the pictures linked into a folder.

A round starts one side's server, visits its grid once while the server is fresh (our thumbnails
unrendered), then T times, each in a browser that has nothing cached, and ends the server; the sides
take turns. One rule for both, looked at in every frame: a picture in the grid is seen when its
``<img>`` is complete, has a width, and lies in the viewport and in what scrolls it. In the large
view LightlyStudio has an ``<img>`` too; ours is a canvas, and seen is what a complete image was
drawn from. Clicks and keys are real, and times run from the browser's own stamp of the event.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path

from benchmarks.beside.sides import indexed, make, our_side, their_side, written  # noqa: E402
from benchmarks.beside.tables import NOTES, table, told  # noqa: E402
from benchmarks.beside.visits import Figures, as_large_as_theirs, measure  # noqa: E402


def main() -> None:
    """Make the world where it is not, load it into both, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int, nargs="?", default=20_000)
    parser.add_argument("--lightly", required=True, help="Python that has lightly-studio")
    parser.add_argument("--rounds", type=int, default=3, help="starts of each server")
    parser.add_argument("--times", type=int, default=5, help="visits in a round after the first")
    parser.add_argument("--keep", type=Path, help="folder of the world: made once, then used again")
    parser.add_argument("--shots", type=Path, help="folder for pictures of what was measured")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = (given.keep or Path(scratch) / "home").absolute()
        if not (home / "projects").exists():
            home.mkdir(parents=True, exist_ok=True)
            make(home, given.images)
        same = written(home, Path(scratch) / "same")
        seconds = indexed(given.lightly, same)
        told(given, same, seconds)
        figures: dict[str, Figures] = {name: defaultdict(list) for name in ("ours", "theirs")}
        loads = [os.getloadavg()[0]]
        for number in range(given.rounds):
            with our_side(home) as side:
                measure(side, same, figures["ours"], given, f"ours-{number}")
            with their_side(given.lightly, same.folder) as side:
                measure(side, same, figures["theirs"], given, f"theirs-{number}")
            loads.append(os.getloadavg()[0])
        with our_side(home) as side:
            as_large_as_theirs(side, figures, given)
        table(figures)
        print(NOTES)
        print("load averages, before and after each round:", *(f"{load:.1f}" for load in loads))


if __name__ == "__main__":
    main()
