"""Thumbnails, pictures, tiles, and what pixels say: over HTTP, as a browser asks."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from cv_pipeline.catalog.takeout import take_out
from cv_pipeline.imaging.view_settings import ViewSettings
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.pixels.pictures import pictures_of
from cv_pipeline.storage import Tombstone
from cv_pipeline.storage.blobs import blob_key
from tests.inspector.pixels.pictured import Pictured, photo


def shown(response) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    return np.asarray(Image.open(io.BytesIO(response.content)))


def test_a_thumbnail_is_of_about_the_size_that_is_asked_for(pictured: Pictured) -> None:
    client = pictured.client()
    for size, least in ((64, 64), (200, 256), (256, 256), (512, 400), (1024, 400)):
        image = shown(client.get(pictured.url("photo.jpg", f"thumbnail?size={size}")))
        assert least <= max(image.shape) <= least * 4 / 3
    for name in ("bands.tif", "scan.dcm", "heron.jpg", "film.dcm"):
        assert max(shown(client.get(pictured.url(name, "thumbnail"))).shape) <= 256


def test_a_thumbnail_stands_upright(pictured: Pictured) -> None:
    image = shown(pictured.client().get(pictured.url("turned.jpg", "thumbnail")))
    assert image.shape[:2] == (60, 100)
    assert np.abs(image.astype(int) - np.rot90(photo(100, 60), -1)).mean() < 4


def test_a_picture_fits_and_is_what_it_is_of(pictured: Pictured) -> None:
    client = pictured.client()
    image = shown(client.get(pictured.url("photo.jpg", "picture?size=200")))
    assert image.shape[:2] == (150, 200)
    image = shown(client.get(pictured.url("photo.jpg", "picture")))
    assert np.abs(image.astype(int) - photo()).mean() < 3
    turned = shown(client.get(pictured.url("photo.jpg", "picture?invert=true")))
    assert np.abs(255 - turned.astype(int) - photo()).mean() < 3


def test_a_scan_is_seen_through_the_window_that_it_asks_for(pictured: Pictured) -> None:
    client = pictured.client()
    image = shown(client.get(pictured.url("scan.dcm", "picture")))  # -160 to 239 HU
    row = (np.arange(40 * 50) - 1000).reshape(40, 50)
    assert image[row < -175].mean() < 3
    assert image[row > 255].mean() > 252
    lung = shown(client.get(pictured.url("scan.dcm", "picture?preset=ct_lung")))
    assert abs(float(lung[row == -600].mean()) - 127.5) < 8


def test_tiles_are_the_picture_at_each_level(pictured: Pictured) -> None:
    client = pictured.client()
    told = client.get(pictured.url("large.tif", "pixels", api=True)).json()
    assert told["tile_size"] == 512
    assert [(v["width"], v["height"]) for v in told["levels"]] == [
        (1700, 1300),
        (850, 650),
        (425, 325),
    ]
    for level in told["levels"]:
        rows = []
        for y in range(level["rows"]):
            tiles = [
                shown(client.get(pictured.url("large.tif", f"tiles/{level['level']}/{x}/{y}")))
                for x in range(level["columns"])
            ]
            rows.append(np.hstack(tiles))
        whole = np.vstack(rows)
        assert whole.shape == (level["height"], level["width"], 3)
        step = 1 << level["level"]
        expected = photo(1300, 1700)[step // 2 :: step, step // 2 :: step].astype(int)
        height, width = expected.shape[:2]
        assert np.abs(whole[:height, :width] - expected).mean() < 3
    for missing in ("tiles/0/4/0", "tiles/3/0/0", "tiles/0/0/99"):
        response = client.get(pictured.url("large.tif", missing))
        assert response.status_code == 404
        assert "no tile" in response.json()["error"]


def test_pixels_tell_bands_presets_and_the_view(pictured: Pictured) -> None:
    client = pictured.client()
    told = client.get(pictured.url("bands.tif", "pixels?preset=near_infrared", api=True)).json()
    assert [b["kind"] for b in told["bands"]] == ["blue", "green", "red", "nir", "swir1"]
    assert [p["name"] for p in told["presets"]][:3] == ["auto", "natural", "near_infrared"]
    assert told["view"]["bands"] == [3, 2, 1]
    assert told["settings"] == "preset=near_infrared"
    assert told["name"] == "bands.tif"
    assert (told["width"], told["height"], told["dtype"]) == (80, 60, "uint16")
    assert told["bands"][0]["least"] < told["bands"][0]["low"] < told["bands"][0]["high"]
    scan = client.get(pictured.url("scan.dcm", "pixels", api=True)).json()
    assert scan["modality"] == "CT"
    assert scan["view"] | {"low": 0, "high": 0} == {
        "bands": [0],
        "index": False,
        "low": 0,
        "high": 0,
        "gamma": 1.0,
        "map": "grey",
        "invert": False,
        "unit": "HU",
    }
    assert (scan["view"]["low"], scan["view"]["high"]) == ([-160.0], [239.0])


def test_values_are_in_the_image_s_own_unit(pictured: Pictured) -> None:
    client = pictured.client()
    (value,) = client.get(pictured.url("scan.dcm", "pixels/3/2", api=True)).json()["values"]
    assert (value["value"], value["unit"]) == (2 * 50 + 3 - 1000, "HU")
    heron = client.get(pictured.url("heron.jpg", "pixels/40/30", api=True)).json()["values"]
    assert heron[3]["unit"] == "°C"
    assert -50 < heron[3]["value"] < 60
    film = client.get(pictured.url("film.dcm", "pixels/1/2?frame=1", api=True)).json()["values"]
    assert film[0]["stored"] == 12 + 2 * 4 + 1
    outside = client.get(pictured.url("scan.dcm", "pixels/50/0", api=True))
    assert outside.status_code == 404
    assert "50 × 40 pixels and none at 50, 0" in outside.json()["error"]


@pytest.mark.parametrize(
    ("view", "match"),
    [
        ("preset=nothing", "no preset 'nothing'"),
        ("bands=9", "none of number 9"),
        ("bands=1,2", "one band is seen, or three"),
        ("low=9&high=1", "low must be less than high"),
        ("gamma=abc", "gamma"),
        ("frame=5", "frames"),
        ("map=%22%3E%3Cscript%3E", "no colour map"),
    ],
)
def test_a_view_that_is_none_is_refused(pictured: Pictured, view: str, match: str) -> None:
    client = pictured.client()
    for way in ("picture", "thumbnail", "tiles/0/0/0"):
        response = client.get(pictured.url("bands.tif", f"{way}?{view}"))
        assert response.status_code == 422
        assert match in response.json()["error"]
    assert client.get(pictured.url("bands.tif", f"pixels?{view}", api=True)).status_code == 422


def test_a_browser_that_has_a_picture_is_not_sent_it_again(pictured: Pictured) -> None:
    client = pictured.client()
    url = pictured.url("photo.jpg", "thumbnail")
    first = client.get(url)
    assert first.headers["cache-control"] == "private, max-age=600, immutable"
    again = client.get(url, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"{url}?invert=true", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_a_render_is_kept_and_a_dragged_window_is_not(pictured: Pictured) -> None:
    client = pictured.client()
    renders = pictured.home / "cache" / "inspector" / "renders"
    client.get(pictured.url("bands.tif", "picture?preset=ndvi"))
    kept = list(renders.rglob("*.jpg"))
    assert len(kept) == 1
    client.get(pictured.url("bands.tif", "picture?low=5&high=500"))
    assert list(renders.rglob("*.jpg")) == kept
    kept[0].write_bytes(b"what is kept is served")
    again = client.get(pictured.url("bands.tif", "picture?preset=ndvi"))
    assert again.content == b"what is kept is served"


def test_nobody_sees_an_image_of_another_project(pictured: Pictured) -> None:
    client = pictured.client()
    client.get(pictured.url("photo.jpg", "thumbnail"))
    image = pictured.ids["photo.jpg"]
    for way in ("thumbnail", "picture", "tiles/0/0/0"):
        assert client.get(f"/p/other/images/{image}/{way}").status_code == 404
    assert client.get(f"/api/v1/p/other/images/{image}/pixels").status_code == 404
    stranger = Access("eve", {"other": Role.ADMIN}, means="session", csrf="x")
    assert pictured.client(stranger).get(pictured.url("photo.jpg", "thumbnail")).status_code == 404
    annotator = Access("anna", {"*": Role.ANNOTATOR}, means="session", csrf="x")
    assert pictured.client(annotator).get(pictured.url("photo.jpg", "picture")).status_code == 404


@pytest.mark.parametrize("image", ["0" * 64, "..%2f..%2fetc%2fpasswd", "abc", "%00"])
def test_what_is_no_image_is_not_found(pictured: Pictured, image: str) -> None:
    assert pictured.client().get(f"/p/pictured/images/{image}/thumbnail").status_code == 404


def test_dicom_is_ingested_and_what_is_cut_off_is_not(pictured: Pictured) -> None:
    assert "scan.dcm" in pictured.ids
    assert "cut.dcm" not in pictured.ids


# --------------------------------------------------------------------- gone, taken out, altered


def test_an_image_that_was_taken_out_is_served_no_more(pictured: Pictured) -> None:
    client, image = pictured.client(), pictured.ids["photo.jpg"]
    first = client.get(pictured.url("photo.jpg", "thumbnail"))
    client.get(pictured.url("photo.jpg", "tiles/0/0/0"))
    folder = pictured.home / "cache" / "inspector" / "renders" / image[:2] / image
    assert len(list(folder.iterdir())) == 2
    stone = Tombstone(
        image_id=image,
        reason="consent withdrawn",
        actor="ada",
        at=datetime(2026, 1, 2, tzinfo=UTC),
        paths={"pictured": "photo.jpg"},
        bytes=None,
        used_by=(),
    )
    report = take_out([stone], store=pictured.workspace.store, home=pictured.home, mark=lambda _: 0)
    assert len(report.copies.removed) == 2
    for way, headers in (
        ("thumbnail", {}),
        ("thumbnail", {"if-none-match": first.headers["etag"]}),
        ("tiles/0/0/0", {}),
        ("picture?gamma=2", {}),
    ):
        response = client.get(pictured.url("photo.jpg", way), headers=headers)
        assert response.status_code == 410
        assert "consent withdrawn" in response.json()["error"]
        assert response.headers["cache-control"] == "no-store"
    assert client.get(pictured.url("photo.jpg", "pixels", api=True)).status_code == 410


def test_a_take_out_elsewhere_removes_what_is_kept_here(pictured: Pictured) -> None:
    client, image = pictured.client(), pictured.ids["photo.jpg"]
    client.get(pictured.url("photo.jpg", "thumbnail"))
    client.get(pictured.url("photo.jpg", "pixels", api=True))
    pictures = pictures_of(pictured.workspace)
    assert len(pictures.shelf) == 1
    stone = {
        "image_id": image,
        "reason": "asked",
        "actor": "ada",
        "at": "2026-01-02T00:00:00Z",
        "paths": {},
        "bytes": None,
        "used_by": [],
    }
    pictured.workspace.store.write(
        f"tombstones/{image[:2]}/{image}.json", json.dumps(stone).encode()
    )
    assert client.get(pictured.url("photo.jpg", "thumbnail")).status_code == 410
    assert not (pictures.renders.folder / image[:2] / image).exists()
    assert len(pictures.shelf) == 0


def test_bytes_that_are_gone_or_altered_are_told(pictured: Pictured) -> None:
    client, store = pictured.client(), pictured.workspace.store
    store.delete(blob_key(pictured.ids["gone-0.jpg"]))
    for url in ("thumbnail", "picture?invert=1"):
        response = client.get(pictured.url("gone-0.jpg", url))
        assert response.status_code == 404
        assert "are gone" in response.json()["error"]
    assert client.get(pictured.url("gone-0.jpg", "pixels", api=True)).status_code == 404
    store.write(blob_key(pictured.ids["gone-1.jpg"]), b"something else")
    response = client.get(pictured.url("gone-1.jpg", "thumbnail"))
    assert response.status_code == 409
    assert "is damaged" in response.json()["error"]


def test_pixels_tell_that_bytes_are_gone_though_the_picture_is_at_hand(
    pictured: Pictured,
) -> None:
    client = pictured.client()
    assert client.get(pictured.url("gone-2.jpg", "pixels", api=True)).status_code == 200
    pictured.workspace.store.delete(blob_key(pictured.ids["gone-2.jpg"]))
    assert client.get(pictured.url("gone-2.jpg", "pixels", api=True)).status_code == 404


def test_an_image_above_the_project_s_limit_is_refused(pictured: Pictured) -> None:
    project_file = pictured.home.parent / "projects" / "pictured" / "project.yaml"
    project_file.write_text(project_file.read_text().replace("4000000", "1000"))
    response = pictured.client().get(pictured.url("photo.jpg", "thumbnail"))
    assert response.status_code == 422
    assert "at most 1000 pixels" in response.json()["error"]


def test_many_at_once_get_what_one_gets(pictured: Pictured) -> None:
    pictures = pictures_of(pictured.workspace)
    names = list(pictured.ids)

    def ask(n: int) -> tuple[str, bytes]:
        name = names[n % len(names)]
        rendered = pictures.fitted(
            "pictured", pictured.ids[name], side=128, settings=ViewSettings(), small=n % 2 == 0
        )
        return f"{name} {n % 2}", rendered.data or b""

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(ask, range(12 * len(names))))
    first: dict[str, bytes] = {}
    for key, data in found:
        assert first.setdefault(key, data) == data
        assert simplejpeg.is_jpeg(data)
