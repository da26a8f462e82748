from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

from cv_pipeline.evaluation.report.page import Chart, Gallery, Grid, Number, Page, render
from cv_pipeline.evaluation.report.pictures import Picture, mistakes_in_words
from cv_pipeline.evaluation.verdict.verdict import Judged, Verdict

EVIL = "<script>alert('x')</script>\"><img src=http://evil.example/x>"


class Tags(HTMLParser):
    """Collects elements and their attributes, and checks that they are closed in order."""

    VOID = frozenset(("meta", "img", "br", "link", "hr"))

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(text: str) -> Page:
    """A page on which every text is ``text``."""
    picture = Picture(image_id=text, path=text, caption=text, uri="data:image/jpeg;base64,AAAA")
    gone = Picture(image_id=text, path=text, caption="", uri="")
    gallery = Gallery(text, [picture, gone], text, text)
    table = Grid([text, text], [[text, text]])
    verdict = Verdict(
        passed=False,
        evaluation="e" * 64,
        model="m" * 64,
        dataset="d" * 64,
        split=text,
        metric=text,
        value=0.5,
        requirements=(Judged(text, text, 0.5, 0.4, 0.6, False, text),),
        summary=text,
    )
    return Page(
        project=text,
        problem=text,
        task=text,
        split=text,
        images=1234,
        objects=5678,
        made=text,
        numbers=[Number(text, 0.5, 0.4, 0.6, leading=True), Number("without", 0.25)],
        verdict=verdict,
        costs={text: text},
        worst=[gallery],
        slices=table,
        classes=table,
        errors=table,
        charts=[Chart(text, b"\x89PNG", text)],
        hardest=gallery,
        confident=gallery,
        label_errors=gallery,
        activation=table,
        gap=[text],
        gap_table=table,
        suspicions=[{"sentence": text, "do": text}],
        comparison=[text],
        notes=[text],
        conventions={text: text},
        provenance={"evaluation": text, "model": text, text: text},
        commands=[text],
    )


def test_the_page_is_well_formed_and_needs_nothing_beside_itself():
    html = render(page("tomato & orange"))
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    names = [name for name, _ in tags.found]
    assert not {"script", "link", "iframe", "object"} & set(names)
    sources = [a["src"] or "" for name, a in tags.found if name == "img"]
    assert sources
    assert all(s.startswith("data:image/") for s in sources)
    assert not re.search(r"https?:|url\(|@import", html)
    # what a screen reader needs
    assert ("html", {"lang": "en"}) in tags.found
    assert all(a.get("alt") for name, a in tags.found if name == "img")
    assert names.count("h1") == 1
    targets = {a["id"] for _, a in tags.found if "id" in a}
    links = [a["href"] or "" for name, a in tags.found if name == "a"]
    assert {link.removeprefix("#") for link in links} <= targets
    assert "1,234 images" in html
    assert "0.400 to 0.600" in html
    assert "<dt>without</dt><dd>0.250</dd>" in html


def test_whatever_comes_from_data_is_escaped():
    plain, spoilt = Tags(), Tags()
    plain.feed(render(page("x")))
    html = render(page(EVIL))
    spoilt.feed(html)
    assert spoilt.open == []
    # the same elements with the same attributes: nothing broke out of its text
    shape = [(name, sorted(attributes)) for name, attributes in plain.found]
    assert [(name, sorted(attributes)) for name, attributes in spoilt.found] == shape
    assert "<script" not in html


def test_parts_without_content_are_left_out():
    empty = Grid([], [])
    bare = dataclasses.replace(
        page("x"),
        worst=[],
        slices=empty,
        activation=empty,
        comparison=[],
        suspicions=[],
        label_errors=Gallery("", [], "", "No label stands out."),
    )
    html = render(bare)
    assert "No part of the images is worse" in html
    assert "No label stands out." in html
    assert 'href="#activation"' not in html
    assert 'href="#champion"' not in html


def test_mistakes_in_words():
    rows = [
        {"kind": "correct", "truth": "apple", "predicted": "apple", "score": 0.9},
        {"kind": "missed", "truth": "tomato", "predicted": None, "score": None},
        {"kind": "classification", "truth": "tomato", "predicted": "orange", "score": 0.814},
        {"kind": "background", "truth": None, "predicted": "plum", "score": 0.5},
        {"kind": "duplicate", "truth": "pear", "predicted": "pear", "score": 0.4},
        {"kind": "localisation", "truth": "pear", "predicted": "pear", "score": 0.3},
        {"kind": "both", "truth": None, "predicted": "pear", "score": 0.3},
    ]
    assert mistakes_in_words(rows[:4]) == (
        "missed tomato; orange 0.81, which is tomato; plum 0.50, where nothing is"
    )
    assert mistakes_in_words(rows).endswith("pear 0.40, found twice; and 2 more")
    assert mistakes_in_words(rows[:1]) == ""
