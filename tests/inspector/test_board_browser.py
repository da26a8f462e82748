"""What only a browser shows of the walk: clicks that begin an investigation, and the dialog."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from playwright.sync_api import Locator, Page, expect, sync_playwright

from cv_pipeline.correction import CorrectiveRecord
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.corrective import launch
from cv_pipeline.inspector.workspace import Workspace

SEVERE = {"critical", "serious"}


@pytest.fixture(scope="module")
def address(inspected_home: Path) -> Iterator[str]:
    """The inspector over the evaluated world, with ada signed in as its engineer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(inspected_home))
        patch.setenv("DAGSTER_HOME", str(inspected_home / "dagster"))
        patch.setenv("CV_PROJECTS", str(inspected_home / "projects"))
        patch.delenv("CV_STORE", raising=False)
        nowhere = {"dagster_ui": "http://127.0.0.1:9", "mlflow_ui": "http://127.0.0.1:9"}
        ada = Access("ada", {"large": Role.ENGINEER}, means="session", csrf="proof")
        app = create_app(Workspace.open(**nowhere), authenticator=lambda _: ada)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            while not server.started:
                time.sleep(0.05)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    assert chromium, "tests/install_browser.sh installs it"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    yield made
    context.close()
    assert faults == []


def test_a_click_on_an_alert_begins_an_investigation_that_measures_the_way(
    page: Page, address: str
) -> None:
    page.goto(f"{address}/p/large")
    expect(page.get_by_text("Dagster's webserver")).to_be_visible()
    page.locator(".alert a").first.click()
    page.wait_for_url("**/evaluations/**#findings")
    page.locator("#classes tbody a").first.click()
    page.wait_for_url("**/images?**")
    page.wait_for_load_state("load")
    shown = page.locator("[data-walk]")
    expect(shown).to_contain_text("fell")
    with page.expect_navigation():
        shown.get_by_role("link").click()
    expect(page.locator(".walked li")).to_have_count(3)
    kinds = page.locator(".walked small").all_inner_texts()
    assert [kind.split(" · ")[0] for kind in kinds] == ["alert", "evaluation", "images"]
    assert [kind.split(" · ")[1] for kind in kinds] == ["1 click", "1 click", "2 clicks"]

    page.get_by_role("textbox", name="Comment").fill("<b>fog</b> on the river")
    with page.expect_navigation():
        page.get_by_role("button", name="Comment").click()
    expect(page.locator(".comments")).to_contain_text("<b>fog</b> on the river")
    with page.expect_navigation():
        page.get_by_role("link", name="Resume").click()
    assert "/images?" in page.url
    page.get_by_role("button", name="Stop investigating").click()
    expect(shown).to_be_hidden()


def test_a_second_click_on_an_alert_goes_on_with_what_was_begun(page: Page, address: str) -> None:
    names = []
    for _ in range(2):
        page.goto(f"{address}/p/large")
        page.locator(".alert a").first.click()
        page.wait_for_url("**/evaluations/**#findings")
        page.wait_for_load_state("load")
        names.append(page.locator("[data-walk] a").get_attribute("href"))
        page.evaluate("sessionStorage.clear()")  # another tab, another day
    assert names[0] == names[1]
    page.goto(address + names[0])
    assert page.locator(".walked li.kind-alert").count() >= 2
    page.goto(f"{address}/p/large/investigations")
    expect(page.locator(f"tbody a[href='{names[0]}']")).to_have_count(1)


