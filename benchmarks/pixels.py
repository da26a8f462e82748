"""Pictures of the inspector: thumbnails cold and kept, over HTTP and beside Pillow, and tiles.

python benchmarks/pixels.py [IMAGES]

The pictures are generated: smooth scenes with noise of 520 × 390 pixels (0.2 megapixels) and about
45 KB. A real server in a process of its own is asked by a client of plain sockets, 24 requests at a
time, as browsers of four people do. Figures of one machine say little of another; the comparison
with Pillow is of the same pictures in the same process.
"""

from __future__ import annotations

import asyncio
import io
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import simplejpeg
import tifffile
from PIL import Image

from cv_pipeline.catalog.ingest.ingest import ingest
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.imaging.opened import Overview, open_picture
from cv_pipeline.imaging.pyramid import levels_of, tile_box
from cv_pipeline.imaging.render import encode_jpeg
from cv_pipeline.imaging.thumbnails import small_jpeg
from cv_pipeline.imaging.view import plan_view, render
from cv_pipeline.imaging.view_settings import ViewSettings
from cv_pipeline.project import find_project
from cv_pipeline.storage import Blobs, open_source, open_store

SIDE = 256
PAGE = 60
AT_ONCE = 24
PROJECT = """\
name: pictures
task: classification
charter: {problem: speed}
source: {images: %s}
annotations: {source: %s}
ontology: {labels: [any]}
training: {model: resnet18, input_size: [32, 32]}
"""
SERVER = """\
import sys, uvicorn
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.workspace import Workspace
someone = Access("bench", {"*": Role.VIEWER}, means="session", csrf="x")
app = create_app(Workspace.open(), authenticator=lambda _: someone)
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


def main() -> None:
    """Time everything once, and print it."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{images} JPEGs of 0.2 megapixels, thumbnails of {SIDE} pixels")
    named = [f"{name} {version(name)}" for name in ("numpy", "pillow", "simplejpeg", "fastapi")]
    print(f"Python {platform.python_version()}, {', '.join(named)}")
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, load before {load:.1f}")
    files = [scene(n) for n in range(min(images, 400))]
    in_process(files)
    tiles()
    with tempfile.TemporaryDirectory() as folder:
        served(Path(folder), images)


