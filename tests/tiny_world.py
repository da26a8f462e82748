"""A world small enough to run the whole pipeline in a test: coloured squares to be detected.

Everything about it is deterministic: two worlds of one seed have the same bytes.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cv_pipeline.settings import TELEMETRY_OFF
from tests.once import made_once

ROOT = Path(__file__).resolve().parents[1]
COLOURS = {"red": (200, 40, 40), "blue": (40, 60, 200)}
WIDTH, HEIGHT = 64, 48

# paths relative to CV_HOME, so that a copy of the folder is a world of its own
PROJECT = """\
name: tiny
task: detection
charter:
  problem: find coloured squares, in a test
source:
  images: ${CV_HOME}/../source
  metadata: ${CV_HOME}/../metadata.csv
annotations:
  source: ${CV_HOME}/../labels.csv
ontology:
  labels: [red, blue]
dataset:
  split: {ratios: {train: 0.6, val: 0.2, test: 0.2}}
training:
  model: fcos_resnet18
  input_size: [48, 64]
  epochs: 1
  batch_size: 8
evaluation:
  slices: [camera]
  min_slice: 2
  activation_images: 2
retraining: {cooldown_minutes: 0, daily_limit: 5}
"""


@dataclass(frozen=True)
class TinyWorld:
    """A project, its images and a state folder of its own."""

    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> Path:
        """Folder of the image files."""
        return self.folder / "source"

    @property
    def annotations(self) -> Path:
        """The labels, a CSV."""
        return self.folder / "labels.csv"

    @property
    def metadata(self) -> Path:
        """The metadata, a CSV."""
        return self.folder / "metadata.csv"

    @property
    def home(self) -> Path:
        """CV_HOME."""
        return self.folder / "home"

    @property
    def project_file(self) -> Path:
        """The project.yaml."""
        return self.folder / "projects" / "tiny" / "project.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command in this world."""
        own = {
            "CV_HOME": str(self.home),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "CV_PROJECTS": str(self.folder / "projects"),
            "OMP_NUM_THREADS": "2",
            "COLUMNS": "160",
        }
        foreign = ("CV_", "MLFLOW_", "DAGSTER_", "AWS_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return kept | TELEMETRY_OFF | own | self.extra

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, such as ``cvp`` or ``dagster``."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} failed:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done

    def cvp(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`cvp` as ``run`` gives it, without a process of its own: for what only reads."""
        from cv_pipeline.cli import app
        from cv_pipeline.cli.app import console, errors

        out, said = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        with (
            pytest.MonkeyPatch.context() as patch,
            warnings.catch_warnings(),
            redirect_stdout(out),
            redirect_stderr(said),
        ):
            warnings.simplefilter("ignore")
            for name in {*os.environ} - {*self.environment}:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["cvp", *arguments])
            patch.chdir(ROOT)
            for shown in (console, errors):  # made before there were these COLUMNS
                patch.setattr(shown, "width", int(self.environment["COLUMNS"]))
            status = _status(lambda: app(list(arguments), prog_name="cvp"))
        printed, complaint = (f.buffer.getvalue().decode() for f in (out, said))  # type: ignore[attr-defined]
        if check and status != 0:
            raise AssertionError(f"cvp {arguments} failed:\n{printed[-6000:]}\n{complaint[-6000:]}")
        return subprocess.CompletedProcess(["cvp", *arguments], status, printed, complaint)

    def materialize(self, select: str = 'key:"tiny/*"', **options: str) -> str:
        """Materialize a selection with Dagster's own command; returns what it printed."""
        extra = [x for k, v in options.items() for x in (f"--{k.replace('_', '-')}", v)]
        done = self.run(
            *("dagster", "asset", "materialize", "-m", "cv_pipeline.definitions"),
            *("--select", select, *extra),
        )
        return done.stdout + done.stderr


def _status(command: Callable[[], object]) -> int:
    """The exit status of a program's main function."""
    try:
        command()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def copy_tiny_world(world: TinyWorld, folder: Path) -> TinyWorld:
    """A copy of a world with all its state, to be disturbed."""
    shutil.copytree(world.folder, folder, dirs_exist_ok=True)
    return TinyWorld(folder)


def make_tiny_world(
    folder: Path, *, images: int = 40, seed: int = 0, extra: Mapping[str, str] | None = None
) -> TinyWorld:
    """Write a tiny world into a folder and initialise its state.

    ``extra`` is added to the environment of its commands.
    """
    world = TinyWorld(folder, extra or {})
    labels = ["image,label,annotator,x_min,y_min,x_max,y_max"]
    metadata = ["path,captured_at,camera,tags"]
    for number in range(images):
        path = f"{number:03d}.png"
        boxes = write_image(world.images / path, seed=(seed, number))
        labels += [f"{path},{label},anna,{x},{y},{x + w},{y + h}" for label, x, y, w, h in boxes]
        camera = "left" if number % 2 else "right"
        metadata.append(f"{path},2025-{number % 12 + 1:02d}-03T10:00:00Z,{camera},morning")
    world.annotations.write_text("\n".join(labels) + "\n")
    world.metadata.write_text("\n".join(metadata) + "\n")
    world.project_file.parent.mkdir(parents=True)
    world.project_file.write_text(PROJECT)
    initialise(world.home)
    return world


_initialised: list[Path] = []


def initialise(home: Path) -> None:
    """`cvp init` once for all tests; every CV_HOME starts with a copy of what it made."""
    if not _initialised:
        _initialised.append(made_once("initialised", _init))
    shutil.copytree(_initialised[0], home, dirs_exist_ok=True)


def _init(home: Path) -> None:
    world = TinyWorld(home, {"CV_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")})
    world.run("cvp", "init")


def write_image(path: Path, *, seed: tuple[int, int]) -> list[tuple[str, int, int, int, int]]:
    """Write one image; returns the label, left, top, width and height of each square in it."""
    random = np.random.default_rng(seed)
    # smooth random background, so that no two images are near-duplicates
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    boxes = []
    for label in ("red", "blue"):
        size = int(random.integers(12, 20))
        x = int(random.integers(0, WIDTH - size))
        y = int(random.integers(0, HEIGHT - size))
        image.paste(COLOURS[label], (x, y, x + size, y + size))
        boxes.append((label, x, y, size, size))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return boxes
