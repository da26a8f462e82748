"""Signing in at a real OpenID provider, which runs as a process of its own on loopback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.settings import Settings, SingleSignOn, load_settings
from cv_pipeline.inspector.access.single_sign_on import Flow, roles_of_groups
from cv_pipeline.inspector.audit import Wanted
from tests.inspector.access.conftest import OTHER, OWN, PASSWORD

SECRET = "the inspector's secret at the provider"
GROUPS = {"vision": {OWN: Role.REVIEWER, OTHER: Role.VIEWER}, "leads": {OWN: Role.ENGINEER}}
ADA = {
    "sub": "1",
    "preferred_username": "Ada",
    "email": "ada@example.org",
    "email_verified": True,
    "groups": ["vision", "leads", "unknown"],
}


@pytest.fixture(scope="module")
def provider():
    """Address of a provider."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("openid_provider.py"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    for _ in range(200):
        try:
            httpx.get(f"{address}/keys", timeout=1)
            break
        except httpx.ConnectError:
            continue
    yield address
    process.terminate()
    process.communicate()


@pytest.fixture
def single(provider, open_inspector):
    """Makes an inspector whose people sign in at the provider."""

    def make(claims=ADA, *, wrong="", secret=SECRET, **more):
        httpx.post(f"{provider}/next", json={"claims": claims, "wrong": wrong})
        settings = SingleSignOn(
            issuer=provider, client_id="inspector", roles=GROUPS, label="Example", **more
        )
        return open_inspector(
            Settings(single_sign_on=settings, client_secret=SecretStr(secret) if secret else None)
        )

    return make


def leave(client, next_page="/people"):
    """Go to the provider and sign in there; returns the address that the browser comes back to."""
    sent = client.get("/signin/provider", params={"next": next_page}, follow_redirects=False)
    assert sent.status_code == 303, sent.text
    back = httpx.get(sent.headers["location"])
    parts = urlsplit(back.headers["location"])
    assert f"{parts.scheme}://{parts.netloc}" == "http://localhost"
    return f"{parts.path}?{parts.query}"


def test_somebody_signs_in_with_the_roles_of_their_groups(single):
    inspector = single()
    client = inspector.client()
    assert "Sign in with Example" in client.get("/signin", headers={"accept": "text/html"}).text
    back = client.get(leave(client), follow_redirects=False)
    assert back.status_code == 303, back.text
    assert back.headers["location"] == "/people"
    account = inspector.door.accounts.get("ada")
    assert account.roles == {OWN: Role.ENGINEER, OTHER: Role.VIEWER}
    assert not account.has_password
    assert client.get("/api/v1/").status_code == 200
    line = inspector.log.read(Wanted())[0].entry
    assert (line.action, line.user, line.details["by"]) == ("signin", "ada", "single sign-on")


def test_groups_count_anew_at_every_sign_in_and_given_roles_stay(single, provider):
    inspector = single()
    client = inspector.client()
    client.get(leave(client), follow_redirects=False)
    inspector.door.accounts.give_role("ada", OTHER, Role.ADMIN)
    httpx.post(f"{provider}/next", json={"claims": ADA | {"groups": ["vision"]}})
    client.get(leave(client), follow_redirects=False)
    assert inspector.door.accounts.get("ada").roles == {OWN: Role.REVIEWER, OTHER: Role.ADMIN}
    httpx.post(f"{provider}/next", json={"claims": ADA | {"groups": []}})
    client.get(leave(client), follow_redirects=False)
    assert inspector.door.accounts.get("ada").roles == {OTHER: Role.ADMIN}
    assert len(inspector.door.accounts.list()) == 1


WRONG = ["nonce", "audience", "party", "signer", "expired", "unsigned", "secret", "key", "issuer"]


@pytest.mark.parametrize("wrong", [*WRONG, "denied"])
def test_an_answer_that_is_not_right_signs_nobody_in(single, wrong):
    inspector = single(wrong=wrong)
    client = inspector.client()
    sent = client.get("/signin/provider", follow_redirects=False)
    if wrong == "issuer":
        assert sent.status_code == 502
    else:
        answer = client.get(leave(client), follow_redirects=False)
        assert answer.status_code in (403, 502), answer.text
        assert inspector.actions() == ["signin.failed"]
    assert inspector.door.accounts.list() == []
    assert client.get("/api/v1/").status_code == 401


def test_what_userinfo_says_of_somebody_else_is_not_believed(single):
    inspector = single(wrong="userinfo")
    client = inspector.client()
    client.get(leave(client), follow_redirects=False)
    assert [(a.name, dict(a.roles)) for a in inspector.door.accounts.list()] == [("1", {})]


def test_the_state_binds_the_answer_to_the_browser_that_began(single):
    inspector = single()
    attacker, victim = inspector.client(), inspector.client()
    planted = leave(attacker)
    assert victim.get(planted, follow_redirects=False).status_code == 403  # no flow here
    leave(victim)
    assert victim.get(planted, follow_redirects=False).status_code == 403  # of another one
    state = parse_qs(urlsplit(planted).query)["state"][0]
    assert victim.get(f"/signin/provider/callback?code=x&state={state}").status_code == 403


