"""Labels of every kind of geometry over their images, in answers and in a real browser."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cv_pipeline.catalog.takeout import take_out
from cv_pipeline.storage import Tombstone
from tests.inspector.images.shaped import HOSTILE, make_shaped
from tests.inspector.pixels.pictured import Pictured, opened

GRID = "/p/pictured/images"


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pictured]:
    folder = tmp_path_factory.mktemp("shaped")
    with opened(folder, make_shaped(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def address(shaped: Pictured) -> Iterator[str]:
    config = uvicorn.Config(shaped.client().app, port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "tests/install_browser.sh installs it"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
    shown = context.new_page()
    errors: list[str] = []
    shown.on("pageerror", lambda error: errors.append(str(error)))
    yield shown
    context.close()
    assert errors == []


def labels(shaped: Pictured, name: str, **asked: str) -> dict[str, Any]:
    url = f"/api/v1/p/pictured/images/{shaped.ids[name]}"
    answer = shaped.client().get(url, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_image_tells_each_label_with_its_shape_and_how_it_was_made(shaped: Pictured) -> None:
    page = labels(shaped, "photo.jpg")
    found = {mark["geometry"]: mark for mark in page["labels"]}
    assert set(found) == {*("polygon", "rotated_box", "mask", "keypoints", "bbox", "class", "tag")}
    assert len(found["polygon"]["shape"]["rings"]) == 2
    assert len(found["rotated_box"]["shape"]["rings"][0]) == 8
    assert len(found["mask"]["shape"]["rings"]) == 1
    points = found["keypoints"]["shape"]["points"]
    # in the order of the ontology
    assert [(p["name"], p["visible"]) for p in points] == [
        *(("right", True), ("head", True), ("left", False))
    ]
    assert found["bbox"]["shape"] is None
    assert found["tag"]["box"] is None
    told = found["rotated_box"]
    assert (told["role"], told["annotator"], told["lead_time"]) == ("reviewer", "ben", 12.5)
    assert (told["ontology_version"], told["guideline_version"]) == ("3", "2")
    assert found["polygon"]["attributes"] == '{"occluded":true,"view":"side"}'
    suggested = page["prelabels"][0]
    assert suggested["model"] == "ab" * 32
    assert [m["geometry"] for m in suggested["marks"]] == ["bbox", "polygon"]


def test_an_earlier_state_of_the_labels_can_be_looked_at(shaped: Pictured) -> None:
    history = shaped.client().get(shaped.url("photo.jpg", "history", api=True)).json()
    first = min(int(c["version"]) for c in history["changes"])
    then = labels(shaped, "photo.jpg", then=str(first))["then"]
    assert [mark["geometry"] for mark in then["labels"]] == ["polygon"]
    assert len(then["labels"][0]["shape"]["rings"]) == 2
    for wrong in ("999", "../../x", "f" * 64):
        assert labels(shaped, "photo.jpg", then=wrong)["then"]["problem"]


def test_what_is_hostile_is_drawn_by_few_points_or_by_its_bounds(shaped: Pictured) -> None:
    began = time.monotonic()
    page = labels(shaped, HOSTILE)
    assert time.monotonic() - began < 10  # as a rule less than two
    million, huge, nan, broken = page["labels"]
    for mark in (million, huge):
        assert 4 <= sum(map(len, mark["shape"]["rings"])) / 2 <= 2_000
        assert mark["shape"]["tolerance"] >= 0
    assert "no three points" in nan["shape"]["problem"]
    assert nan["box"]
    assert broken["box"] is None  # bounds that are no number
    assert broken["shape"]["problem"]


def test_the_grid_draws_shapes_and_says_what_there_is(shaped: Pictured, page: Page) -> None:
    page.goto(GRID)
    cell = page.locator(f".cell[data-id='{shaped.ids['photo.jpg']}']")
    expect(cell.locator("path.line")).to_have_count(4)  # polygon, turned box, mask, key points
    expect(cell.locator("circle.hidden")).to_have_count(1)
    expect(cell.locator("rect:not(.rim)")).to_have_count(1)
    expect(cell.locator(".cell-note")).to_have_text(["red", "#windy"])
    assert "1 polygon, 1 turned box, 1 mask" in (cell.get_attribute("aria-label") or "")
    hostile = page.locator(f".cell[data-id='{shaped.ids[HOSTILE]}']")
    expect(hostile.locator("path.line")).to_have_count(1)  # the mask; a million points are bounds
    expect(hostile.locator("rect:not(.rim)")).to_have_count(2)


def test_the_large_view_draws_picks_and_tells_shapes(shaped: Pictured, page: Page) -> None:
    page.goto(f"{GRID}/{shaped.ids['photo.jpg']}")
    rows = page.locator(".objects tr")
    expect(rows).to_have_count(7)
    polygon = rows.filter(has_text="polygon of 8 points")
    expect(polygon).to_contain_text("occluded")
    expect(polygon).to_contain_text("view: side")
    expect(polygon).to_contain_text("12.5 s · ontology 3 · guideline 2")
    said = polygon.get_attribute("aria-label") or ""
    assert "2 outlines" in said
    assert "by ann" in said
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    expect(page.locator(".one-chips li")).to_have_text(
        ["red according to ann", "#windy according to ann"]
    )

    def at(x: int, y: int) -> str:
        """What a click on a place of the picture picks."""
        place = page.evaluate(
            """([x, y]) => {
              const canvas = document.querySelector('[data-canvas]');
              const box = canvas.getBoundingClientRect();
              const room = [box.width - 24, box.height - 24];
              const scale = Math.min(room[0] / 400, room[1] / 300);
              return [box.left + (box.width - 400 * scale) / 2 + x * scale,
                      box.top + (box.height - 300 * scale) / 2 + y * scale];
            }""",
            [x, y],
        )
        page.mouse.move(5, 5)
        page.mouse.click(*place)
        lit = page.locator(".objects tr.lit")
        return (lit.get_attribute("aria-label") or "") if lit.count() else ""

    expect(page.locator("[data-first]")).to_have_count(0)  # the canvas has the picture
    assert "polygon" in at(45, 45)
    assert at(80, 80) == ""  # in its hole
    assert "mask" in at(120, 210)
    assert at(66, 156) == ""  # in the bounds of the mask, and not in it
    assert "turned box" in at(220, 80)
    assert "key points" in at(300, 230)
    page.get_by_role("button", name="red", exact=True).click()  # a class switched off
    assert at(45, 45) == ""
    page.get_by_role("button", name="red", exact=True).click()
    page.get_by_label("model abababab").check()  # pre-labels beside the labels
    expect(rows).to_have_count(9)
    page.locator("[data-beside]").click()
    page.locator("summary", has_text="History of its labels").click()
    page.locator("[data-then]").last.click()
    expect(page.get_by_label("version", exact=False).first).to_be_checked()
    assert "then=" in page.url or page.wait_for_url("**then=**") is None


def test_images_that_were_taken_out_are_missing_with_a_word(shaped: Pictured, page: Page) -> None:
    """Comes last: what is taken out is gone."""
    gone = "gone-2.jpg"
    stone = Tombstone(
        image_id=shaped.ids[gone],
        reason="consent withdrawn",
        actor="ada",
        at=datetime(2026, 3, 2, tzinfo=UTC),
        paths={"pictured": gone},
        bytes=None,
        used_by=(),
    )
    take_out([stone], store=shaped.workspace.store, home=shaped.home, mark=lambda _: 0)
    asked = {"q": "path in ('gone-2.jpg', 'gone-3.jpg')"}
    deadline = time.monotonic() + 10
    while (found := shaped.client().get(f"/api/v1{GRID}", params=asked).json())["total"] != 1:
        assert time.monotonic() < deadline  # a snapshot may be a second old
    assert found["taken_out"] == 1
    page.goto(f"{GRID}?q=path%20in%20('gone-2.jpg','gone-3.jpg')")
    page.get_by_role("link", name="1 more taken out").click()
    expect(page.locator("[data-total]")).to_have_text("1")
    expect(page.locator(".cell")).to_have_attribute("data-gone", "taken out")
