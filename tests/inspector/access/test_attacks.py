"""Attacks that are tried and refused, by name.

Forged and replayed sessions and session fixation are in test_signing_in.py, forged and replayed
tokens in test_tokens.py, CSRF on every route in test_authorisation.py, the provider's answers in
test_single_sign_on.py, images that are not one's own in test_assignments.py.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import socket
import struct
import threading
import zlib

import pytest
import uvicorn
from fastapi import UploadFile
from fastapi.routing import APIRoute

from cv_pipeline.inspector.access.next_page import safe_next
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.settings import Settings
from cv_pipeline.inspector.app import SECURITY
from tests.inspector.access.conftest import OTHER, OWN, PASSWORD

SCRIPT = '"><script>alert(1)</script>'
HTML = {"accept": "text/html"}


@pytest.fixture
def admin(inspector):
    return inspector.person("ada", {"*": Role.ADMIN})


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static//etc/passwd",
        "/static/css/..%5c..%5capp.py",
        "/p/..%2f..%2fetc/images",
        "/p/%2e%2e/images/..%2f..%2f..%2fetc%2fpasswd/thumbnail",
        f"/p/{OWN}/images/..%2f..%2f..%2f..%2fetc%2fpasswd/picture",
        f"/p/{OWN}/images/%00/thumbnail",
        f"/p/{OWN}/datasets/..%2f..%2f..%2fhome",
        f"/p/{OWN}/models/..%2f..%2f..%2fhome",
        f"/p/{OWN}/evaluations/..%2f..%2f..%2fhome",
        f"/p/{OWN}/assigned?batch=../../../etc",
    ],
)
def test_path_traversal(admin, path):
    answer = admin.get(path)
    assert 400 <= answer.status_code < 500, answer.status_code
    assert b"root:" not in answer.content
    assert b"create_app" not in answer.content


def test_script_in_what_the_pages_of_access_show(inspector, admin):
    """A batch, reason, token, browser, filter or address with script in it is shown as text."""
    inspector.log  # noqa: B018
    audit = inspector.app.state.audit_log
    from cv_pipeline.inspector.audit import Entry

    audit.append(
        Entry(SCRIPT, SCRIPT, user=SCRIPT, project=SCRIPT, why=SCRIPT, details={SCRIPT: [SCRIPT]})
    )
    made = {"name": SCRIPT, "scopes": ["view"]}
    assert admin.post("/api/v1/account/tokens", json=made).status_code == 201
    agent = inspector.client(user_agent=SCRIPT)
    agent.post("/api/v1/signin", json={"name": "ada", "password": PASSWORD})
    pages = {
        "/audit": admin.get("/audit", headers=HTML),
        "filtered": admin.get("/audit", params={"user": SCRIPT, "target": SCRIPT}, headers=HTML),
        "/account": admin.get("/account", headers=HTML),
        "next": inspector.client().get("/signin", params={"next": "/" + SCRIPT}, headers=HTML),
        "needed": inspector.client().get("/people", params={"x": SCRIPT}, headers=HTML),
        "no batch": admin.get(f"/p/{OWN}/evaluations/{SCRIPT}", headers=HTML),
        "no page": admin.get(f"/{SCRIPT}", headers=HTML),
    }
    for name, answer in pages.items():
        assert "<script>alert" not in answer.text, name
        assert "text/html" in answer.headers["content-type"], name
    assert "&lt;script&gt;alert" in pages["/audit"].text
    assert "&lt;script&gt;alert" in pages["/account"].text


def test_no_answer_lets_a_script_of_its_own_page_run(admin):
    """Were something not escaped, the policy would still not run it."""
    policy = dict(
        part.strip().partition(" ")[::2] for part in SECURITY["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["base-uri"] == "'none'"
    for path in ("/", "/people", "/audit", "/account", "/nowhere"):
        text = admin.get(path, headers=HTML).text
        assert " style=" not in text
        assert " onclick=" not in text
        assert "<script>" not in text


def test_clickjacking(inspector, admin):
    for client in (admin, inspector.client()):
        for path in ("/", "/signin", "/api/v1/health", "/static/css/app.css", "/nowhere"):
            policy = client.get(path).headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, path


@pytest.mark.parametrize("sql", ["' OR '1'='1", "'; DROP TABLE users; --", "%", "\\", "\x00"])
def test_sql_in_what_is_asked(inspector, admin, sql):
    answer = admin.get("/api/v1/audit", params={"user": sql, "action": sql, "target": sql})
    assert (answer.status_code, answer.json()["lines"]) == (200, [])
    body = {"name": sql, "password": PASSWORD}
    assert inspector.client().post("/api/v1/signin", json=body).status_code == 401
    query = admin.get(f"/api/v1/p/{OWN}/images", params={"q": f"label = '{sql}' UNION SELECT 1"})
    assert query.status_code == 422 or query.json()["problem"]
    assert [a.name for a in inspector.door.accounts.list()] == ["ada"]


def test_mass_assignment(inspector, admin):
    """What a form does not have cannot be set by sending it along."""
    eve = inspector.person("eve", {OWN: Role.VIEWER})
    extra = {"roles": {"*": "admin"}, "disabled": False, "id": 1, "subject": "x", "user": "ada"}
    for name, value in extra.items():
        body = {"current": PASSWORD, "new": "another long password", name: value}
        assert eve.post("/api/v1/account/password", json=body).status_code == 422
        sign = {"name": "eve", "password": PASSWORD, name: value}
        assert inspector.client().post("/api/v1/signin", json=sign).status_code == 422
    person = {"name": "new", "password": PASSWORD, "roles": {}, "id": 1}
    assert admin.post("/api/v1/people", json=person).status_code == 422
    assert admin.put("/api/v1/people/eve/disabled", json={"disabled": False, "roles": {}}).is_error
    assert inspector.door.accounts.get("eve").roles == {OWN: Role.VIEWER}


def test_every_body_refuses_what_it_does_not_know(inspector):
    """So that no route that is made later can be assigned more than it names."""
    schema = inspector.app.openapi()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            for given in content.values():
                name = given["schema"].get("$ref", "").rpartition("/")[2]
                if name:
                    model = schema["components"]["schemas"][name]
                    assert model.get("additionalProperties") is False, (method, path, name)


def test_oversize_bodies_whether_or_not_they_say_so(inspector):
    """By a stated length, by chunks that go on and on, and with a length that is a lie."""
    most = inspector.door.settings.max_body_bytes
    client = inspector.client()
    stated = client.post("/api/v1/signin", content=b"x" * (most + 1))
    assert stated.status_code == 413
    sent = 0

    def chunks():
        nonlocal sent
        while sent < 40 * most:
            sent += 1_000_000
            yield b"x" * 1_000_000

    assert client.post("/api/v1/signin", content=chunks()).status_code == 413
    assert client.post("/api/v1/signin", headers={"content-length": "-1"}).status_code == 413
    assert client.post("/api/v1/signin", headers={"content-length": "1e9"}).status_code == 413


def test_a_body_that_goes_on_and_on_is_not_read_to_its_end(served):
    """Over a real connection: the answer comes while the sender would still send."""
    most = served.settings.max_body_bytes
    with socket.create_connection(served.address, timeout=20) as connection:
        connection.sendall(
            b"POST /api/v1/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent, block = 0, b"x" * 65_536
        try:
            while sent <= 4 * most:
                connection.sendall(b"10000\r\n" + block + b"\r\n")
                sent += len(block)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while b"\r\n" not in answer and (part := connection.recv(4096)):
                answer += part
        except ConnectionResetError:
            pass
    assert b" 413 " in answer.partition(b"\r\n")[0] or sent <= 4 * most


def test_nested_without_end(admin):
    body = b"[" * 200_000
    answer = admin.post(
        "/api/v1/people", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it has very many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"\0" * 1_000_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def test_decompression_bombs_by_upload(inspector, admin):
    """Nothing unpacks what is sent: no packed body is taken, and no route takes a file at all."""
    packed = gzip.compress(b"0" * 5_000_000)
    for coding in ("gzip", "deflate", "br", "zstd"):
        answer = admin.post("/api/v1/people", content=packed, headers={"content-encoding": coding})
        assert answer.status_code == 415, coding
    for route in inspector.app.routes:
        if isinstance(route, APIRoute):
            for field in route.dependant.body_params:
                assert field.field_info.annotation is not UploadFile, route.path
    for path in ("/api/v1/people", "/api/v1/signin", f"/api/v1/p/{OWN}/batches/x/assignees"):
        file = ("bomb.png", io.BytesIO(bomb(60_000, 60_000)), "image/png")
        answer = admin.post(path, files={"file": file})
        assert answer.status_code in (404, 422), path


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        " //evil.example",
        "evil.example",
        "/@evil.example/../\\evil",
        "",
        "/signout",
        "/signin?next=/signin",
    ],
)
def test_open_redirect(inspector, wanted):
    assert safe_next(wanted) == "/"
    inspector.door.accounts.add("ada", password=PASSWORD)
    body = {"name": "ada", "password": PASSWORD, "next": wanted}
    assert inspector.client().post("/api/v1/signin", json=body).json()["next"] == "/"
    assert inspector.client().get("/api/v1/signin", params={"next": wanted}).json()["next"] == "/"


@pytest.mark.parametrize("wanted", ["/", "/p/fruit/images?q=label%20%3D%20'a'&sort=x", "/people"])
def test_a_page_here_is_led_to(wanted):
    assert safe_next(wanted) == wanted


LOOPBACK = ["http://127.0.0.1:{port}/", "//localhost:{port}"]


def test_server_side_requests_to_loopback(inspector, admin):
    """No value that a request sends is an address that the server then asks."""
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.3)
    port = listener.getsockname()[1]
    schema = inspector.app.openapi()
    for text in LOOPBACK:
        address = text.format(port=port)
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                if method != "get":
                    continue
                named = {p["name"]: address for p in operation.get("parameters", ())}
                filled = path.replace("{project}", OWN)
                for name in named:
                    filled = filled.replace(f"{{{name}}}", "x")
                values = {n: v for n, v in named.items() if f"{{{n}}}" not in path}
                admin.get(filled, params=values)
        for body in ({"name": address, "password": address, "next": address},):
            inspector.client().post("/api/v1/signin", json=body)
        admin.get("/signin/provider", params={"next": address, "issuer": address})
    with contextlib.suppress(TimeoutError):
        asked.append(listener.accept())
    listener.close()
    assert asked == []


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.nip.io"])
def test_another_host_s_name(inspector, host):
    """As when a name of an attacker's leads here (DNS rebinding), or a link is made of it."""
    answer = inspector.client(host=host).get("/api/v1/health")
    assert answer.status_code == 421
    for known in ("localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"):
        assert inspector.client(host=known).get("/api/v1/health").status_code == 200, known