def test_an_answer_is_good_once(single):
    inspector = single()
    client = inspector.client()
    back = leave(client)
    assert client.get(back, follow_redirects=False).status_code == 303
    assert client.get(back, follow_redirects=False).status_code == 502


def test_a_wrong_secret_of_the_inspector_signs_nobody_in(single):
    inspector = single(secret="another")
    client = inspector.client()
    assert client.get(leave(client), follow_redirects=False).status_code == 502


def test_a_name_that_is_taken_is_never_taken_over(single):
    inspector = single()
    inspector.door.accounts.add("ada", password=PASSWORD, roles={"*": Role.ADMIN})
    client = inspector.client()
    answer = client.get(leave(client), follow_redirects=False)
    assert answer.status_code == 403
    assert client.get("/api/v1/").status_code == 401
    assert inspector.door.accounts.get("ada").subject == ""


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 303),
        ({"email": "ada@evil.example"}, 403),
        ({"email": "ada@example.org.evil.example"}, 403),
        ({"email_verified": False}, 403),
        ({"email": None}, 403),
    ],
)
def test_only_confirmed_addresses_of_allowed_domains(single, claims, status):
    inspector = single(ADA | claims, allowed_domains=("Example.org",))
    client = inspector.client()
    assert client.get(leave(client), follow_redirects=False).status_code == status


def test_a_disabled_account_stays_out(single):
    inspector = single()
    client = inspector.client()
    client.get(leave(client), follow_redirects=False)
    inspector.door.accounts.set_disabled("ada", disabled=True)
    assert client.get("/api/v1/").status_code == 401
    assert client.get(leave(client), follow_redirects=False).status_code == 403


def test_it_leads_to_no_other_site(single):
    inspector = single()
    client = inspector.client()
    back = client.get(leave(client, "//evil.example"), follow_redirects=False)
    assert back.headers["location"] == "/"


def test_a_provider_that_is_down_is_told_and_passwords_still_work(open_inspector):
    settings = SingleSignOn(issuer="http://127.0.0.1:9", client_id="inspector")
    inspector = open_inspector(Settings(single_sign_on=settings))
    answer = inspector.client().get("/signin/provider")
    assert answer.status_code == 502
    assert "password" in answer.json()["do"]
    assert inspector.person("ada").get("/api/v1/").status_code == 200


def test_without_a_provider_there_is_no_way_there(inspector):
    assert inspector.client().get("/signin/provider").status_code == 404


def test_a_flow_is_forged_by_nobody_and_ends():
    flow = Flow.begin("/people")
    assert Flow.opened(flow.sealed("key"), "key") == flow
    assert Flow.opened(flow.sealed("another"), "key") is None
    assert Flow.opened("", "key") is None
    late = Flow(flow.state, flow.nonce, flow.verifier, flow.next, until=0)
    assert Flow.opened(late.sealed("key"), "key") is None


def test_of_several_groups_the_one_counts_that_may_do_most():
    assert roles_of_groups(["leads", "vision"], GROUPS) == {OWN: "engineer", OTHER: "viewer"}
    assert roles_of_groups(["vision", "leads"], GROUPS) == {OWN: "engineer", OTHER: "viewer"}
    assert roles_of_groups([], GROUPS) == {}


def test_settings_are_read_and_mistakes_told_with_their_line(tmp_path, monkeypatch):
    from cv_pipeline.errors import SettingsError

    assert load_settings(tmp_path) == Settings()
    file = tmp_path / "inspector" / "inspector.yaml"
    file.parent.mkdir()
    monkeypatch.setenv("CV_OIDC_CLIENT_SECRET", "hidden")
    file.write_text(
        "allowed_hosts: [inspector.example]\n"
        "single_sign_on:\n  issuer: https://id.example\n  client_id: inspector\n"
        "  roles:\n    vision:\n      fruit: reviewer\n"
    )
    read = load_settings(tmp_path)
    assert read.single_sign_on is not None
    assert read.single_sign_on.roles == {"vision": {"fruit": Role.REVIEWER}}
    assert read.client_secret is not None
    assert read.client_secret.get_secret_value() == "hidden"
    assert "hidden" not in repr(read)
    for text, told in (
        ("idle_hour: 3\n", "line 1: idle_hour: unknown key"),
        ("idle_hours: 3\nsession_days: 0\n", "line 2: session_days"),
        ("client_secret: x\n", "does not belong in a file"),
    ):
        file.write_text(text)
        with pytest.raises(SettingsError, match=told):
            load_settings(tmp_path)


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "ftp://x", "http://127.0.0.1.evil.example"]
)
def test_a_provider_without_https_is_refused(issuer):
    with pytest.raises(ValidationError, match="https"):
        SingleSignOn(issuer=issuer, client_id="x")
