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
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path
PROJECT = "large"
CHROMIUM = "/usr/bin/chromium"
VIEWPORT = {"width": 1440, "height": 900}
FEW = 24
CLASSES = 5
NEXT = 8
PAUSE_MS = 600
HELD_SECONDS = 3.0
REPEAT_SECONDS = 1 / 30
SETTLE_MS = 2_000
START_SECONDS = 600.0
TOUR_SEEN = "localStorage.setItem('lightly-studio:onboarding-invitation:v1', 'shown')"

LIGHTLY = """
import pathlib, sys, time
import lightly_studio
from lightly_studio.database import db_manager

folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
db_manager.connect(db_file=str(folder / "lightly.db"))
if port:
    lightly_studio.ImageDataset.load(name="same")
    lightly_studio.start_gui(host="127.0.0.1", port=port, open_browser=False)
else:
    began = time.perf_counter()
    lightly_studio.ImageDataset.create(name="same").add_samples_from_coco(
        annotations_json=str(folder / "boxes.json"), images_path=str(folder / "pictures"),
        embed=False, embed_annotations=False,
    )
    print("seconds", time.perf_counter() - began)
"""

WATCH = """
window.bench = (() => {
  const side = SIDE;
  const log = { grid: [], whole: [], count: [], large: [], picked: [] };
  const last = {};
  const note = (what, value) => {
    if (last[what] === value) return;
    last[what] = value;
    log[what].push([performance.timeOrigin + performance.now(), value]);
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, (event) => {
    sessionStorage.setItem("began", performance.timeOrigin + event.timeStamp);
  }, { capture: true });
  const shown = (image) => Boolean(image?.complete && image.naturalWidth > 0);
  const place = (image, stage) => {
    const box = image.getBoundingClientRect();
    const top = Math.max(stage.top, 0), left = Math.max(stage.left, 0);
    const bottom = Math.min(stage.bottom, innerHeight), right = Math.min(stage.right, innerWidth);
    const some = box.width > 0 && box.height > 0 && box.bottom > top && box.top < bottom
      && box.right > left && box.left < right;
    const whole = some && box.top >= top - 1 && box.bottom <= bottom + 1
      && box.left >= left - 1 && box.right <= right + 1;
    return { image, some, whole, box };
  };
  const places = () => {
    const stage = document.querySelector(side.stage)?.getBoundingClientRect();
    if (!stage) return [];
    const images = [...document.querySelectorAll(side.pictures)];
    return images.map((image) => place(image, stage)).filter((p) => p.some);
  };
  let drawn = null;
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
    draw.call(this, image, ...rest);
    if (!(image instanceof HTMLImageElement) || !shown(image)) return;
    drawn = side.large_id(image.src) ?? drawn;
  };
  const large = () => {
    const image = document.querySelector(side.large);
    return shown(image) ? side.large_id(image.src) : drawn;
  };
  const bench = {
    log, wanted: null,
    began: () => Number(sessionStorage.getItem("began")),
    since: (what, test, from) => {
      const found = log[what].find(([at, value]) => at >= from && test(value));
      return found ? found[0] - from : 0;
    },
    atRest: () => {
      const whole = places().filter((p) => p.whole && shown(p.image));
      const { box, image } = whole[0];
      const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
      return {
        whole: whole.length, width: Math.round(scale * image.naturalWidth),
        height: Math.round(scale * image.naturalHeight), ids: whole.map((p) => side.id(p.image)),
      };
    },
  };
  const look = () => {
    const all = places();
    if (all.length) {
      const seen = all.filter((p) => shown(p.image));
      note("grid", seen.length);
      note("whole", seen.filter((p) => p.whole).length);
      const all_picked = all.every((p) => bench.wanted?.has(side.id(p.image)));
      note("picked", all_picked ? seen.length : 0);
    }
    const count = side.count();
    if (count !== null) note("count", count);
    const now = large();
    if (now) note("large", now);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  return bench;
})();
"""

