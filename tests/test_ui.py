"""What a person sees and does in the Dagster UI, in a real Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster_graphql import DagsterGraphQLClient
from filelock import FileLock
from playwright.sync_api import Locator, Page, expect, sync_playwright

from cv_pipeline.errors import CorrectiveError
from cv_pipeline.labeling.tool.local_server import INSTALLED, is_installed, prepare, running_url
from cv_pipeline.provenance.stopping import stop_run
from tests.labeling.studio import EMAILS
from tests.tiny_world import ROOT, TinyWorld, copy_tiny_world

START_SECONDS = 120.0
PAGE_MILLISECONDS = 90_000
RUN_SECONDS = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def world(materialized_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    return copy_tiny_world(materialized_world, tmp_path_factory.mktemp("ui"))


@pytest.fixture(scope="module")
def label_studio(world: TinyWorld) -> int | None:
    """Port for a Label Studio whose tables and accounts were made before; None without one."""
    if not is_installed():
        return None
    with FileLock(INSTALLED / "test-accounts.lock"):
        prepare(INSTALLED / "test-accounts", EMAILS)
    shutil.copytree(INSTALLED / "test-accounts", world.home / "label_studio")
    return free_port()


@pytest.fixture(scope="module")
def address(world: TinyWorld, label_studio: int | None) -> Iterator[str]:
    """`cvp ui` until Ctrl-C, after which nothing that it started is left."""
    inspector, dagster, mlflow = free_port(), free_port(), free_port()
    command = [str(Path(sys.executable).with_name("cvp")), "ui", "--port", str(inspector)]
    command += ["--dagster-port", str(dagster), "--mlflow-port", str(mlflow)]
    if label_studio is not None:
        command += ["--label-studio-port", str(label_studio)]
    log = (world.folder / "ui.log").open("w")
    process = subprocess.Popen(
        command, env=world.environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        wait_for(f"http://127.0.0.1:{inspector}/api/v1/health")
        wait_for(f"http://127.0.0.1:{dagster}/server_info")
        wait_for(f"http://127.0.0.1:{mlflow}/health")
        if label_studio is not None:
            wait_for(f"http://127.0.0.1:{label_studio}/health")
        yield f"http://127.0.0.1:{dagster}"
    finally:
        started = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGINT)
        process.wait(40)
        log.close()
        _, left = psutil.wait_procs(started, timeout=10)
        assert left == [], [p.cmdline() for p in left]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium")
    assert chromium, "tests/install_browser.sh installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        made = browser.new_page(viewport={"width": 1440, "height": 900})
        made.set_default_timeout(PAGE_MILLISECONDS)
        expect.set_options(timeout=PAGE_MILLISECONDS)
        yield made
        browser.close()


def shown(page: Page, text: str) -> Locator:
    """The first place where a text can be seen."""
    return page.get_by_text(text, exact=True).locator("visible=true").first


def runs(world: TinyWorld) -> list[dg.DagsterRun]:
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        return list(instance.get_runs())


def test_label_studio_is_up_and_everybody_knows_where(page, address, world, label_studio):
    if label_studio is None:
        pytest.skip("run: make label_studio")
    url = f"http://127.0.0.1:{label_studio}"
    account = prepare(world.home / "label_studio")[EMAILS[0]]
    page.goto(f"{url}/user/login/")
    page.locator("input[name=email]").fill(account.email)
    page.locator("input[name=password]").fill(account.password)
    page.locator("button[type=submit], input[type=submit]").first.click()
    page.wait_for_url(lambda at: "login" not in at)
    assert running_url(world.home / "label_studio") == url
    # pushes give the images' addresses at the inspector that runs
    inspector = (world.home / "labeling" / "inspector.url").read_text()
    with urllib.request.urlopen(f"{inspector}/api/v1/health", timeout=5) as answer:
        assert answer.status == 200


def test_the_lineage_page_shows_every_asset(page, address):
    page.goto(f"{address}/locations/cv_pipeline/asset-groups/tiny/lineage")
    for asset in ("raw_images", "annotation_exports", "dataset_version", "eval_slices"):
        expect(shown(page, asset)).to_be_visible()


def test_an_asset_page_shows_its_numbers_and_plots(page, address):
    page.goto(f"{address}/assets/tiny/eval_slices")
    expect(page.get_by_text("worst_slices").locator("visible=true").first).to_be_visible()
    page.get_by_text("Plots", exact=True).click()
    expect(shown(page, "AP50")).to_be_visible()


def test_the_checks_are_on_the_candidate(page, address):
    page.goto(f"{address}/assets/tiny/dataset_candidate?view=checks")
    for check in ("leakage", "class_coverage", "contradictions"):
        expect(shown(page, check)).to_be_visible()


def test_an_asset_is_materialized_and_its_run_re_executed(page, address, world):
    before = {r.run_id for r in runs(world)}
    page.goto(f"{address}/assets/tiny/eval_slices")
    page.get_by_role("button", name="Materialize").first.click()
    launched = finished(world, lambda r: r.run_id not in before)
    assert launched.status == dg.DagsterRunStatus.SUCCESS
    page.goto(f"{address}/runs/{launched.run_id}")
    page.get_by_role("button", name="Re-execute all").click()
    again = finished(world, lambda r: r.parent_run_id == launched.run_id)
    assert again.status == dg.DagsterRunStatus.SUCCESS


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of gql, as dagster-graphql calls it
def test_a_run_is_stopped(address, world):
    port = int(address.rpartition(":")[2])
    client = DagsterGraphQLClient("127.0.0.1", port_number=port)
    run_id = client.submit_job_execution("tiny_pipeline")
    stop_run(run_id, address)
    ended = finished(world, lambda r: r.run_id == run_id)
    assert ended.status == dg.DagsterRunStatus.CANCELED
    with pytest.raises(CorrectiveError, match="was not stopped"):
        stop_run(run_id, address)


def finished(world: TinyWorld, wanted: Callable[[dg.DagsterRun], bool]) -> dg.DagsterRun:
    """Wait for the end of a run that was launched from a page."""
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        found = [r for r in runs(world) if wanted(r)]
        if found and found[0].is_finished:
            return found[0]
        assert time.monotonic() < deadline, f"no run finished: {found}"
        time.sleep(1.0)
