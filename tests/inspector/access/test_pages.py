"""The pages of access in a real browser: a person gets in, and axe finds no serious fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.settings import Settings
from cv_pipeline.inspector.audit import Wanted
from tests.inspector.access.conftest import OWN, PASSWORD
from tests.inspector.access.test_attacks import Served

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def page(open_inspector):
    """A page of a browser, and the address of an inspector without accounts."""
    playwright = pytest.importorskip("playwright.sync_api")
    settings = Settings()
    inspector = open_inspector(settings)
    served = Served(inspector, settings)
    with playwright.sync_playwright() as started:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{served.address[1]}",
            viewport={"width": 1280, "height": 800},
        )
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page, inspector
        assert faults == []
        browser.close()
    served.stop()


def serious(page) -> list[str]:
    """Serious faults that axe finds on the page that is shown."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{page.url} {fault['id']}: {node['html'][:120]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def test_from_the_first_account_to_a_colleague_and_a_token(page):
    page, inspector = page
    faults = []
    page.goto(inspector.door.setup_path)
    faults += serious(page)
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/")
    page.goto("/people")
    page.click("[data-open=new-person]")
    page.fill("#new-name", "bob")
    page.click("#new-person [data-make-password]")
    page.select_option("#new-role", "annotator")
    page.select_option("#new-project", OWN)
    faults += serious(page)
    page.click("#new-person button[type=submit]")
    page.wait_for_selector("[data-person=bob]")
    page.click("[data-person=bob]")
    page.click("#person [data-toggle-disabled]")
    page.wait_for_selector("#person >> text=Let it be used again")
    faults += serious(page)
    page.keyboard.press("Escape")
    page.wait_for_selector("tr.is-off >> text=bob")
    page.goto("/account")
    page.click("[data-open=new-token]")
    page.fill("#token-name", "nightly")
    page.click("[data-make]")
    page.wait_for_selector("[data-made]:not([hidden])")
    secret = page.input_value("[data-token]")
    faults += serious(page)
    program = inspector.client(authorization=f"Bearer {secret}")
    assert program.get("/api/v1/").status_code == 200
    page.goto("/audit")
    page.click("[data-verify]")
    page.wait_for_selector("text=lines are genuine and none is missing")
    faults += serious(page)
    page.goto("/signout")
    page.click("[data-signout]")
    page.wait_for_selector("text=You are signed out")
    page.goto("/people?x=1")
    faults += serious(page)
    page.fill("#name", "ada")
    page.fill("#password", "not the password")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The name or the password is wrong.")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=What the roles may do")
    assert page.url.endswith("/people?x=1")
    assert faults == []
    bob = inspector.door.accounts.get("bob")
    assert (bob.roles, bob.disabled) == ({OWN: Role.ANNOTATOR}, True)
    actions = [line.entry.action for line in inspector.log.export(Wanted())]
    assert actions == [
        "user.add",
        "user.add",
        "user.disable",
        "token.create",
        "audit.verify",
        "signout",
        "signin.failed",
        "signin",
    ]