OURS = """{
  stage: "[data-stage]", pictures: ".cell img", large: "img[data-first]",
  id: (image) => image.src.match(/images\\/([0-9a-f]{64})\\//)?.[1],
  large_id: (address) => address.match(/images\\/([0-9a-f]{64})\\/picture/)?.[1],
  count: () => {
    const text = document.querySelector("[data-total]")?.textContent ?? "";
    return /^[0-9,]+$/.test(text) ? Number(text.replaceAll(",", "")) : null;
  },
}"""

THEIRS = """{
  stage: "[data-testid=images-grid]", pictures: "[data-testid=sample-grid-item] img",
  large: "[data-testid=sample-details] foreignObject img",
  id: (image) => image.closest("[data-sample-name]").dataset.sampleName.split(".")[0],
  large_id: (address) => address.match(/sample\\/([0-9a-f-]{36})/)?.[1],
  count: () => {
    const shown = [...document.querySelectorAll("span.font-medium")]
      .map((e) => e.textContent.match(/^Showing ([0-9,]+)/)).find(Boolean);
    return shown ? Number(shown[1].replaceAll(",", "")) : null;
  },
}"""

Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Same:
    """What both sides show.

    Attributes:
        folder: with pictures, and their boxes as COCO.
        boxes: how many there are.
        size: mean bytes of a picture.
        of: class to the images that it lies on, for the classes on most images.
    """

    folder: Path
    boxes: int
    size: float
    of: dict[str, list[str]]


@dataclass(frozen=True)
class Side:
    """One side, served.

    Attributes:
        grid: address of its grid.
        selectors: in JavaScript, what is what on its pages.
        facet: selector of a class's filter, with ``%s`` for the class.
        cell: selector of a picture's cell.
        opened_by: a click or a double one.
        headers: sent with every request.
    """

    grid: str
    selectors: str
    facet: str
    cell: str
    opened_by: str
    headers: dict[str, str]


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


