"""Tokens of programs: limited, expiring, shown once, and worth nothing when forged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.tokens import TOKENS
from tests.inspector.access.conftest import OTHER, OWN

HOME = "/api/v1/"


@pytest.fixture
def ada(inspector):
    return inspector.person("ada", {"*": Role.ADMIN})


def made(client, **given):
    body = {"name": "nightly", "scopes": ["view"], "projects": ["*"], "days": 30} | given
    answer = client.post("/api/v1/account/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_token_is_shown_once_and_only_its_hash_is_kept(inspector, ada):
    token = made(ada)["token"]
    assert token not in ada.get("/api/v1/account").text
    for path in inspector.home.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
    assert inspector.client(authorization=f"Bearer {token}").get(HOME).status_code == 200
    assert ada.get("/api/v1/account").json()["tokens"][0]["used_at"]


def test_a_token_needs_no_proof_of_a_page_and_is_no_cookie(inspector, ada):
    token = made(ada, scopes=["administer"])["token"]
    program = inspector.client(authorization=f"Bearer {token}")
    body = {"name": "eve", "password": "a long enough password", "roles": {}}
    assert program.post("/api/v1/people", json=body).status_code == 201
    assert "set-cookie" not in program.get(HOME).headers
    as_cookie = inspector.client(cookie=f"cvp_session={token}")
    assert as_cookie.get(HOME).status_code == 401


def test_a_token_does_what_it_is_limited_to_where_it_is_limited_to(inspector, ada):
    program = inspector.client(authorization=f"Bearer {made(ada, projects=[OWN])['token']}")
    assert [p["name"] for p in program.get(HOME).json()["projects"]] == [OWN]
    assert program.get(f"/api/v1/p/{OTHER}/assigned").status_code == 404
    assert program.get("/api/v1/people").status_code == 403
    batch = program.post(f"/api/v1/p/{OWN}/batches/x/assignees", json={"users": []})
    assert batch.status_code == 403


def test_a_token_can_make_no_token_and_change_no_password(inspector, ada):
    scopes = ["view", "administer"]
    program = inspector.client(authorization=f"Bearer {made(ada, scopes=scopes)['token']}")
    more = {"name": "more", "scopes": ["administer"]}
    assert program.post("/api/v1/account/tokens", json=more).status_code == 403
    assert program.get("/api/v1/account").status_code == 403
    body = {"current": "x", "new": "another long password"}
    assert program.post("/api/v1/account/password", json=body).status_code == 403


def test_a_token_is_worth_no_more_than_its_account(inspector, ada):
    inspector.door.accounts.add("eve", password="a long enough password", roles={OWN: Role.VIEWER})
    program = inspector.token("eve", scopes=["view", "administer", "launch"])
    assert program.get(f"/api/v1/p/{OTHER}/assigned").status_code == 404
    assert program.get("/api/v1/people").status_code == 403
    ada.put(f"/api/v1/people/eve/roles/{OWN}", json={"role": None})
    assert program.get(HOME).json()["projects"] == []


def test_a_token_that_may_view_sees_images_too(inspector, ada):
    def status(scope):
        token = made(ada, scopes=[scope])["token"]
        program = inspector.client(authorization=f"Bearer {token}")
        return program.get(f"/api/v1/p/{OWN}/images").status_code

    assert status("view") == status("assigned") == 200
    assert status("launch") == 403


def test_a_token_expires_and_can_be_revoked(inspector, ada):
    first, second = made(ada), made(ada)
    program = inspector.client(authorization=f"Bearer {first['token']}")
    assert program.get(HOME).status_code == 200
    past = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    with inspector.workspace.database.begin() as connection:
        one = update(TOKENS).where(TOKENS.c.id == first["id"])
        connection.execute(one.values(expires_at=past))
    answer = program.get(HOME)
    assert (answer.status_code, answer.json()["error"]) == (
        401,
        f"The token {first['id']} is expired.",
    )
    other = inspector.client(authorization=f"Bearer {second['token']}")
    assert other.get(HOME).status_code == 200
    assert ada.delete(f"/api/v1/account/tokens/{second['id']}").json()["state"] == "revoked"
    assert other.get(HOME).status_code == 401  # and replaying it does not help
    assert [t["state"] for t in ada.get("/api/v1/account").json()["tokens"]] == [
        "revoked",
        "expired",
    ]


def test_nobody_revokes_another_s_token(inspector, ada):
    token = made(ada)
    eve = inspector.person("eve")
    assert eve.delete(f"/api/v1/account/tokens/{token['id']}").status_code == 404
    assert inspector.client(authorization=f"Bearer {token['token']}").get(HOME).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("a" if token[-1] != "a" else "b"),  # one sign
        lambda token: token.replace(token.split("_")[1], "0" * 12),  # another's number
        lambda token: token + "x",
        lambda token: "cvp_",
        lambda token: "",
        lambda token: "' OR '1'='1",
        lambda token: "cvp_" + "%" * 12 + "_" + "a" * 43,
    ],
)
def test_a_forged_token_is_refused(inspector, ada, change):
    forged = change(made(ada)["token"])
    answer = inspector.client(authorization=f"Bearer {forged}").get(HOME)
    assert answer.status_code == 401
    assert "token" in answer.json()["error"]


def test_a_wrong_token_is_not_made_good_by_a_cookie(inspector, ada):
    ada.headers["authorization"] = "Bearer cvp_wrong"
    assert ada.get(HOME).status_code == 401
    ada.headers["authorization"] = "Basic YWRhOnB3"
    assert ada.get(HOME).status_code == 401


@pytest.mark.parametrize(
    "given",
    [
        {"scopes": []},
        {"scopes": ["account"]},
        {"scopes": ["public"]},
        {"scopes": ["everything"]},
        {"projects": []},
        {"projects": ["../x"]},
        {"days": 0},
        {"days": 367},
        {"name": " "},
        {"expires_at": "2999-01-01"},
        {"user": "eve"},
    ],
)
def test_tokens_that_cannot_be_made(ada, given):
    body = {"name": "nightly", "scopes": ["view"], "projects": ["*"], "days": 30} | given
    assert ada.post("/api/v1/account/tokens", json=body).status_code in (409, 422)