def scene(seed: int) -> bytes:
    """A picture with edges, gradients and the noise of a sensor."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((520, 390), Image.Resampling.BICUBIC))
    noisy = smooth.astype(np.int16) + random.normal(0, 4, smooth.shape).astype(np.int16)
    return simplejpeg.encode_jpeg(noisy.clip(0, 255).astype(np.uint8), 85, colorsubsampling="420")


def in_process(files: Sequence[bytes]) -> None:
    """Ours beside Pillow, on one thread and on two."""

    def ours(data: bytes) -> bytes:
        return small_jpeg(data, side=SIDE, max_pixels=1 << 30, exactly=False)

    def pillow(data: bytes) -> bytes:
        image = Image.open(io.BytesIO(data))
        image.thumbnail((SIDE, SIDE))  # which drafts by itself
        out = io.BytesIO()
        image.save(out, "JPEG", quality=82)
        return out.getvalue()

    size = sum(map(len, files)) / len(files) / 1000
    print(f"\nthumbnails in one process, files of {size:.0f} KB   1 thread   2 threads")
    for name, make in (("ours", ours), ("Pillow", pillow)):
        rates = []
        for threads in (1, 2):
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(make, files[:20]))
                start = time.perf_counter()
                list(pool.map(make, files))
                rates.append(len(files) / (time.perf_counter() - start))
        print(f"  {name:48} {rates[0]:6.0f}/s   {rates[1]:6.0f}/s")


def tiles() -> None:
    """Opening a large picture, and tiles of it."""
    y, x = np.mgrid[0:8192, 0:12288].astype(np.float32)
    plane = ((np.sin(x / 300) + np.cos(y / 217) + 2) * 12_000).astype(np.uint16)
    tiled, strips = io.BytesIO(), io.BytesIO()
    tifffile.imwrite(tiled, plane, tile=(512, 512), compression="zlib", metadata=None)
    tifffile.imwrite(strips, plane, rowsperstrip=64, metadata=None)
    rgb = np.repeat((plane >> 8).astype(np.uint8)[..., None], 3, axis=2)
    files = {
        "TIFF, 16 bits, zlib tiles": tiled.getvalue(),
        "TIFF, 16 bits, plain strips": strips.getvalue(),
        "JPEG": simplejpeg.encode_jpeg(rgb, 85, colorsubsampling="420"),
    }
    del plane, rgb, x, y
    print("\ntiles of 12,288 × 8,192 pixels   opened and first   median of 40   worst")
    for name, data in files.items():
        start = time.perf_counter()
        picture = open_picture(data, max_pixels=1 << 30)
        plan = plan_view(ViewSettings(), meaning=picture.meaning, bands=Overview(picture))

        def draw(level: int, column: int, row: int) -> None:
            box = tile_box(12_288, 8192, level, column, row)
            assert box is not None
            planes = picture.read(plan.bands, level, box)  # noqa: B023
            encode_jpeg(render(planes, plan), quality=94, subsampling="444")  # noqa: B023

        draw(levels_of(12_288, 8192) - 1, 0, 0)
        first = time.perf_counter() - start
        random = np.random.default_rng(0)
        times = []
        for _ in range(40):
            level = int(random.integers(0, 4))
            column, row = random.integers(0, (24 >> level, 16 >> level))
            start = time.perf_counter()
            draw(level, int(column), int(row))
            times.append(time.perf_counter() - start)
        middle, worst = np.median(times) * 1000, max(times) * 1000
        print(f"  {name:28} {first:12.2f} s {middle:14.1f} ms {worst:8.0f} ms")


def served(folder: Path, images: int) -> None:
    """A real server, asked for thumbnails that it has not made yet, and again."""
    environment = prepared(folder, images)
    rows = Catalog(open_store(str(folder / "home" / "store")), "pictures").table("images")
    ids = rows.read(columns=["image_id"])["image_id"].to_pylist()
    paths = [f"/p/pictures/images/{i}/thumbnail?size={SIDE}" for i in ids]
    port = 8790
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], env=environment)
    try:
        wait_for(port)
        asyncio.run(ask(port, paths[-1:], AT_ONCE))
        first = asyncio.run(ask(port, paths[:PAGE], 6))
        spent = [cpu_seconds(server.pid)]
        cold = asyncio.run(ask(port, paths[PAGE:-1], AT_ONCE))
        spent.append(cpu_seconds(server.pid))
        warm = min(asyncio.run(ask(port, paths, AT_ONCE)) for _ in range(3))
        spent.append(cpu_seconds(server.pid))
    finally:
        server.terminate()
        server.wait(20)
    print(f"\nover HTTP, one server process, {AT_ONCE} requests at a time")
    print(f"  first {PAGE} thumbnails, cold, 6 connections   {first:.2f} s")
    for name, count, seconds, cpu in (
        ("cold", len(paths) - PAGE - 1, cold, spent[1] - spent[0]),
        ("kept, best of 3", len(paths), warm, (spent[2] - spent[1]) / 3),
    ):
        print(f"  {name:16} {count / seconds:6.0f}/s, {cpu / count * 1000:.2f} ms of CPU each")


def prepared(folder: Path, images: int) -> dict[str, str]:
    """A home with a project of pictures; the environment of a server over it."""
    source, home = folder / "source", folder / "home"
    source.mkdir()
    for n in range(images):
        (source / f"{n:06d}.jpg").write_bytes(scene(n))
    (folder / "labels.csv").write_text("image,label,annotator\n")
    project = folder / "projects" / "pictures"
    project.mkdir(parents=True)
    (project / "project.yaml").write_text(PROJECT % (source, folder / "labels.csv"))
    environment = os.environ | {
        "CV_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "CV_PROJECTS": str(folder / "projects"),
    }
    cvp = str(Path(sys.executable).with_name("cvp"))
    subprocess.run([cvp, "init"], env=environment, check=True, capture_output=True)
    store = open_store(str(home / "store"))
    ingest(
        project=find_project("pictures", folder / "projects"),
        catalog=Catalog(store, "pictures"),
        blobs=Blobs(store),
        source=open_source(str(source)),
        progress=lambda *_: None,
    )
    return environment


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            asyncio.run(ask(port, ["/api/v1/health"], 1))
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("the server does not answer")


async def ask(port: int, paths: Sequence[str], connections: int) -> float:
    """Seconds that it takes to get all of some addresses."""
    waiting = list(reversed(paths))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            path = waiting.pop()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(head.decode())
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(min(connections, len(paths)))))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