def test_cross_site_requests_before_anybody_is_signed_in(inspector):
    """Login CSRF: another site cannot sign a browser in to an account of its choice."""
    inspector.door.accounts.add("eve", password=PASSWORD)
    body = {"name": "eve", "password": PASSWORD}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        answer = inspector.client().post("/api/v1/signin", json=body, headers=headers)
        assert answer.status_code == 403, headers
        assert "set-cookie" not in answer.headers
    same = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    assert inspector.client().post("/api/v1/signin", json=body, headers=same).status_code == 200


def test_a_form_of_another_kind_is_no_json(inspector):
    """A plain form, which another site could send without asking, is not taken for JSON."""
    inspector.door.accounts.add("eve", password=PASSWORD)
    body = json.dumps({"name": "eve", "password": PASSWORD})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = inspector.client().post(
            "/api/v1/signin", content=body, headers={"content-type": kind}
        )
        assert answer.status_code == 422, kind


def test_what_is_answered_is_kept_by_no_cache(admin):
    for path in ("/", "/account", "/api/v1/account", "/audit"):
        assert admin.get(path).headers["cache-control"] == "no-store", path


class Served:
    """An inspector on a real port."""

    def __init__(self, inspector, settings):
        self.settings = settings
        config = uvicorn.Config(inspector.app, port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            pass
        self.address = self._server.servers[0].sockets[0].getsockname()

    def stop(self):
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def served(open_inspector):
    settings = Settings(max_body_bytes=1_000_000)
    served = Served(open_inspector(settings), settings)
    yield served
    served.stop()


def test_an_admin_of_one_project_is_told_nothing_of_another(inspector, admin):
    inspector.person("eve", {OTHER: Role.REVIEWER, "*": Role.VIEWER})
    owner = inspector.person("own", {OWN: Role.ADMIN})
    path = f"/api/v1/people/eve/roles/{OWN}"
    told = owner.put(path, json={"role": "engineer"}).json()
    assert (told["roles"], told["signed_in_at"]) == ({OWN: "engineer"}, None)
    whole = admin.put(path, json={"role": "viewer"}).json()["roles"]
    assert whole == {OWN: "viewer", OTHER: "reviewer", "*": "viewer"}


@pytest.mark.parametrize(
    "host", ["localhost:80@evil.example", "localhost:80/static/", "localhost:", "localhost:x"]
)
def test_what_stands_behind_the_name_of_a_host_is_a_port(inspector, host):
    client = inspector.client()
    assert client.get("/api/v1/health", headers={"host": host}).status_code == 421
    assert client.get("/api/v1/health", headers={"host": "localhost:8000"}).status_code == 200
    assert client.get("/api/v1/health", headers={"host": "[::1]:8000"}).status_code == 200


def test_a_run_for_an_investigation_of_another_project_is_not_launched(inspector, monkeypatch):
    from cv_pipeline.inspector.investigations.store import Investigations
    from cv_pipeline.inspector.pages import corrective

    monkeypatch.setattr(corrective, "launch", lambda *_, **__: pytest.fail("it was launched"))
    eve = inspector.person("eve", {OWN: Role.ENGINEER})
    others = "a" * 24
    Investigations(inspector.workspace.database).link_run(OTHER, others, run_id="r", user="ada")
    for name in (others, "../../signin", "javascript:alert(1)"):
        asked = {"query": "all images", "investigation": name}
        answer = eve.post(f"/api/v1/p/{OWN}/corrective", json=asked)
        assert answer.status_code == 404, answer.text
