"""Says what was measured on what, and both sides beside each other."""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.beside.sides import Same
from benchmarks.beside.visits import CHROMIUM, FEW, VIEWPORT, Figures

ROWS = (
    ("fresh first", "first visit after the server's start: first picture seen", "s"),
    ("fresh few", f"  {FEW} pictures seen", "s"),
    ("fresh screen", "  every whole picture of the screen seen", "s"),
    ("cold first", "visit, nothing in the browser's cache: first picture seen", "s"),
    ("cold few", f"  {FEW} pictures seen", "s"),
    ("cold screen", "  every whole picture of the screen seen", "s"),
    ("again first", "second visit in the same browser: first picture seen", "s"),
    ("again few", f"  {FEW} pictures seen", "s"),
    ("again screen", "  every whole picture of the screen seen", "s"),
    ("count", "click on a class among the filters to the new count", "s"),
    ("picked", f"  to {FEW} pictures, all of the class", "s"),
    ("open", "click on a picture to its large view (theirs: second click)", "s"),
    ("next", "key to the next image in the large view", "ms"),
    ("held", "images seen a second while that key is held", ""),
)

NOTES = """\
Every count after a click was the right one, on both sides. LightlyStudio's offer of a tour, which
darkens the pictures of a first visit, was dismissed beforehand. Its grid sends the files as they
are; ours sends thumbnails, which a first visit has to render."""


def told(given: argparse.Namespace, same: Same, seconds: float) -> None:
    """Print what is measured, and on what."""
    count = sum(1 for _ in (same.folder / "pictures").iterdir())
    print(
        f"{count:,} JPEG files of 640x480, {same.size / 1000:.1f} kB each, {same.boxes:,} boxes of"
        f" 10 classes; Chromium at {VIEWPORT['width']}x{VIEWPORT['height']};"
        f" {given.rounds} rounds of 1 + {given.times} visits a side"
    )
    lightly = subprocess.run(
        [given.lightly, "-c", "from importlib.metadata import *; print(version('lightly-studio'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    chromium = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True, check=False)
    names = ("cv_pipeline", "fastapi", "duckdb", "pylance", "playwright")
    print(
        *(f"{name} {version(name)}" for name in names),
        f"LightlyStudio {lightly}",
        chromium.stdout.strip().split(" built")[0],
        f"Python {sys.version.split()[0]}",
        sep=", ",
    )
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    print(f"{platform.machine()}, {os.cpu_count()} cores, {model[1] if model else 'unknown'}")
    print(f"LightlyStudio indexed the files and boxes, without embeddings, in {seconds:.0f} s\n")


def table(figures: dict[str, Figures]) -> None:
    """Print both sides beside each other."""
    print(f"{'median (least to most)':<62} {'ours':>24} {'LightlyStudio':>24}")
    for name, title, unit in ROWS:
        cells = (cell(figures[side][name], unit) for side in ("ours", "theirs"))
        print(f"{title:<62}", *(f"{text:>24}" for text in cells))
    title, rows = "whole pictures on the screen as it opens", []
    for side in ("ours", "theirs"):
        whole, width, height = (
            round(statistics.median(figures[side][name])) for name in ("whole", "width", "height")
        )
        rows.append(f"{whole} of {width}x{height}")
    print(f"{title:<62}", *(f"{row:>24}" for row in rows))
    ours = figures["ours"]
    text = f"{ours['as large'][0]} at {ours['as large width'][0]} wide"
    print(f"{'  ours made no smaller than theirs':<62} {text:>24}")


def cell(values: list[float], unit: str) -> str:
    """Median and range."""
    factor, digits = (1000, 0) if unit == "ms" else (1, 1 if not unit else 2)
    middle, least, most = (
        f"{factor * f(values):.{digits}f}" for f in (statistics.median, min, max)
    )
    return f"{middle} {unit}".strip() + f" ({least} to {most})"
