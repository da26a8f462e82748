"""Signing in and out: sessions that cannot be fixed, forged, replayed or outlived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from cv_pipeline.inspector.access import throttle, tries
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.sessions import SESSIONS
from cv_pipeline.inspector.access.settings import Settings
from cv_pipeline.inspector.audit import Wanted
from tests.inspector.access.conftest import OTHER, OWN, PASSWORD, sign_in, take_proof

HOME = "/api/v1/"


def test_the_first_account_is_made_by_the_printed_link_once(inspector):
    path = inspector.door.setup_path
    assert path is not None
    client = inspector.client()
    page = client.get(path, headers={"accept": "text/html"}).text
    assert "Make the first account" in page
    body = {"key": path.partition("=")[2], "name": "Ada", "password": PASSWORD}
    wrong = client.post("/api/v1/setup", json=body | {"key": "guessed"})
    assert wrong.status_code == 403
    made = client.post("/api/v1/setup", json=body)
    assert made.json() == {"user": "ada", "next": "/"}
    assert inspector.door.accounts.get("ada").roles == {"*": Role.ADMIN}
    assert client.get("/api/v1/people").status_code == 200
    again = inspector.client().post("/api/v1/setup", json=body | {"name": "eve"})
    assert again.status_code == 403
    assert inspector.door.setup_path is None
    assert inspector.actions() == ["setup.refused", "user.add", "setup.refused"]


def test_a_page_that_needs_an_account_shows_the_form_and_leads_back(inspector):
    inspector.door.accounts.add("ada", password=PASSWORD, roles={"*": Role.ADMIN})
    client = inspector.client()
    asked = client.get("/people?a=1&b=2", headers={"accept": "text/html"})
    assert asked.status_code == 401
    assert 'value="/people?a=1&amp;b=2"' in asked.text
    assert client.get("/api/v1/people").json()["error"] == "You are not signed in."


def test_signing_in_and_out(inspector):
    client = inspector.person("ada", {"*": Role.ADMIN})
    cookie = client.cookies["cvp_session"]
    assert client.get(HOME).status_code == 200
    assert client.post("/api/v1/signout").status_code == 200
    assert "cvp_session" not in client.cookies
    replayed = inspector.client(cookie=f"cvp_session={cookie}")  # a cookie that was kept aside
    assert replayed.get(HOME).status_code == 401
    assert inspector.actions() == ["signin", "signout"]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(inspector):
    inspector.door.accounts.add("ada", password=PASSWORD)
    body = {"name": "ada", "password": PASSWORD}
    plain = inspector.client().post("/api/v1/signin", json=body).headers["set-cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=lax" in plain
    assert "Secure" not in plain  # on loopback, without https
    safe = inspector.client(https=True).post("/api/v1/signin", json=body).headers["set-cookie"]
    assert safe.startswith("__Host-cvp_session=")
    assert "Secure" in safe
    assert "Path=/" in safe


def test_cookies_are_kept_to_https_when_the_setting_says_so(open_inspector):
    inspector = open_inspector(Settings(secure_cookies="always"))
    inspector.door.accounts.add("ada", password=PASSWORD)
    answer = inspector.client().post("/api/v1/signin", json={"name": "ada", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]


def test_the_secret_of_a_session_is_nowhere_in_the_state(inspector):
    client = inspector.person("ada")
    secret = client.cookies["cvp_session"]
    assert client.get(HOME).status_code == 200
    for path in inspector.home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_session_survives_a_restart(open_inspector):
    before = open_inspector()
    client = before.person("ada")
    cookie = client.cookies["cvp_session"]
    after = open_inspector()
    assert after.client(cookie=f"cvp_session={cookie}").get(HOME).status_code == 200


def test_a_session_that_is_not_used_ends(inspector):
    client = inspector.person("ada")
    assert client.get(HOME).status_code == 200
    _move(inspector, seen_at=timedelta(hours=11))
    assert client.get(HOME).status_code == 200  # and it is used again
    _move(inspector, seen_at=timedelta(hours=12))
    assert client.get(HOME).status_code == 401


def test_a_session_ends_at_last_however_much_it_is_used(inspector):
    client = inspector.person("ada")
    _move(inspector, created_at=timedelta(days=13, hours=23))
    assert client.get(HOME).status_code == 200
    _move(inspector, created_at=timedelta(days=14))
    assert client.get(HOME).status_code == 401


def _move(inspector, **ago):
    now = datetime.now(UTC).replace(tzinfo=None)
    with inspector.workspace.database.begin() as connection:
        values = {name: now - age for name, age in ago.items()}
        connection.execute(update(SESSIONS).values(values))


@pytest.mark.parametrize("cookie", ["", "guessed", "ä", "a" * 5000, "' OR 1=1 --"])
def test_a_forged_session_is_nobody(inspector, cookie):
    inspector.person("ada")
    client = inspector.client()
    client.headers = [*client.headers.raw, (b"cookie", f"cvp_session={cookie}".encode())]
    assert client.get(HOME).status_code == 401
    assert client.get("/signin").status_code == 200  # and can still sign in


def test_session_fixation_a_session_from_before_is_never_taken_over(inspector):
    inspector.door.accounts.add("victim", password=PASSWORD)
    attacker = inspector.person("attacker")
    planted = attacker.cookies["cvp_session"]
    victim = inspector.client()
    victim.cookies.set("cvp_session", planted, domain="localhost.local")
    take_proof(victim)  # the victim's page, in the attacker's session
    sign_in(victim, "victim")
    assert attacker.get(HOME).status_code == 401  # ended, and no way to the victim's account
    fixed = inspector.client(cookie="cvp_session=chosen-by-an-attacker")
    fixed.post("/api/v1/signin", json={"name": "victim", "password": PASSWORD})
    replay = inspector.client(cookie="cvp_session=chosen-by-an-attacker")
    assert replay.get(HOME).status_code == 401


def test_every_sign_in_begins_another_session_with_another_proof(inspector):
    client = inspector.person("ada")
    first = (client.cookies["cvp_session"], client.headers["x-csrf-token"])
    sign_in(client, "ada")
    second = (client.cookies["cvp_session"], client.headers["x-csrf-token"])
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_another_session_s_proof_is_refused(inspector):
    ada, eve = inspector.person("ada"), inspector.person("eve")
    ada.headers["x-csrf-token"] = eve.headers["x-csrf-token"]
    assert ada.post("/api/v1/signout").status_code == 403
    assert ada.get(HOME).status_code == 200


def test_changing_the_password_ends_every_other_session(inspector):
    here, there = inspector.person("ada"), inspector.client()
    sign_in(there, "ada")
    body = {"current": PASSWORD, "new": "another long password"}
    assert here.post("/api/v1/account/password", json=body).json() == {"sessions": 2}
    assert there.get(HOME).status_code == 401
    assert here.get(HOME).status_code == 200  # goes on in a new one
    answer = there.post("/api/v1/signin", json={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 401


def test_changing_the_password_needs_the_present_one(inspector):
    client = inspector.person("ada")
    body = {"current": "not the present one", "new": "another long password"}
    assert client.post("/api/v1/account/password", json=body).status_code == 403
    assert "account.password.failed" in inspector.actions()


def test_what_an_admin_takes_away_is_gone_with_the_next_request(inspector):
    admin = inspector.person("ada", {"*": Role.ADMIN})
    client = inspector.person("eve", {OWN: Role.ENGINEER})
    token = inspector.token("eve", scopes=["view"])
    assert client.get(HOME).json()["projects"][0]["role"] == "engineer"
    given = admin.put(f"/api/v1/people/eve/roles/{OWN}", json={"role": "viewer"})
    assert given.json()["roles"] == {OWN: "viewer"}
    assert client.get(HOME).json()["projects"][0]["role"] == "viewer"
    admin.put("/api/v1/people/eve/disabled", json={"disabled": True})
    assert client.get(HOME).status_code == 401
    assert token.get(HOME).status_code == 401
    admin.put("/api/v1/people/eve/disabled", json={"disabled": False})
    assert client.get(HOME).status_code == 401  # it was revoked, not only stopped
    assert token.get(HOME).status_code == 401


def test_a_change_by_another_process_counts_at_once(open_inspector):
    one, other = open_inspector(), open_inspector()
    client = one.person("ada")
    assert client.get(HOME).status_code == 200
    other.door.sessions.end_all("ada")
    assert client.get(HOME).status_code == 401


def test_the_last_admin_stays(inspector):
    admin = inspector.person("ada", {"*": Role.ADMIN})
    for path, body in (
        ("/api/v1/people/ada/disabled", {"disabled": True}),
        ("/api/v1/people/ada/roles/*", {"role": "viewer"}),
        ("/api/v1/people/ada/roles/*", {"role": None}),
    ):
        assert admin.put(path, json=body).status_code == 409
    inspector.door.accounts.add("eve", password=PASSWORD, roles={"*": Role.ADMIN})
    assert admin.put("/api/v1/people/ada/roles/*", json={"role": None}).status_code == 200


def test_an_admin_of_one_project_gives_roles_there_and_nowhere_else(inspector):
    admin = inspector.person("ada", {OWN: Role.ADMIN})
    inspector.door.accounts.add("eve", password=PASSWORD)
    assert admin.put(f"/api/v1/people/eve/roles/{OWN}", json={"role": "viewer"}).status_code == 200
    for where, status in (("*", 404), ("fruit", 404)):
        answer = admin.put(f"/api/v1/people/ada/roles/{where}", json={"role": "admin"})
        assert answer.status_code == status
    assert admin.get("/api/v1/people").status_code == 403
    people = admin.get(f"/api/v1/p/{OWN}/people").json()["people"]
    assert {p["name"]: p["role"] for p in people} == {"ada": "admin", "eve": "viewer"}
    inspector.door.accounts.add("mallory", password=PASSWORD, roles={OTHER: Role.VIEWER})
    page = admin.get(f"/p/{OWN}/people", headers={"accept": "text/html"}).text
    assert ("eve" in page, "mallory" in page) == (True, False)
    assert admin.get(f"/api/v1/p/{OTHER}/people").status_code == 404
    missing = admin.put(f"/api/v1/people/malory/roles/{OWN}", json={"role": "viewer"})
    assert (missing.status_code, "mallory" in missing.text) == (404, False)


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [
        ("Ada Lovelace", PASSWORD, "cannot be the name"),
        ("../ada", PASSWORD, "cannot be the name"),
        ("", PASSWORD, "cannot be the name"),
        ("ada", "short", "signs"),
        ("ada", "a" * 257, "too_long"),
        ("ada", "aaaaaaaaaaaaaaaa", "different signs"),
        ("ada.lovelace", "ada.lovelace1", "little more than the name"),
    ],
)
def test_names_and_passwords_that_cannot_be(inspector, name, password, told):
    admin = inspector.person("root", {"*": Role.ADMIN})
    answer = admin.post("/api/v1/people", json={"name": name, "password": password, "roles": {}})
    assert answer.status_code in (409, 422)
    assert told in answer.text or "at most 256" in answer.text


def test_an_unknown_name_is_answered_like_a_wrong_password(inspector, monkeypatch):
    inspector.door.accounts.add("ada", password=PASSWORD)
    inspector.door.accounts.add("off", password=PASSWORD)
    inspector.door.accounts.add("elsewhere", subject="issuer 1")
    inspector.door.accounts.set_disabled("off", disabled=True)
    checked = []
    from cv_pipeline.inspector.access import accounts

    def counted(password, hashed):
        checked.append(hashed)
        return passwords_is(password, hashed)

    passwords_is = accounts.is_password
    monkeypatch.setattr(accounts, "is_password", counted)
    answers = {
        inspector.client().post("/api/v1/signin", json={"name": name, "password": password}).text
        for name, password in (
            ("ada", "a wrong password"),
            ("nobody.such", PASSWORD),
            ("off", PASSWORD),
            ("elsewhere", PASSWORD),
        )
    }
    assert len(answers) == 1
    assert len(checked) == 4  # each costs one check of a hash, so that time does not tell either
    assert "nobody.such" not in "".join(line.entry.target for line in inspector.log.read(Wanted()))


def test_guessing_locks_the_account_out_from_there_with_the_right_password_too(inspector):
    inspector.door.accounts.add("ada", password=PASSWORD)
    client = inspector.client()
    for _ in range(throttle.BY_NAME_HERE.amount):
        answer = client.post("/api/v1/signin", json={"name": "ada", "password": "a wrong one"})
        assert answer.status_code == 401
    right = client.post("/api/v1/signin", json={"name": "ada", "password": PASSWORD})
    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= 900
    assert "minutes" in right.json()["do"]
    unknown = [
        client.post("/api/v1/signin", json={"name": "nobody", "password": "x"}).status_code
        for _ in range(throttle.BY_NAME_HERE.amount + 1)
    ]
    assert unknown == [401] * throttle.BY_NAME_HERE.amount + [429]
    assert inspector.actions().count("signin.refused") == 1  # told once a minute, not each time


def test_an_account_is_guarded_against_many_addresses_and_an_address_against_many_names(inspector):
    database = inspector.workspace.database
    guard = throttle.Throttle(database)
    for i in range(throttle.BY_NAME.amount):
        guard.count(name="ada", address=f"10.0.0.{i}")
    with pytest.raises(throttle.TooManyTries):
        guard.count(name="ada", address="10.0.1.1")
    for i in range(throttle.BY_ADDRESS.amount):
        guard.count(name=f"name-{i}", address=f"2001:db8::{i:x}")  # one customer's network
    with pytest.raises(throttle.TooManyTries):
        guard.count(name="another", address="2001:db8::ffff")
    guard.count(name="another", address="2001:db8:1::1")
    # clients of IPv4 are not one network where a socket serves both
    assert throttle.network_of("::ffff:10.0.0.7") == throttle.network_of("10.0.0.7") == "10.0.0.7"
    with pytest.raises(throttle.TooManyTries):  # another process, which counts the same tries
        throttle.Throttle(database).count(name="ada", address="10.0.1.1")


def test_a_restart_does_not_let_a_guesser_go_on(open_inspector):
    first = open_inspector()
    first.door.accounts.add("ada", password=PASSWORD)
    guess = {"name": "ada", "password": "a wrong one"}
    for _ in range(throttle.BY_NAME_HERE.amount):
        assert first.client().post("/api/v1/signin", json=guess).status_code == 401
    again = open_inspector()
    right = {"name": "ada", "password": PASSWORD}
    assert again.client().post("/api/v1/signin", json=right).status_code == 429


def test_what_was_typed_as_a_name_is_not_kept_and_old_tries_are_deleted(inspector, monkeypatch):
    guard = throttle.Throttle(inspector.workspace.database)
    guard.count(name="my password, typed in the wrong field", address="10.0.0.1")
    monkeypatch.setattr(tries.time, "time", lambda real=tries.time.time: real() + 1_000)
    guard.count(name="ada", address="10.0.0.1")
    with inspector.workspace.database.connect() as connection:
        rows = connection.execute(select(tries.TRIES)).all()
    assert len(rows) == 3  # of the second alone
    assert all(len(row.key) == 64 for row in rows)


def test_who_signs_in_is_forgotten_as_a_guesser(inspector):
    inspector.door.accounts.add("ada", password=PASSWORD)
    client = inspector.client()
    for _ in range(3):
        for _ in range(throttle.BY_NAME_HERE.amount - 1):
            client.post("/api/v1/signin", json={"name": "ada", "password": "a wrong one"})
        right = client.post("/api/v1/signin", json={"name": "ada", "password": PASSWORD})
        assert right.status_code == 200
        take_proof(client)


def test_passwords_are_kept_as_argon2id_with_the_usual_cost():
    from argon2 import PasswordHasher, extract_parameters
    from argon2.low_level import Type

    made = extract_parameters(PasswordHasher().hash("x"))
    assert made.type is Type.ID
    assert (made.memory_cost, made.time_cost, made.parallelism) == (65536, 3, 4)


def test_a_hash_of_older_parameters_is_made_anew_at_the_next_sign_in(inspector, monkeypatch):
    from argon2 import PasswordHasher

    from cv_pipeline.inspector.access import passwords

    inspector.door.accounts.add("ada", password=PASSWORD)
    before = _hash_of(inspector, "ada")
    newer = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", newer)
    sign_in(inspector.client(), "ada")
    assert _hash_of(inspector, "ada") != before
    assert not passwords.is_outdated(_hash_of(inspector, "ada"))
    sign_in(inspector.client(), "ada")


def _hash_of(inspector, name):
    with inspector.workspace.database.connect() as connection:
        found = connection.execute(text("SELECT password FROM users WHERE name = :n"), {"n": name})
        return found.scalar_one()


def test_sessions_are_listed_and_ended_one_by_one(inspector):
    here = inspector.person("ada")
    there = inspector.client(user_agent="Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/140.0")
    sign_in(there, "ada")
    eve = inspector.person("eve")
    listed = here.get("/api/v1/account").json()["sessions"]
    assert [(s["browser"], s["here"]) for s in listed if not s["here"]] == [
        ("Firefox on Linux", False)
    ]
    other = next(s["name"] for s in listed if not s["here"])
    assert eve.delete(f"/api/v1/account/sessions/{other}").status_code == 404  # not eve's
    assert here.delete(f"/api/v1/account/sessions/{other[:4]}").status_code == 404
    assert here.delete(f"/api/v1/account/sessions/{other}").status_code == 200
    assert there.get(HOME).status_code == 401
    sign_in(there, "ada")
    assert here.delete("/api/v1/account/sessions").json() == {"sessions": 1}
    assert there.get(HOME).status_code == 401
    assert here.get(HOME).status_code == 200
