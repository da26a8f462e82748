"""What a connection says when something else answers than a Label Studio in good health."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cv_pipeline.errors import LabelingError, SettingsError, ToolDenied, ToolUnavailable
from cv_pipeline.labeling.tool import connection as connections
from cv_pipeline.labeling.tool.connection import Connection, connect, require_version, tool_url
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.project import find_project

SHIPPED = Path(__file__).parents[3] / "projects"
SECRET = "aaa.bbb.cccdefghij"
ITS_ERROR = {"status_code": 404, "version": "1.23.2", "detail": "No Project matches."}


class Server:
    """Answers what a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, object, dict[str, str]]] = []
        self.asked: list[tuple[str, str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                asked = self.command, self.path, self.headers.get("authorization", "")
                if self.path == "/api/token/refresh":
                    status, body, more = 200, {"access": "x.y.z"}, {}
                else:
                    server.asked.append(asked)
                    status, body, more = (
                        server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                    )
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            # the names that the server looks for
            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def says(self, *answers: tuple[int, object] | tuple[int, object, dict[str, str]]) -> None:
        self.answers = [(a[0], a[1], a[2] if len(a) > 2 else {}) for a in answers]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(connections, "_FIRST_WAIT", 0.001)
    opened = Server()
    yield opened
    opened.close()


@pytest.fixture
def connection(server) -> Iterator[Connection]:
    opened = Connection(server.url, SECRET)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        ((401, {}), ToolDenied, "does not accept the token"),
        ((403, {"detail": "Not yours."}), ToolDenied, r"does not allow GET /api/x: Not yours\."),
        ((404, ITS_ERROR), LabelingError, r"refused GET /api/x \(404\): No Project matches\."),
        ((400, {"validation_errors": {"title": ["long"]}}), LabelingError, r"'title': \['long'\]"),
        ((500, "<h1>oh</h1>"), ToolUnavailable, r"failed at GET /api/x \(500\): without a reason"),
        ((503, {}), ToolUnavailable, r"\(503\)"),
        ((200, "<html>"), ToolUnavailable, "is not Label Studio"),
        ((302, "", {"location": "https://login.example"}), ToolUnavailable, "login.example"),
    ],
)
def test_each_refusal_is_a_sentence(server, connection, answer, error, told):
    server.says(answer)
    with pytest.raises(error, match=told) as caught:
        connection.get("/api/x")
    assert caught.value.do
    assert SECRET not in str(caught.value)


def test_reading_is_tried_again_and_changing_is_not(server, connection):
    server.says((503, {}), (502, {}), (200, {"well": 1}))
    assert connection.get("/api/x") == {"well": 1}
    server.asked.clear()
    server.says((503, {}))
    with pytest.raises(ToolUnavailable):
        connection.send("POST", "/api/x", {})
    assert len(server.asked) == 1


def test_an_expired_access_is_renewed_once(server, connection):
    server.says((401, {}), (201, {"id": 3}))
    assert connection.send("POST", "/api/x", {}) == {"id": 3}
    assert [a[2] for a in server.asked] == ["Bearer x.y.z"] * 2


def test_a_legacy_token_is_sent_as_it_is(server):
    server.says((200, []))
    connection = Connection(server.url, "0123abcd")
    connection.get("/api/x")
    connection.close()
    assert server.asked[0][2] == "Token 0123abcd"


def test_a_proxy_s_404_is_no_deletion(server, connection):
    server.says((404, "nothing here"))
    with pytest.raises(ToolUnavailable, match="is not Label Studio"):
        connection.found("/api/projects/3/")
    server.says((404, {"detail": "not found"}))
    with pytest.raises(ToolUnavailable, match="is not Label Studio"):
        Tool(connection).project(3)
    server.says((404, ITS_ERROR))
    assert Tool(connection).project(3) is None


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"release": "1.10.1", "label-studio-os-package": {}}, r"is version 1\.10\.1"),
        ({"release": "3.1"}, "is not Label Studio"),
        ([], "is not Label Studio"),
    ],
)
def test_the_version(server, connection, told, error):
    server.says((200, told))
    with pytest.raises(ToolUnavailable, match=error):
        require_version(connection)
    server.says((200, {"release": "1.23.2", "label-studio-os-package": {}}))
    assert require_version(connection) == "1.23.2"


