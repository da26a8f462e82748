"""``cvp user``, ``token`` and ``audit``."""

from __future__ import annotations

import json
import sqlite3

import pyotp
import pytest
from typer.testing import CliRunner

from cv_pipeline.cli import app
from cv_pipeline.cli.user import open_door
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.access.authenticator import AccountAuthenticator
from cv_pipeline.inspector.access.sessions import Sessions
from cv_pipeline.inspector.access.tokens import Tokens
from cv_pipeline.inspector.database import open_database

PASSWORD = "correct horse battery"


@pytest.fixture
def cvp(tmp_path, monkeypatch):
    monkeypatch.setenv("CV_HOME", str(tmp_path))
    monkeypatch.setenv("CV_ACTOR", "operator")

    def run(*command, given="", status=0):
        done = CliRunner().invoke(app, command, input=given)
        assert done.exit_code == status, (done.output, done.exception)
        return done.stdout

    return run


def refused(cvp, *command, given="", match):
    done = CliRunner().invoke(app, command, input=given)
    assert isinstance(done.exception, CVPipelineError), done.output
    assert match in str(done.exception)


def test_accounts_are_made_changed_and_disabled(cvp):
    assert "There is no account yet" in cvp("user", "list")
    made = cvp("user", "add", "ada", "--role", "admin", "--password-stdin", given=PASSWORD)
    assert made == "ada made: admin in *\n"
    command = ("user", "add", "bob", "--role", "annotator", "--project", "fruit")
    cvp(*command, "--password-stdin", given=PASSWORD)
    cvp("user", "role", "bob", "reviewer", "--project", "fruit")
    listed = json.loads(cvp("user", "list", "--json"))
    assert [(a["name"], a["roles"]) for a in listed] == [
        ("ada", {"*": "admin"}),
        ("bob", {"fruit": "reviewer"}),
    ]
    cvp("user", "role", "bob", "none", "--project", "fruit")
    assert "bob disabled: no role yet" in cvp("user", "disable", "bob")
    assert "disabled" in cvp("user", "list")
    cvp("user", "disable", "bob", "--undo")
    cvp("user", "password", "bob", "--password-stdin", given="another long password\n")
    actions = [line["action"] for line in json.loads(cvp("audit", "list", "--json"))]
    assert actions == [
        "user.password",
        "user.enable",
        "user.disable",
        "user.role",
        "user.role",
        "user.add",
        "user.add",
    ]


def test_who_lost_a_second_factor_is_let_in_again(cvp):
    cvp("user", "add", "ada", "--role", "admin", "--password-stdin", given=PASSWORD)
    factors = open_door().second_factors
    secret = factors.begin("ada").secret
    factors.confirm("ada", pyotp.TOTP(secret).now())
    assert cvp("user", "second-factor", "ada") == "ada has a second factor.\n"
    assert cvp("user", "second-factor", "ada", "--off") == "ada has no second factor.\n"
    assert not json.loads(cvp("user", "second-factor", "ada", "--json"))["second_factor"]
    [line, _] = json.loads(cvp("audit", "list", "--json"))
    assert (line["action"], line["target"]) == ("user.second_factor.off", "ada")


def test_what_cannot_be_is_refused_with_the_next_thing_to_do(cvp):
    cvp("user", "add", "ada", "--role", "admin", "--password-stdin", given=PASSWORD)
    add = ("user", "add", "ada", "--password-stdin")
    refused(cvp, *add, given=PASSWORD, match="There is an account 'ada' already")
    refused(cvp, "user", "add", "eve", "--password-stdin", given="short", match="signs")
    refused(cvp, "user", "add", "eve", given=PASSWORD, match="--password-stdin")
    refused(cvp, "user", "role", "adaa", "viewer", match="Did you mean 'ada'?")
    refused(cvp, "user", "disable", "ada", match="No admin of every project")
    refused(cvp, "token", "create", "eve", "--name", "x", match="There is no account 'eve'")
    refused(cvp, "token", "create", "ada", "--name", "x", "--scope", "vieww", match="mean 'view'")
    refused(cvp, "token", "revoke", "0", match="There is no token '0'")
    refused(cvp, "audit", "verify", "--head", "x", match="is not a head")


def test_a_token_of_the_command_line_signs_in(cvp, tmp_path):
    cvp("user", "add", "ada", "--role", "admin", "--password-stdin", given=PASSWORD)
    command = ("token", "create", "ada", "--name", "nightly", "--days", "7")
    secret = cvp(*command, "--scope", "view", "--scope", "launch").splitlines()[0]
    database = open_database(tmp_path)
    ask = AccountAuthenticator(database, sessions=Sessions(database), tokens=Tokens(database))
    from starlette.requests import HTTPConnection

    headers = [(b"authorization", f"Bearer {secret}".encode())]
    connection = HTTPConnection({"type": "http", "headers": headers, "path": "/"})
    # who may view may see the images
    assert ask(connection).scopes == {"view", "assigned", "launch"}
    listed = json.loads(cvp("token", "list", "--json"))
    assert [(t["name"], t["state"]) for t in listed] == [("nightly", "good")]
    assert secret not in json.dumps(listed)
    cvp("token", "revoke", listed[0]["id"])
    with pytest.raises(CVPipelineError, match="is revoked"):
        ask(connection)
    ask.close()
    database.dispose()


def test_the_log_is_checked_and_exported(cvp, tmp_path):
    assert "All 0 lines" in cvp("audit", "verify")
    for name in ("ada", "bob"):
        cvp("user", "add", name, "--role", "admin", "--password-stdin", given=PASSWORD)
    assert "All 2 lines are genuine and none is missing." in cvp("audit", "verify")
    head = json.loads(cvp("audit", "verify", "--json"))["head"]
    assert cvp("audit", "verify", "--head", head)
    lines = [json.loads(line) for line in cvp("audit", "export").splitlines()]
    assert [(x["n"], x["user"], x["means"], x["target"]) for x in lines] == [
        (1, "operator", "cli", "ada"),
        (2, "operator", "cli", "bob"),
    ]
    file = tmp_path / "audit.csv"
    cvp("audit", "export", str(file), "--format", "csv", "--user", "operator")
    assert len(file.read_text().splitlines()) == 3
    assert "user.add" in cvp("audit", "list", "--action", "user", "--limit", "1")
    assert "Nothing was written down" in cvp("audit", "list", "--project", "fruit")
    with sqlite3.connect(tmp_path / "inspector" / "audit" / "audit.db") as connection:
        connection.execute("DROP TRIGGER never_changed")
        connection.execute("UPDATE lines SET text = replace(text, 'bob', 'eve') WHERE n = 2")
    connection.close()
    told = cvp("audit", "verify", status=1)
    assert "Line 2 was altered" in told
    assert json.loads(cvp("audit", "verify", "--json", status=1))["faults"][0]["first"] == 2


def test_no_cell_of_an_export_is_a_formula(cvp, tmp_path):
    from cv_pipeline.inspector.audit import AuditLog, Entry

    log = AuditLog(tmp_path)
    for sign in "=+-@":
        log.append(Entry("tag.set", f"{sign}cmd|' /C calc'!A0", user="ada"))
    log.close()
    table = cvp("audit", "export", "--format", "csv")
    assert table.count("'=cmd") == table.count("'@cmd") == 1
    assert ",=" not in table
    assert ",@" not in table
