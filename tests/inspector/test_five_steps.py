"""The five steps on the demo world: from the board to the images to a corrective run, in Chromium.

Every step's time is printed, and a screenshot of each is kept where ``CV_SCREENSHOTS`` says.
``CV_DEMO_HOME`` may name a CV_HOME in which the demo world has run; without it, it is made.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.test_ui import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "five-steps-from-metric-to-run"
IMAGES_SECONDS, WALK_SECONDS, CLICKS = 5.0, 30.0, 8
TRAINING_MILLISECONDS = 45 * 60 * 1000


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A demo world that has run once, and an engineer's account in it."""
    home = tmp_path_factory.mktemp("demo") / "home"
    made = os.environ.get("CV_DEMO_HOME")
    if made:
        shutil.copytree(made, home)
        shutil.rmtree(home / "inspector", ignore_errors=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CV_", "DAGSTER_"))}
    environment = {
        **kept,
        "CV_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "CV_PROJECTS": str(ROOT / "projects"),
    }
    if not made:
        for command in (["init"], ["sample", "fruit"], ["run", "fruit"]):
            cvp(environment, *command)
    cvp(environment, "user", "add", "ada", "--role", "engineer", "--password-stdin", said=PASSWORD)
    return environment


def cvp(environment: dict[str, str], *command: str, said: str | None = None) -> None:
    program = str(Path(sys.executable).with_name("cvp"))
    done = subprocess.run(
        [program, *command],
        env=environment,
        cwd=ROOT,
        input=said,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def address(environment: dict[str, str]) -> Iterator[str]:
    """`cvp ui` with everything that it starts."""
    ports = free_port(), free_port(), free_port()
    command = [str(Path(sys.executable).with_name("cvp")), "ui", "--no-label-studio"]
    for option, port in zip(("--port", "--dagster-port", "--mlflow-port"), ports, strict=True):
        command += [option, str(port)]
    log = (Path(environment["CV_HOME"]).parent / "ui.log").open("w")
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        wait_for(f"http://127.0.0.1:{ports[0]}/api/v1/health")
        wait_for(f"http://127.0.0.1:{ports[1]}/server_info")
        wait_for(f"http://127.0.0.1:{ports[2]}/health")
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        started = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGINT)
        process.wait(60)
        psutil.wait_procs(started, timeout=20)
        log.close()


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium")
    assert chromium, "tests/install_browser.sh installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        made = browser.new_page(viewport={"width": 1280, "height": 800})
        made.set_default_timeout(60_000)
        yield made
        browser.close()


class Walk:
    """Times the steps of a walk, counts its clicks and keeps a picture of each."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        self.seconds: dict[str, float] = {}
        folder = os.environ.get("CV_SCREENSHOTS")
        self.folder = Path(folder) if folder else None

    def step(self, name: str, begun: float) -> None:
        """A step is there."""
        self.seconds[name] = time.perf_counter() - begun
        print(f"{name:<42} {self.seconds[name]:6.2f} s   {self.clicks} clicks")
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            number = len(self.seconds)
            self.page.wait_for_timeout(400)
            self.page.screenshot(path=self.folder / f"{number}-{name.replace(' ', '-')}.png")

    def click(self, what: str) -> float:
        """Click on the first thing that a selector finds; returns when."""
        begun = time.perf_counter()
        self.page.locator(what).first.click()
        self.clicks += 1
        return begun


def pictured(page: Page, selector: str, count: int) -> None:
    """Wait until so many pictures are really there."""
    page.wait_for_function(
        "([s, n]) => [...document.querySelectorAll(s)].filter(i => i.complete && i.naturalWidth)"
        ".length >= n",
        arg=[selector, count],
    )


@pytest.mark.soak
def test_from_the_metric_to_the_images_to_the_corrective_run(page: Page, address: str) -> None:
    page.goto(f"{address}/signin")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")
    walk = Walk(page)

    begun = time.perf_counter()
    page.goto(f"{address}/p/fruit")
    alert = page.locator(".alert a", has_text="tomato in images with lighting = dim")
    expect(alert).to_be_visible()
    walk.step("the board", begun)

    begun = walk.click(".alert a:has-text('tomato in images with lighting = dim')")
    page.wait_for_url("**/evaluations/**")
    finding = page.locator("#finding-1")
    expect(finding).to_contain_text("tomato in images with lighting = dim")
    pictured(page, "#finding-1 img", 4)
    walk.step("the evaluation", begun)

    begun = walk.click("#finding-1 a.primary")
    page.wait_for_url("**/images?**")
    pictured(page, "main img", 10)
    walk.step("the problem images", begun)
    machine = sum(walk.seconds.values())
    print(f"{'machine time up to the images':<42} {machine:6.2f} s")

    begun = walk.click("main img")
    page.wait_for_url("**/images/*?**")
    page.wait_for_function("document.querySelector('canvas, main img') !== null")
    expect(page.locator("button[data-corrective]")).to_be_visible()
    page.wait_for_load_state("load")
    walk.step("one image large", begun)

    begun = walk.click("button[data-corrective]")
    expect(page.locator("#corrective [data-launch]")).to_be_enabled()
    expect(page.locator("#corrective [data-counts]")).to_contain_text("in training")
    walk.step("the dialog", begun)
    begun = walk.click("#corrective [data-find]")
    pictured(page, "#corrective [data-more] img", 8)
    walk.step("more like these", begun)

    begun = walk.click("#corrective [data-launch]")
    page.wait_for_url("**/runs/**")
    expect(page.get_by_role("heading", name="Corrective run")).to_be_visible()
    expect(page.locator(".declared")).to_contain_text("tomato")
    walk.step("the run", begun)
    walked = sum(walk.seconds.values())
    print(f"{'the walk, without the training':<42} {walked:6.2f} s")

    begun = time.perf_counter()
    expect(page.locator(".steps .running").first).to_be_visible(timeout=120_000)
    page.reload()  # it is followed by whoever looks
    training = page.locator("[data-live=training]")
    expect(training).to_contain_text("epochs", timeout=TRAINING_MILLISECONDS)
    walk.step("the training is followed", begun)
    done = page.locator("[data-run][data-finished=yes]")
    expect(done).to_be_attached(timeout=TRAINING_MILLISECONDS)
    judged = page.locator(".judgement")
    expect(judged).to_contain_text("recall of tomato on the selection")
    walk.step("new beside old", begun)
    print(" ".join(judged.locator(".judged").inner_text().split()))

    page.goto(f"{address}/p/fruit/investigations")
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("lighting = dim")
    expect(page.get_by_text("Its runs")).to_be_visible()
    walk.step("the investigation", time.perf_counter())
    cookies = {c["name"]: c["value"] for c in page.context.cookies()}
    with httpx.Client(base_url=address, cookies=cookies) as client:
        [kept] = client.get("/api/v1/p/fruit/investigations").json()["investigations"]
    assert kept["runs"] == 1
    assert kept["took"]["images_clicks"] == 2
    assert kept["took"]["run_clicks"] == walk.clicks

    assert walk.clicks <= CLICKS
    assert machine < IMAGES_SECONDS
    assert walked < WALK_SECONDS
