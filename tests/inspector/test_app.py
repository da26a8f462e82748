"""What every answer has, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.routes import API, PERMISSION

Client = Callable[[], TestClient]


def test_every_page_has_its_json_twin_and_every_route_says_what_it_needs(inspected: Client) -> None:
    routes = [r for r in inspected().app.routes if isinstance(r, APIRoute)]  # type: ignore[attr-defined]
    twins = {r.path for r in routes if r.path.startswith(API)}
    assert len(twins) > 40
    for route in routes:
        assert Permission(route.openapi_extra[PERMISSION])
    pages = [r for r in routes if not r.path.startswith(API) and r.endpoint.__name__ == "page"]
    for page in pages:
        assert API + page.path in twins, page.path


def test_the_first_page_lists_the_projects_in_both_forms(inspected: Client) -> None:
    client = inspected()
    assert [p["name"] for p in client.get(f"{API}/").json()["projects"]] == ["large"]
    page = client.get("/", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert 'href="/p/large"' in page.text


def test_what_is_not_there_says_so_in_the_form_that_was_asked_for(inspected: Client) -> None:
    client = inspected()
    missing = client.get(f"{API}/nothing")
    assert (missing.status_code, missing.json()["error"]) == (404, "There is no such page.")
    page = client.get("/p/nowhere/images", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "<h1>" in page.text


def test_every_answer_is_protected(inspected: Client) -> None:
    for path in ("/", f"{API}/health", "/static/css/app.css"):
        headers = inspected().get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_every_model_of_the_api_has_a_name_of_its_own(inspected: Client) -> None:
    """FastAPI names those that share one by their module, which no client should have to type."""
    described = inspected().get(f"{API}/openapi.json").json()["components"]["schemas"]
    assert not [name for name in described if "__" in name]