def test_a_list_that_ends_early_is_not_taken_for_the_end(server, connection):
    """Else every task that it leaves out would count as deleted."""
    server.says((200, {"total": 3, "tasks": [{"id": 1, "updated_at": "2026-01-01T00:00:00Z"}]}))
    with pytest.raises(ToolUnavailable, match="in a way that is not known"):
        list(Tool(connection).stubs(1))


@pytest.mark.parametrize("told", [{"detail": "Hm."}, ["results"]])
def test_a_list_of_projects_that_is_none(server, connection, told):
    server.says((200, told))
    with pytest.raises(ToolUnavailable, match="in a way that is not known"):
        Tool(connection).counts()


@pytest.mark.parametrize(
    "url",
    [
        "", "label.example", "ftp://label.example", "http://me:secret@label.example",
        "http://label.example:99999", "http://label.example:eight", "http://[::1",
    ],
)  # fmt: skip
def test_what_is_no_address(url):
    with pytest.raises(SettingsError, match="no address of Label Studio"):
        Connection(url, SECRET)


def test_the_token_stands_nowhere(server, connection, caplog):
    caplog.set_level(logging.DEBUG)
    server.says((200, {}))
    connection.get("/api/x")
    assert SECRET not in repr(connection)
    assert SECRET not in caplog.text


def test_a_project_s_tool_is_the_environment_s(monkeypatch, tmp_path):
    monkeypatch.setenv("CV_HOME", str(tmp_path))  # in which none runs
    monkeypatch.delenv("CV_LABEL_STUDIO_URL", raising=False)
    monkeypatch.delenv("CV_LABEL_STUDIO_TOKEN", raising=False)
    fruit = find_project("fruit", SHIPPED)
    assert tool_url(fruit) is None
    with pytest.raises(SettingsError, match="has no annotation tool"):
        connect(fruit)
    monkeypatch.setenv("CV_LABEL_STUDIO_URL", "http://127.0.0.1:8080")
    with pytest.raises(SettingsError, match="There is no token"):
        connect(fruit)
    monkeypatch.setenv("CV_LABEL_STUDIO_TOKEN", SECRET)
    connection = connect(fruit)
    assert connection.url == "http://127.0.0.1:8080"
    connection.close()


def test_tasks_are_read_as_many_at_once_as_make_answers_of_a_few_megabytes(monkeypatch):
    class Fake:
        last_bytes = 0
        asked: list[int] = []  # noqa: RUF012 - of one test
        each = 0

        def get(self, path, parameters):
            ids = json.loads(parameters["query"])["selectedItems"]["included"]
            self.asked.append(len(ids))
            self.last_bytes = self.each * len(ids)
            return {"tasks": [{"id": i} for i in ids], "total": len(ids)}

    fake = Fake()
    tool = Tool(fake)  # type: ignore[arg-type]
    fake.each = 1_000
    assert sum(len(page) for page in tool.tasks(1, range(1000))) == 1000
    assert fake.asked == [100, 200, 400, 300]
    fake.each = 400_000  # brush strokes
    fake.asked.clear()
    assert sum(len(page) for page in tool.tasks(1, range(430))) == 430
    assert fake.asked == [400, 10, 10, 10]


class Capped:
    """A server that gives few tasks at once, of which some go while they are read."""

    last_bytes = 0

    def __init__(self, tasks, *, most):
        self.tasks = set(tasks)
        self.most = most

    def get(self, path, parameters):
        asked = json.loads(parameters["query"])
        if "selectedItems" in asked:
            found = sorted(self.tasks & set(asked["selectedItems"]["included"]))
        else:
            found = sorted(t for t in self.tasks if t > asked["filters"]["items"][0]["value"])
        shown = found[: self.most]
        # it counts first, and gives what is there by then
        self.tasks.discard(12)
        shown = [{"id": t, "updated_at": "2026-01-01T00:00:00Z"} for t in shown if t in self.tasks]
        return {"tasks": shown, "total": len(found)}


def test_a_server_that_gives_less_at_once_than_is_asked_for_hides_nothing():
    tool = Tool(Capped(range(1, 13), most=3))
    assert [stub.id for stub in tool.stubs(1)] == list(range(1, 12))
    tool = Tool(Capped(range(1, 13), most=3))
    assert sorted(t["id"] for page in tool.tasks(1, range(1, 13)) for t in page) == list(
        range(1, 12)
    )
    assert [stub.id for stub in Tool(Capped([12], most=3)).stubs(1)] == []
