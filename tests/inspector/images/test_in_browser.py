"""The grid and the page of one image in a real browser: what only a browser shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.testclient import TestClient

SCREEN = {"width": 1440, "height": 900}
RIVALS_PICTURES = 24
"""Pictures that LightlyStudio 1.2 shows on such a screen (measured)."""
API = "/api/v1/p/large/images"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def client(inspected: Callable[..., TestClient]) -> TestClient:
    return inspected()


@pytest.fixture(scope="module")
def address(client: TestClient) -> Iterator[str]:
    config = uvicorn.Config(client.app, port=0, log_level="warning", lifespan="off")
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
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, client: TestClient, address: str) -> Iterator[Page]:
    headers = {"x-test-user": client.headers["x-test-user"]}
    context = browser.new_context(base_url=address, viewport=SCREEN, extra_http_headers=headers)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}"))
    opened.on(
        "console",
        lambda said: errors.append(said.text) if "Content Security" in said.text else None,
    )
    yield opened
    context.close()
    assert errors == []


def settled(page: Page) -> None:
    page.wait_for_selector("[data-facets-list]:not(.counting) .facet", state="attached")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.cell img')].every((i) => i.complete)"
    )


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']}" for v in found if v["impact"] in ("serious", "critical")]


def rows(client: TestClient, start: int, **state: Any) -> list[dict[str, Any]]:
    found = client.get(f"{API}/rows", params=state | {"start": start, "count": 20}).json()
    items: list[dict[str, Any]] = found["items"]
    return items


def test_the_grid_shows_much_at_once_and_goes_anywhere(page: Page, client: TestClient) -> None:
    html = page.request.get("/p/large/images").text()
    assert html.count("/thumbnail?size=") >= RIVALS_PICTURES  # with the page itself
    page.goto("/p/large/images")
    settled(page)
    whole = page.evaluate(
        """() => { const stage = document.querySelector('[data-stage]').getBoundingClientRect();
        return [...document.querySelectorAll('.cell')].filter((c) => {
          const b = c.getBoundingClientRect();
          const seen = b.top >= stage.top && b.bottom <= stage.bottom;
          return seen && c.querySelector('img').naturalWidth > 0;
        }).length; }"""
    )
    assert whole > 2 * RIVALS_PICTURES
    first = rows(client, 0)
    marks = [len([m for m in item["marks"] if m["box"]]) for item in first]
    drawn = page.evaluate(
        "() => [...Array(20).keys()].map((n) =>"
        " document.querySelectorAll(`.cell[data-at='${n}'] svg rect:not(.rim)`).length)"
    )
    assert drawn == marks
    assert sum(marks) > 0
    page.evaluate(
        "() => { const s = document.querySelector('[data-stage]');"
        " s.scrollTop = (s.scrollHeight - s.clientHeight) / 2; }"
    )
    page.wait_for_function("() => Number(new URL(location).searchParams.get('position')) > 500")
    position = int(page.evaluate("() => new URL(location).searchParams.get('position')"))
    page.wait_for_selector(f".cell[data-at='{position}'][data-id]")
    shown = page.get_attribute(f".cell[data-at='{position}']", "data-id")
    assert shown == rows(client, position)[0]["id"]
    page.reload()  # the address says where one is
    page.wait_for_selector(f".cell[data-at='{position}'][data-id='{shown}']")
    page.keyboard.press("End")
    page.wait_for_selector(f".cell[data-at='1999'][data-id='{rows(client, 1999)[0]['id']}']")


def test_a_filter_changes_query_count_and_boxes(page: Page, client: TestClient) -> None:
    client.post("/api/v1/p/large/tags", json={"q": "label = 'class_2'", "tags": [HOSTILE]})
    page.goto("/p/large/images")
    settled(page)
    value = page.locator("[data-facet-key='query:label/class_2']")
    expected = value.locator("output").inner_text()
    value.click()
    expect(page.locator("[data-total]")).to_have_text(expected)
    expect(page.locator("#q")).to_have_value("label = 'class_2'")
    assert "q=label" in page.url
    settled(page)
    colours = page.evaluate(
        "() => [...new Set([...document.querySelectorAll('.cell svg g')]"
        ".map((g) => g.className.baseVal))]"
    )
    assert colours == ["mark class-2"]  # boxes of other classes are not drawn
    page.get_by_role("button", name=HOSTILE, exact=False).first.click()
    expect(page.locator("#q")).to_have_value(f"label = 'class_2' and tag = '{HOSTILE}'")
    page.go_back()
    expect(page.locator("#q")).to_have_value("label = 'class_2'")
    page.locator("#q").fill("brigthness < 0.3")
    expect(page.locator("[data-problem]")).to_contain_text("Did you mean 'brightness'")
    page.locator("#q").fill("brightness < 0.3")
    found = client.get(f"{API}/count", params={"q": "brightness < 0.3"}).json()["count"]
    expect(page.locator("[data-count]")).to_have_text(f"{found:,}")
    assert serious(page) == []


def test_an_image_is_seen_large_and_the_next_by_a_key(page: Page, client: TestClient) -> None:
    page.goto("/p/large/images?evaluation=latest&kind=missed")
    settled(page)
    items = rows(client, 0, evaluation="latest", kind="missed")
    page.locator(".cell[data-at='0']").click()
    page.wait_for_selector(".objects tr")
    assert items[0]["id"] in page.url
    assert page.locator(".objects tr").count() == len(items[0]["marks"])
    page.wait_for_function("() => !document.querySelector('[data-first]')")  # drawn on the canvas
    mark = next(m for m in items[0]["marks"] if m["kind"] == "missed")
    colour = page.evaluate(
        """async (box) => {
          const canvas = document.querySelector('canvas');
          const [w, h] = [160, 120];
          const scale = Math.min((canvas.clientWidth - 24) / w, (canvas.clientHeight - 24) / h);
          const x = (canvas.clientWidth - w * scale) / 2 + box[0] * w * scale;
          const y = (canvas.clientHeight - h * scale) / 2 + (box[1] + box[3] / 2) * h * scale;
          const context = canvas.getContext('2d');
          const at = context.getImageData(x * devicePixelRatio - 2, y - 12, 5, 24).data;
          const found = new Set();
          for (let i = 0; i < at.length; i += 4) found.add([at[i], at[i + 1], at[i + 2]].join());
          return [...found];
        }""",
        mark["box"],
    )
    assert "240,171,252" in colour  # the colour of what was missed, at the edge of its box
    page.wait_for_timeout(400)  # the neighbours come ahead
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-place]")).to_contain_text("2 of")
    assert items[1]["id"] in page.url
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-place]")).to_contain_text("1 of")
    zoom = page.locator("[data-zoom]").inner_text()
    page.keyboard.press("+")
    expect(page.locator("[data-zoom]")).not_to_have_text(zoom)
    page.keyboard.press("?")
    expect(page.locator("[data-help-dialog]")).to_be_visible()
    page.keyboard.press("Escape")
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.keyboard.press("u")
    page.wait_for_url("**/images?**")
    settled(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("state", "query"),
    [
        ({"q": "labelled"}, "labelled"),
        ({"q": ""}, "all images"),
        # the query asks for the class already
        ({"q": "label = 'kiwi' and labelled", "label": "kiwi"}, "label = 'kiwi' and labelled"),
        # it asks for another class, or for none: what is shown is less than what it selects
        ({"q": "label = 'orange'", "label": "kiwi"}, None),
        ({"q": "labels_count = 2", "label": "kiwi"}, None),
        ({"q": "labelled", "kind": "missed"}, None),
        ({"q": "labelled", "model": "a1", "epoch": 3}, None),
        ({"q": "labelled", "like": "a1"}, None),
        # asked as of then and not of now
        ({"q": "labelled", "as_of": "2026-01-01"}, None),
    ],
)
def test_a_corrective_run_gets_what_the_grid_shows(
    page: Page, state: dict[str, Any], query: str | None
) -> None:
    page.goto("/p/large/images?q=limit+1", wait_until="commit")
    of = {"q": "", "label": "", "kind": "", "model": "", "epoch": 0, "like": "", "as_of": ""}
    found = page.evaluate(
        "async (state) => (await import('/static/js/images/state.js')).plainQuery(state)",
        of | state,
    )
    assert found == query
