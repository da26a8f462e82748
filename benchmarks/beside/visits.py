"""Visits of a grid: opening it, turning pages, filtering; with real clicks and keys.

Times run from the browser's own stamp of the event.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.beside.sides import CLASSES, Same, Side
from benchmarks.beside.watch import WATCH

CHROMIUM = "/usr/bin/chromium"
VIEWPORT = {"width": 1440, "height": 900}
FEW = 24
NEXT = 8
PAUSE_MS = 600
HELD_SECONDS = 3.0
REPEAT_SECONDS = 1 / 30
SETTLE_MS = 2_000
TOUR_SEEN = "localStorage.setItem('lightly-studio:onboarding-invitation:v1', 'shown')"
Figures = dict[str, list[float]]


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
