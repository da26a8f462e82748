"""Static files are kept by a browser until they change, and are the same module everywhere."""

from __future__ import annotations

import re

import pytest

from cv_pipeline.inspector import static_files
from cv_pipeline.inspector.static_files import FOLDER, KEPT, modules, static


def test_what_is_asked_for_by_its_state_is_kept_and_all_else_asked_for_each_time(inspected):
    client = inspected()
    told = client.get(static("js/app.js"))
    assert told.status_code == 200
    assert told.headers["cache-control"] == KEPT
    assert told.text == (FOLDER / "js" / "app.js").read_text()
    for path in ("/static/js/app.js", "/static/@0123456789ab/js/app.js"):
        asked = client.get(path)
        assert (asked.status_code, asked.text) == (200, told.text)
        assert asked.headers["cache-control"] == "no-cache"
        again = client.get(path, headers={"if-none-match": asked.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["@", "@/", "@x", "@x/../../app.py", "@x/nothing.js", "@x//etc"])
def test_nothing_else_is_reached_through_a_state(inspected, path):
    answer = inspected().get(f"/static/{path}")
    assert answer.status_code == 404
    assert answer.headers["cache-control"] != KEPT


def test_the_address_changes_when_a_file_does(tmp_path, monkeypatch):
    monkeypatch.setattr(static_files, "FOLDER", tmp_path)
    (tmp_path / "a.js").write_text("1")
    static_files._state.cache_clear()
    before = static("a.js")
    (tmp_path / "a.js").write_text("22")
    static_files._state.cache_clear()
    after = static("a.js")
    static_files._state.cache_clear()
    assert before != after


def test_a_page_says_beforehand_which_modules_its_own_will_ask_for(inspected):
    page = inspected().get("/p/large/images", headers={"accept": "text/html"}).text
    ahead = re.findall(r'<link rel="modulepreload" href="([^"]+)"', page)
    assert ahead == modules("js/images/grid.js")
    assert {static("js/app.js"), static("js/images/state.js")} <= {*ahead}
    assert len(ahead) == len({*ahead})
    for address in ahead:
        assert inspected().get(address).status_code == 200


@pytest.mark.parametrize("module", sorted(FOLDER.rglob("*.js")), ids=lambda p: p.stem)
def test_every_module_imports_what_there_is(module):
    name = module.relative_to(FOLDER).as_posix()
    for address in modules(name):
        assert (FOLDER / address.split("/", 3)[3]).is_file(), address
    named = re.findall(r'from "([^"]+)"', module.read_text())
    assert all(found.startswith(".") for found in named)  # of the same state