def make(home: Path, images: int) -> None:
    """Write the world."""
    os.environ |= {"CV_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    os.environ["CV_PROJECTS"] = str(home / "projects")
    from dagster import DagsterInstance

    from benchmarks.worlds.inspected import make_inspected
    from cv_pipeline.instance import initialise

    initialise(log=print)
    with DagsterInstance.get() as instance:
        make_inspected(
            home, instance, images=images, versions=5, models=6, evaluated=2, width=640, height=480
        )


def written(home: Path, folder: Path) -> Same:
    """Write the lake for LightlyStudio: its pictures as files, its boxes as COCO."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.storage import open_store
    from cv_pipeline.storage.blobs import blob_key

    catalog = Catalog(open_store(str(home / "store")), PROJECT)
    images = catalog.table("images").read(columns=["image_id", "width", "height"]).to_pylist()
    columns = ["image_id", "label", "x_min", "y_min", "x_max", "y_max"]
    boxes = catalog.table("annotations").read(columns=columns).to_pylist()
    (folder / "pictures").mkdir(parents=True)
    size = 0
    for image in images:
        blob = home / "store" / blob_key(image["image_id"])
        size += blob.stat().st_size
        link(blob, folder / "pictures" / f"{image['image_id']}.jpg")
    numbers = {image["image_id"]: number for number, image in enumerate(images, 1)}
    labels = {label: n for n, label in enumerate(sorted({box["label"] for box in boxes}), 1)}
    coco = {
        "images": [
            {"id": numbers[i["image_id"]], "file_name": f"{i['image_id']}.jpg"}
            | {"width": i["width"], "height": i["height"]}
            for i in images
        ],
        "categories": [{"id": number, "name": label} for label, number in labels.items()],
        "annotations": [
            annotation(number, box, numbers[box["image_id"]], labels[box["label"]])
            for number, box in enumerate(boxes, 1)
        ],
    }
    (folder / "boxes.json").write_text(json.dumps(coco))
    on = Counter({(box["label"], box["image_id"]): 1 for box in boxes})
    most = Counter(label for label, _ in on).most_common(CLASSES)
    of = {label: [image for name, image in on if name == label] for label, _ in most}
    return Same(folder, len(boxes), size / len(images), of)


def link(blob: Path, target: Path) -> None:
    """Give a file a second name, or copy it to another disk."""
    try:
        target.hardlink_to(blob)
    except OSError:
        shutil.copyfile(blob, target)


def annotation(number: int, box: dict[str, Any], image: int, category: int) -> dict[str, Any]:
    """A box in COCO."""
    width, height = box["x_max"] - box["x_min"], box["y_max"] - box["y_min"]
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [box["x_min"], box["y_min"], width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def lightly_environment(folder: Path) -> dict[str, str]:
    """LightlyStudio's environment: it tells nobody, and asks nobody."""
    return {
        **os.environ,
        "LIGHTLY_STUDIO_ANALYTICS_ENABLED": "false",
        "LIGHTLY_STUDIO_MODEL_CACHE_DIR": str(folder / "models"),
        "HF_HUB_OFFLINE": "1",
    }


def indexed(python: str, same: Same) -> float:
    """Seconds in which LightlyStudio reads the pictures and boxes."""
    done = subprocess.run(
        [python, "-c", LIGHTLY, str(same.folder), "0"],
        env=lightly_environment(same.folder),
        cwd=same.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = re.search(r"^seconds ([0-9.]+)$", done.stdout, re.MULTILINE)
    if done.returncode or not seconds:
        raise RuntimeError(done.stderr[-4000:])
    return float(seconds[1])


@contextmanager
def our_side(home: Path) -> Iterator[Side]:
    """The inspector, freshly started, with no thumbnail rendered."""
    from benchmarks.worlds.serving import served

    shutil.rmtree(home / "cache" / "inspector" / "renders", ignore_errors=True)
    with served(home) as server:
        yield Side(
            grid=f"{server.url}/p/{PROJECT}/images",
            selectors=OURS,
            facet="[data-facets-list]:not(.counting) [data-facet-key='query:label/%s']",
            cell=".cell",
            opened_by="click",
            headers={"Authorization": f"Bearer {server.token}"},
        )


@contextmanager
def their_side(python: str, folder: Path) -> Iterator[Side]:
    """LightlyStudio, freshly started over what it has indexed."""
    from benchmarks.worlds.serving import free_port

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "lightly.log").open("w") as log:
        process = subprocess.Popen(
            [python, "-c", LIGHTLY, str(folder), str(port)],
            env=lightly_environment(folder),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            collections = answered(f"{url}/api/collections", process)
            images = next(c for c in collections if c["sample_type"] == "image")["collection_id"]
            yield Side(
                grid=f"{url}/datasets/{images}/image/{images}/images",  # where its root leads
                selectors=THEIRS,
                facet="#%s",
                cell="[data-testid=sample-grid-item]",
                opened_by="double click",
                headers={},
            )
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answered(url: str, process: subprocess.Popen[bytes]) -> Any:
    """What a server answers once it is there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("LightlyStudio did not start") from None
            time.sleep(0.3)


def measure(
    side: Side,
    same: Same,
    figures: Figures,
    given: argparse.Namespace,
    name: str,
) -> None:
    """One round with one side."""
    from playwright.sync_api import sync_playwright

    if given.shots:
        given.shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for time_number in range(given.times + 1):
            context = browser.new_context(viewport=VIEWPORT, extra_http_headers=side.headers)
            context.add_init_script(TOUR_SEEN)
            context.add_init_script(WATCH.replace("SIDE", side.selectors, 1))
            page = context.new_page()
            page.set_default_timeout(120_000)
            shots = given.shots / f"{name}-%s.png" if given.shots and time_number == 1 else None
            visit(page, side, figures, "fresh" if time_number == 0 else "cold", shots)
            if time_number:
                turn_pages(page, side, figures, shots)
                visit(page, side, figures, "again", None)
                label = list(same.of)[(time_number - 1) % CLASSES]
                filter_by(page, side, figures, label, same.of[label], shots)
            context.close()
        browser.close()


def shoot(page: Any, shots: Path | None, what: str) -> None:
    """Keep a picture of the page."""
    if shots:
        page.screenshot(path=str(shots) % what)


def visit(page: Any, side: Side, figures: Figures, kind: str, shots: Path | None) -> None:
    """Open the grid, and wait until it is at rest."""
    page.goto(side.grid, wait_until="commit")
    page.wait_for_function("n => bench.since('whole', v => v >= n, 0)", arg=FEW)
    page.wait_for_timeout(SETTLE_MS)
    rest = page.evaluate("bench.atRest()")
    asked = "([what, n]) => bench.since(what, v => v >= n, performance.timeOrigin) / 1000"
    figures[f"{kind} first"].append(page.evaluate(asked, ["grid", 1]))
    figures[f"{kind} few"].append(page.evaluate(asked, ["grid", FEW]))
    figures[f"{kind} screen"].append(page.evaluate(asked, ["whole", rest["whole"]]))
    for name in ("whole", "width", "height"):
        figures[name].append(rest[name])
    shoot(page, shots, "grid")


def turn_pages(page: Any, side: Side, figures: Figures, shots: Path | None) -> None:
    """Open the large view, go to the next image some times, then hold the key."""
    cell = page.locator(side.cell).nth(8)
    cell.dblclick() if side.opened_by == "double click" else cell.click()
    took = "() => window.bench && bench.since('large', v => v, bench.began()) / 1000"
    figures["open"].append(page.wait_for_function(took).json_value())
    page.wait_for_timeout(SETTLE_MS)
    shoot(page, shots, "large")
    for _ in range(NEXT):
        before = page.evaluate("bench.log.large.length")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("n => bench.log.large.length > n", arg=before)
        figures["next"].append(page.evaluate(took))
        page.wait_for_timeout(PAUSE_MS)
    shoot(page, shots, "next")
    before, began = page.evaluate("bench.log.large.length"), time.perf_counter()
    while time.perf_counter() - began < HELD_SECONDS:
        pressed = time.perf_counter()
        page.keyboard.down("ArrowRight")
        page.wait_for_timeout(max(0, 1000 * (REPEAT_SECONDS - time.perf_counter() + pressed)))
    turned = page.evaluate("bench.log.large.length") - before
    figures["held"].append(turned / (time.perf_counter() - began))
    page.keyboard.up("ArrowRight")


def filter_by(
    page: Any, side: Side, figures: Figures, label: str, images: list[str], shots: Path | None
) -> None:
    """Click a class among the filters; the new count has to be the right one."""
    page.evaluate("ids => { bench.wanted = new Set(ids); }", images)
    page.locator(side.facet % label).click()
    took = "([what, least]) => bench.since(what, v => v >= least, bench.began()) / 1000"
    right = "n => bench.since('count', v => v === n, bench.began()) / 1000"
    figures["count"].append(page.wait_for_function(right, arg=len(images)).json_value())
    figures["picked"].append(page.wait_for_function(took, arg=["picked", FEW]).json_value())
    page.wait_for_timeout(SETTLE_MS)
    shoot(page, shots, "filtered")


def as_large_as_theirs(side: Side, figures: dict[str, Figures], given: argparse.Namespace) -> None:
    """How many whole pictures we show when they are drawn no smaller than theirs."""
    from playwright.sync_api import sync_playwright

    wanted = statistics.median(figures["theirs"]["width"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport=VIEWPORT, extra_http_headers=side.headers)
        context.add_init_script(WATCH.replace("SIDE", side.selectors, 1))
        page = context.new_page()
        for size in range(int(wanted), 480, 4):
            page.goto(f"{side.grid}?size={size}", wait_until="load")
            page.wait_for_timeout(SETTLE_MS)
            rest = page.evaluate("bench.atRest()")
            if rest["width"] >= wanted:
                break
        figures["ours"]["as large"] = [rest["whole"]]
        figures["ours"]["as large width"] = [rest["width"]]
        shoot(page, given.shots / "ours-%s.png" if given.shots else None, "as-large-as-theirs")
        browser.close()


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


if __name__ == "__main__":
    main()
