"""A project of pictures of many kinds, ingested, and an inspector over it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tifffile
from dagster import DagsterInstance
from starlette.testclient import TestClient

from cv_pipeline.catalog.ingest.ingest import ingest
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.database import open_database
from cv_pipeline.inspector.pixels.pictures import pictures_of
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.project import find_project
from cv_pipeline.storage import Blobs, open_source, open_store
from tests.imaging.dicom_files import dicom_file
from tests.imaging.flir_files import flir_jpeg

PROJECT = """\
name: {name}
task: classification
charter: {{problem: "look at pictures, in a test"}}
source: {{images: "{images}", max_pixels: 4000000}}
annotations: {{source: "{images}/none.csv"}}
ontology: {{labels: [red, blue], keypoints: {{red: [right, head, left]}}, tags: [windy]}}
training: {{model: resnet18, input_size: [32, 32]}}
"""
VIEWER = Access("vera", {"*": Role.VIEWER}, means="session", csrf="proof")


@dataclass(frozen=True)
class Pictured:
    """An inspector over project ``pictured``, and the ids of its images by name."""

    home: Path
    workspace: Workspace
    ids: dict[str, str]
    client: Callable[..., TestClient]

    def url(self, name: str, way: str, *, api: bool = False) -> str:
        """Address of something of an image."""
        prefix = "/api/v1" if api else ""
        return f"{prefix}/p/pictured/images/{self.ids[name]}/{way}"


def photo(height: int = 300, width: int = 400, *, seed: int = 0) -> np.ndarray:
    """A smooth picture that JPEG keeps well."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / (50 + seed)) * 60, np.cos(y / 40) * 60, (x + y) / 6 - 60]
    return (np.dstack(planes) + 128).clip(0, 255).astype(np.uint8)


def _files() -> dict[str, bytes]:
    scene = (np.arange(60 * 80 * 5).reshape(60, 80, 5) % 9973 + 100).astype(np.uint16)
    described = "".join(
        f'<Item name="DESCRIPTION" sample="{n}" role="description">{name}</Item>'
        for n, name in enumerate(("Blue", "Green", "Red", "NIR", "SWIR1"))
    )
    bands = io.BytesIO()
    tifffile.imwrite(
        bands,
        scene,
        photometric="minisblack",
        planarconfig="contig",
        metadata=None,
        extratags=[(42112, 2, 0, f"<GDALMetadata>{described}</GDALMetadata>", True)],
    )
    large = io.BytesIO()
    tifffile.imwrite(large, photo(1300, 1700), tile=(256, 256), compression="zlib", metadata=None)
    ct = (np.arange(40 * 50).reshape(40, 50) - 1000).astype(np.int16)
    raw = np.linspace(16_000, 19_000, 30 * 40).reshape(30, 40).astype(np.uint16)
    turned = simplejpeg.encode_jpeg(photo(100, 60), 90)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = turned[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + turned[2:]
    return {
        "photo.jpg": simplejpeg.encode_jpeg(photo(), 90),
        "turned.jpg": turned,
        "bands.tif": bands.getvalue(),
        "large.tif": large.getvalue(),
        "scan.dcm": dicom_file(
            ct,
            RescaleSlope=1,
            RescaleIntercept=0,
            RescaleType="HU",
            WindowCenter=["40"],
            WindowWidth=["400"],
        ),
        "film.dcm": dicom_file(np.arange(24, dtype=np.uint8).reshape(2, 3, 4)),
        "heron.jpg": flir_jpeg(raw, photo(60, 80)),
        "cut.dcm": dicom_file(ct)[:-300],
        **{f"gone-{n}.jpg": simplejpeg.encode_jpeg(photo(seed=n + 1), 90) for n in range(4)},
    }


def make_template(folder: Path) -> dict[str, str]:
    """Write and ingest the pictures; returns the ids of the images by name."""
    source = folder / "source"
    source.mkdir()
    for name, data in _files().items():
        (source / name).write_bytes(data)
    (source / "none.csv").write_text("image,label,annotator\n")
    for name in ("pictured", "other"):
        project = folder / "projects" / name
        project.mkdir(parents=True)
        (project / "project.yaml").write_text(PROJECT.format(name=name, images=source))
    store = open_store(str(folder / "home" / "store"))
    catalog = Catalog(store, "pictured")
    ingest(
        project=find_project("pictured", folder / "projects"),
        catalog=catalog,
        blobs=Blobs(store),
        source=open_source(str(source)),
        progress=lambda *_: None,
    )
    rows = catalog.table("images").read(columns=["path", "image_id"])
    return dict(zip(rows["path"].to_pylist(), rows["image_id"].to_pylist(), strict=True))


@contextmanager
def opened(folder: Path, ids: dict[str, str]) -> Iterator[Pictured]:
    """An inspector over a folder that was made."""
    home = folder / "home"
    with DagsterInstance.ephemeral() as instance, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(home))
        workspace = Workspace(
            home=home,
            projects=folder / "projects",
            store=open_store(str(home / "store")),
            instance=instance,
            database=open_database(home),
        )

        def client(access: Access = VIEWER) -> TestClient:
            app = create_app(workspace, authenticator=lambda _: access)
            return TestClient(app, base_url="http://127.0.0.1")

        yield Pictured(home, workspace, ids, client)
        pictures_of(workspace).threads.shutdown()
        workspace.database.dispose()
