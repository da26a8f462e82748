"""`cvp check segmentation` on two folders: what CI sees, with no project and no state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from cv_pipeline.cli import app


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders ``truth`` and ``model`` with three label images each, void at the border."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for n in range(3):
        truth = rng.integers(0, 3, (24, 32)).astype(np.uint8)
        predicted = np.where(rng.random(truth.shape) < 0.8, truth, 0).astype(np.uint8)
        truth[0] = 255
        save(truth, f"truth/deep/{n}.png")
        save(predicted, f"model/deep/{n}.png")


def save(pixels: np.ndarray, name: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(name)


def pixels(name: str) -> np.ndarray:
    with Image.open(name) as image:
        return np.asarray(image)


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", "segmentation", "truth", "model", *arguments])


def found(*arguments: str, status: int = 0) -> dict[str, Any]:
    result = check("--ignore", "255", *arguments, "--json")
    assert result.exit_code == status, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_numbers():
    answer = found("--labels", "background, cell, nucleus")
    assert (answer["images"], answer["pixels"], answer["ignored"]) == (3, 3 * 23 * 32, 3 * 32)
    assert set(answer["metrics"]) == {
        "mIoU", "Dice", "fwIoU", "pixel_accuracy", "mean_accuracy",
    }  # fmt: skip
    assert list(answer["classes"]) == ["background", "cell", "nucleus"]
    assert sum(cell["count"] for cell in answer["confusion"]) == answer["pixels"]
    truth = np.stack([pixels(f"truth/deep/{n}.png") for n in range(3)])
    model = np.stack([pixels(f"model/deep/{n}.png") for n in range(3)])
    accuracy = (truth == model)[truth != 255].mean()
    assert answer["metrics"]["pixel_accuracy"]["value"] == pytest.approx(accuracy)


def test_thresholds_set_the_exit_status():
    assert found("--min", "mIoU=0.2", "--min", "1/IoU=0.1")["passed"]
    answer = found("--min", "mIoU=0.2", "--max", "pixel_accuracy=0.1", status=1)
    assert [t["passed"] for t in answer["thresholds"]] == [True, False]
    assert "missed: mIoU" in check("--ignore", "255", "--min", "mIoU=0.99").stdout


def test_palette_and_deep_images_are_numbers():
    before = found()
    for n in range(3):
        coloured = Image.fromarray(pixels(f"model/deep/{n}.png"))
        coloured.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8))
        coloured.save(f"model/deep/{n}.png")
        save(pixels(f"truth/deep/{n}.png").astype(np.uint16), f"truth/deep/{n}.tif")
        Path(f"truth/deep/{n}.png").unlink()
    with Image.open("model/deep/0.png") as image:
        assert image.mode == "P"
    assert found() == before


def test_text_for_people():
    told = check("--ignore", "255").stdout
    for word in ("mIoU", "95 %", "precision", "pixels"):
        assert word in told


def resize() -> None:
    save(np.zeros((24, 30), np.uint8), "model/deep/1.png")


def recolour() -> None:
    save(np.zeros((24, 32, 3), np.uint8), "model/deep/1.png")


def cut() -> None:
    whole = Path("model/deep/1.png").read_bytes()
    Path("model/deep/1.png").write_bytes(whole[: len(whole) // 2])


def as_jpeg() -> None:
    for n in range(3):
        save(pixels(f"model/deep/{n}.png"), f"model/deep/{n}.jpg")
        Path(f"model/deep/{n}.png").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (resize, "model/deep/1.png are of 32 × 24 and 30 × 24 pixels."),
        (recolour, "model/deep/1.png has pixels of the mode RGB, not one whole number each."),
        (cut, "model/deep/1.png cannot be read"),
        (as_jpeg, "There is no label image in model, only 3 JPEG or WebP files"),
        (lambda: Path("model/deep/2.png").unlink(), "in model, the first of them 'deep/2'."),
        (lambda: Path("truth/deep/2.png").unlink(), "have no counterpart in truth"),
        (lambda: save(np.zeros((2, 2), np.uint8), "truth/deep/2.tif"), "are of one name"),
        (lambda: Path("model").rename("modell"), "There is no folder model. Did you mean 'modell'"),
        (lambda: save(np.zeros((24, 32), np.float32), "model/deep/1.tif") or
         Path("model/deep/1.png").unlink(), "pixels of the mode F"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_has_status_2(damage, message):
    damage()
    result = check("--ignore", "255")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("→", "").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "a,b,c"], "have pixels of the class 255, where classes are 0 to 2"),
        (["--labels", "a,b", "--ignore", "255"], "of the class 2, where classes are 0 to 1"),
        (["--ignore", "255", "--min", "IoU=0.5"], "Did you mean 'mIoU'"),
    ],
)
def test_arguments_that_do_not_fit_have_status_2(arguments, message):
    result = check(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("→", "").split())
