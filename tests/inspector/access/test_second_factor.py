"""The second factor: codes as the RFC has them, each once, and never a way around the password."""

from __future__ import annotations

import base64
import time

import pyotp
import pytest

from cv_pipeline.inspector.access import second_factor, throttle
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.second_factor import FACTORS, NEEDED, FactorError, matching_step
from tests.inspector.access.conftest import PASSWORD

# RFC 6238, appendix B, SHA-1: eight digits, of which these codes are the last six
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize(("at", "code"), VECTORS.items())
def test_codes_are_those_of_the_rfc(at, code):
    assert matching_step(SECRET, code[-6:], now=at) == at // 30
    assert matching_step(SECRET, f"{code[-6:-3]} {code[-3:]}", now=at) == at // 30
    for away in (-60, 60):
        assert matching_step(SECRET, code[-6:], now=at + away) is None
    for near in (-30, 30):  # a clock that differs by one step
        assert matching_step(SECRET, code[-6:], now=at + near) == at // 30
    assert matching_step(SECRET, code[-6:], now=at, after=at // 30) is None
    for wrong in ("", "000000", code, "²²²²²²", "1" * 40):
        assert matching_step(SECRET, wrong, now=at) is None


@pytest.fixture
def ada(inspector, monkeypatch):
    """Ada's browser with her second factor, the code of another step each time, her codes."""
    client = inspector.person("ada", {"*": Role.ADMIN})
    clock = {"now": time.time()}
    monkeypatch.setattr(second_factor.time, "time", lambda: clock["now"])
    begun = client.post("/api/v1/account/second-factor", json={"password": PASSWORD}).json()

    def code() -> str:
        clock["now"] += 30
        return pyotp.TOTP(begun["secret"]).at(int(clock["now"]))

    first = client.put("/api/v1/account/second-factor", json={"code": code()})
    assert first.status_code == 200, first.text
    return client, code, first.json()["codes"], begun


def sign_in(inspector, **more):
    body = {"name": "ada", "password": PASSWORD} | more
    return inspector.client().post("/api/v1/signin", json=body)


def test_signing_in_asks_for_a_code_which_is_good_once(inspector, ada):
    _, code, _, _ = ada
    asked = sign_in(inspector)
    assert (asked.status_code, asked.headers[NEEDED]) == (401, "needed")
    assert "set-cookie" not in asked.headers
    right = code()
    assert sign_in(inspector, code=right).status_code == 200
    replayed = sign_in(inspector, code=right)
    assert (replayed.status_code, "used already" in replayed.json()["error"]) == (401, True)
    wrong = sign_in(inspector, code=code(), password="another password")
    assert (wrong.status_code, NEEDED in wrong.headers) == (401, False)  # no oracle without it
    assert inspector.actions()[-3:] == ["signin", "signin.failed", "signin.failed"]


def test_codes_cannot_be_guessed_for_long(inspector, ada):
    _, code, _, _ = ada
    answers = [sign_in(inspector, code="000000").status_code for _ in range(6)]
    assert 429 in answers
    assert answers.index(429) <= throttle.BY_NAME_HERE.amount
    assert sign_in(inspector, code=code()).status_code == 429


def test_a_recovery_code_stands_in_for_the_device_once(inspector, ada):
    client, _, codes, _ = ada
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert sign_in(inspector, code=codes[0].upper()).status_code == 200
    assert sign_in(inspector, code=codes[0]).status_code == 401
    assert client.get("/api/v1/account").json()["recovery_codes"] == len(codes) - 1


def test_the_secret_is_shown_once_and_codes_are_kept_as_hashes(inspector, ada):
    client, _, codes, begun = ada
    told = client.get("/api/v1/account").text + client.get("/account").text
    assert begun["secret"] not in told
    assert begun["address"].startswith("otpauth://totp/cv_pipeline:ada?secret=")
    again = client.post("/api/v1/account/second-factor", json={"password": PASSWORD})
    assert again.status_code == 409
    for path in (inspector.home / "inspector").glob("inspector.db*"):
        assert not [code for code in codes if code.replace("-", "").encode() in path.read_bytes()]


def test_it_is_taken_away_with_password_and_code_alone(inspector, ada):
    client, code, _, _ = ada
    path = "/api/v1/account/second-factor"
    for body, status in (
        ({"password": "a wrong one", "code": code()}, 403),
        ({"password": PASSWORD}, 401),
        ({"password": PASSWORD, "code": "000000"}, 401),
    ):
        answer = client.request("DELETE", path, json=body)
        assert answer.status_code == status, answer.text
        assert client.get("/api/v1/account").json()["second_factor"]
    gone = client.request("DELETE", path, json={"password": PASSWORD, "code": code()})
    assert (gone.status_code, gone.json()["on"]) == (200, False)
    assert sign_in(inspector).status_code == 200


def test_until_it_is_confirmed_nothing_asks_for_it(inspector):
    client = inspector.person("ada")
    path = "/api/v1/account/second-factor"
    assert client.post(path, json={"password": "a wrong one"}).status_code == 403
    assert client.post(path, json={"password": PASSWORD}).status_code == 201
    assert client.put(path, json={"code": "000000"}).status_code == 409
    assert sign_in(inspector).status_code == 200
    with pytest.raises(FactorError, match="No second factor was begun"):
        inspector.door.second_factors.confirm("nobody", "000000")


def test_an_admin_takes_it_from_who_lost_it_and_their_sessions_end(inspector, ada):
    client, _, _, _ = ada
    root = inspector.person("root", {"*": Role.ADMIN})
    assert root.delete("/api/v1/people/ada/second-factor").json() == {"name": "ada", "on": False}
    assert client.get("/api/v1/account").status_code == 401
    assert sign_in(inspector).status_code == 200
    assert "user.second_factor.off" in inspector.actions()
    with inspector.workspace.database.connect() as connection:
        assert connection.execute(FACTORS.select()).all() == []
