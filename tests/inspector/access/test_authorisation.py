"""Every route × every role × own and other project: who gets through, and how others are refused.

The table is made from the routes that there are, so that a new one is in it without being named.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections import Counter

import httpx
import pytest
from fastapi import Response
from fastapi.routing import APIRoute

from cv_pipeline.inspector.access.access import NOBODY, Access
from cv_pipeline.inspector.access.roles import ALLOWED, SCOPES, Permission, Role
from cv_pipeline.inspector.pages.pixels import Asked
from cv_pipeline.inspector.routes import PERMISSION
from tests.inspector.access.conftest import OTHER, OWN

IMAGE = "ab" * 32
PEOPLE: dict[str, Access] = {
    "nobody": NOBODY,
    "without a role": Access("zoe", {}, means="session", csrf="proof"),
    **{
        f"{role} of {OWN}": Access("ada", {OWN: role}, means="session", csrf="proof")
        for role in Role
    },
    "admin of all": Access("ada", {"*": Role.ADMIN}, means="session", csrf="proof"),
    "viewer of all, engineer of own": Access(
        "ada", {"*": Role.VIEWER, OWN: Role.ENGINEER}, means="session", csrf="proof"
    ),
    # tokens: of an admin of all, but limited
    "token to view": Access(
        "ada", {"*": Role.ADMIN}, scopes=frozenset({Permission.VIEW}), means="token"
    ),
    "token to launch in own": Access(
        "ada", {OWN: Role.ADMIN}, scopes=frozenset({Permission.LAUNCH}), means="token"
    ),
    "token for everything": Access(
        "ada", {"*": Role.ADMIN}, scopes=frozenset(SCOPES), means="token"
    ),
    # whose scopes say more than its account may
    "token of a viewer for everything": Access(
        "eve", {OWN: Role.VIEWER}, scopes=frozenset(SCOPES), means="token"
    ),
}


def expected(who: Access, permission: Permission, project: str | None) -> set[int]:
    """What is answered, worked out from the roles alone and not by the code that is tested."""
    through = {204, 422}  # 422: allowed, and then the request lacked what it needs
    if permission is Permission.PUBLIC:
        return through
    if not who.user:
        return {401}
    if permission is Permission.SIGNED_IN:
        return through
    if permission is Permission.ACCOUNT:
        return through if who.means == "session" else {403}
    everywhere = who.roles.get("*")
    role = everywhere
    if project is not None and everywhere is not Role.ADMIN:
        role = who.roles.get(project, everywhere)
    scoped = who.scopes is None or permission in who.scopes
    if role is not None and permission in ALLOWED[role] and scoped:
        return through
    return {404} if project is not None and role is None else {403}


@pytest.fixture
def stubbed(inspector, monkeypatch):
    """The application, whose views answer 204 once everything before them let one through."""

    async def reached(**values: object) -> Response:
        for value in values.values():
            if isinstance(value, Asked):  # which these views look at first; test_assignments.py
                value.seen()
        return Response(status_code=204)

    def reached_too(**_: object) -> Response:
        return Response(status_code=204)

    routes = [route for route in inspector.app.routes if isinstance(route, APIRoute)]
    for route in routes:
        is_async = inspect.iscoroutinefunction(route.endpoint)
        monkeypatch.setattr(route.dependant, "call", reached if is_async else reached_too)
    return inspector, routes


def requests(routes):
    """Each route with each of its methods, for the own and the other project where it has one."""
    for route in routes:
        permission = Permission(route.openapi_extra[PERMISSION])
        projects = (OWN, OTHER) if "{project}" in route.path else (None,)
        for project in projects:
            path = route.path.replace("{project}", project or "")
            path = path.replace("{image_id}", IMAGE)
            path = re.sub(r"\{(level|x|y)\}", "0", path)
            path = re.sub(r"\{[^}]*\}", "1", path)
            for method in sorted(route.methods):
                yield route, method, path, permission, project


def test_who_gets_through_to_which_route(stubbed):
    inspector, routes = stubbed
    assert len(routes) > 40
    wrong: list[str] = []
    answers: Counter[int] = Counter()
    inspector.app.state.authenticator = lambda connection: PEOPLE[connection.headers["x-test"]]

    async def ask() -> None:
        transport = httpx.ASGITransport(inspector.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for name, who in PEOPLE.items():
                for asked in requests(routes):
                    headers = {"x-csrf-token": who.csrf, "x-test": name}
                    answer = await client.request(asked[1], asked[2], headers=headers)
                    answers[answer.status_code] += 1
                    judge(name, who, asked, answer.status_code)

    def judge(name, who, asked, status) -> None:
        route, method, path, permission, project = asked
        right = expected(who, permission, project)
        is_annotator = who.role(project or "") is Role.ANNOTATOR
        if is_annotator and "{image_id}" in route.path and permission is Permission.ASSIGNED:
            right = {404}  # allowed in principle, and no image is assigned
        if status not in right:
            wrong.append(f"{name}: {method} {path} {status}, not {right}")

    asyncio.run(ask())
    assert wrong == []
    assert answers.total() > 1000
    assert min(answers[status] for status in (204, 401, 403, 404)) > 50


def test_every_change_needs_the_page_s_proof(stubbed):
    """CSRF: without its token no route changes anything, whichever it is."""
    inspector, routes = stubbed
    who = PEOPLE["admin of all"]
    inspector.app.state.authenticator = lambda _: who
    client = inspector.client()
    asked = 0
    for _, method, path, _, _ in requests(routes):
        if method in ("GET", "HEAD"):
            continue
        asked += 1
        assert client.request(method, path).status_code == 403, (method, path)
        forged = client.request(method, path, headers={"x-csrf-token": "guessed"})
        assert forged.status_code == 403, (method, path)
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            other = client.request(method, path, headers={"x-csrf-token": who.csrf, **headers})
            assert other.status_code == 403, (method, path, headers)
    assert asked > 15


def test_no_route_takes_a_body_of_any_size(stubbed):
    inspector, routes = stubbed
    who = PEOPLE["admin of all"]
    inspector.app.state.authenticator = lambda _: who
    client = inspector.client(x_csrf_token=who.csrf)
    body = b"x" * 10_000_001
    for _, method, path, _, _ in requests(routes):
        if method in ("POST", "PUT"):
            assert client.request(method, path, content=body).status_code == 413, (method, path)


def test_a_route_that_changes_something_is_no_get():
    """GET is answered without the page's proof, so no GET may launch or waive."""
    from cv_pipeline.inspector.pages import parts

    for part in parts():
        for route in part.router.routes:
            if isinstance(route, APIRoute) and "GET" in route.methods:
                needed = Permission(route.openapi_extra[PERMISSION])
                assert needed not in (Permission.LAUNCH, Permission.WAIVE), route.path