def test_the_dialog_counts_widens_and_says_why_a_run_cannot_be_launched(
    page: Page, address: str
) -> None:
    page.goto(f"{address}/p/large/evaluations/latest")
    page.evaluate(
        """async () => {
          const { openCorrective } = await import('/static/js/corrective.js');
          const query = "dataset('large@latest', split = 'test') and metadata.scene = 'river'";
          await openCorrective({ project: 'large', query, label: '', reason: 'fog' });
        }"""
    )
    dialog = page.locator("#corrective")
    query, counts = dialog.locator("[data-query]"), dialog.locator("[data-counts]")
    expect(query).to_have_text("metadata.scene = 'river'")
    expect(counts).to_contain_text("in training")
    expect(dialog.locator("[data-down]")).to_contain_text("does not answer")
    dialog.get_by_role("checkbox", name="Take all").uncheck()
    expect(query).to_contain_text("split = 'test'")
    expect(counts).to_contain_text("0 in training")
    dialog.get_by_text("Parameters").click()
    dialog.get_by_label("epochs", exact=True).fill("0")
    expect(dialog.locator("[data-changed]")).to_have_text("1 changed")
    dialog.get_by_role("button", name="Train a corrective run").click()
    expect(dialog.locator("[data-error]")).to_contain_text("training.epochs")
    dialog.get_by_label("epochs", exact=True).fill("2")
    dialog.get_by_role("button", name="Train a corrective run").click()
    expect(dialog.locator("[data-error]")).to_contain_text("no webserver")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.fixture
def run(inspected_home: Path) -> Iterator[DagsterRun]:
    """A run that seems to go on as long as the test."""
    made = DagsterRun(job_name="large_corrective", status=DagsterRunStatus.STARTED)
    with DagsterInstance.from_config(str(inspected_home / "dagster")) as instance:
        instance.add_run(made)
        yield made
        instance.delete_run(made.run_id)


def test_the_five_steps_from_the_board_to_a_launched_run(
    page: Page, address: str, run: DagsterRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the walk but the training: Dagster is handed nothing, the run only seems to go on."""
    taken: list[CorrectiveRecord] = []

    def submit(record: CorrectiveRecord, _: str, *, origin: str) -> str:
        taken.append(record)
        return run.run_id

    monkeypatch.setattr(launch, "submit", submit)
    clicks = 0

    def click(what: Locator) -> None:
        nonlocal clicks
        clicks += 1
        what.click()

    page.goto(f"{address}/p/large")
    page.evaluate("sessionStorage.clear()")
    click(page.locator(".panel .point.alert").first)  # the point that fell
    page.wait_for_url("**/evaluations/**")
    shown = page.locator("#slices tr", has_text="scene = river")
    click(shown.locator("a").first)
    page.wait_for_url("**/images?**as_of=**")
    expect(page.locator("[data-chips]")).to_contain_text("as evaluated")
    first = page.locator(".cell[data-id]").first
    expect(first).to_be_visible()
    total = page.locator("[data-total]").inner_text()
    click(first)
    page.wait_for_url("**/images/*?**")
    page.wait_for_load_state("load")
    expect(page.locator("[data-place]")).to_contain_text(f"of {total}")
    click(page.locator("button[data-corrective]"))
    dialog = page.locator("#corrective")
    expect(dialog.locator("[data-query]")).to_have_text("metadata.scene = 'river'")
    expect(dialog.locator("[data-counts]")).to_contain_text("in training")
    expect(dialog.locator("[data-launch]")).to_be_enabled()
    click(dialog.locator("[data-launch]"))
    page.wait_for_url(f"**/runs/{run.run_id}")
    expect(page.get_by_role("button", name="Stop…")).to_be_visible()
    page.wait_for_load_state("load")

    [record] = taken
    assert record.actor == "ada"
    assert record.selection is not None
    assert record.selection.query == "metadata.scene = 'river'"
    assert record.selection.images > int(total)  # and not only the test images that were looked at
    with page.expect_navigation():
        page.locator("[data-walk] a").click()
    expect(page.get_by_text("Its runs")).to_be_visible()
    kept = page.request.get(page.url.replace("/p/large", "/api/v1/p/large")).json()
    assert (kept["took"]["images_clicks"], kept["took"]["run_clicks"]) == (2, clicks)
    assert kept["took"]["run_s"] > kept["took"]["images_s"] > 0
    assert clicks <= 8


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_kept_out_of_the_pages_of_the_walk(page: Page, address: str, theme: str) -> None:
    page.context.add_cookies([{"name": "theme", "value": theme, "url": address}])
    for path in ("", "?by=time", "/evaluations/latest", "/investigations", "/runs"):
        page.goto(f"{address}/p/large{path}")
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        severe = [v for v in found.response["violations"] if v["impact"] in SEVERE]
        told = [(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in severe]
        assert told == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("", "/evaluations/latest", "/investigations", "/runs"):
        page.goto(f"{address}/p/large{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
