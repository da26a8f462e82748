from __future__ import annotations

from typing import Any

import pyarrow.compute as pc
import pytest

from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.tables import Catalog, CatalogTable


def refusal(file: str, field: str = "", reason: str = "corrupt_image") -> Refusal:
    return Refusal(file, field, reason, f"{file} is bad", fingerprint="f")


def rows(catalog: Catalog) -> dict[tuple[str, str, str], dict[str, Any]]:
    table = catalog.table("quarantine").read()
    return {(r["stage"], r["file"], r["field"]): r for r in table.to_pylist()}


def test_refusals_come_stay_and_go(catalog: Catalog) -> None:
    first = [refusal("a"), refusal("b", "row 2"), refusal("b", "row 3"), refusal("c")]
    reconcile_refusals(catalog, stage="s", refusals=first)
    before = rows(catalog)
    assert sorted(key[1:] for key in before) == [
        ("a", ""),
        ("b", "row 2"),
        ("b", "row 3"),
        ("c", ""),
    ]
    second = [refusal("a"), refusal("b", "row 3"), refusal("c", reason="empty_file"), refusal("d")]
    reconcile_refusals(catalog, stage="s", refusals=second)
    after = rows(catalog)
    assert [key[1:] for key in sorted(after)] == [(r.file, r.field) for r in second]
    for kept in (("s", "a", ""), ("s", "b", "row 3")):  # with the time they were first seen
        assert after[kept] == before[kept]
    assert after["s", "c", ""]["reason"] == "empty_file"


def test_the_same_again_writes_nothing(catalog: Catalog) -> None:
    reconcile_refusals(catalog, stage="s", refusals=[])
    assert catalog.table("quarantine").version == 0
    reconcile_refusals(catalog, stage="s", refusals=[refusal("a"), refusal("b")])
    version = catalog.table("quarantine").version
    reconcile_refusals(catalog, stage="s", refusals=[refusal("b"), refusal("a")])
    assert catalog.table("quarantine").version == version


def test_other_stages_and_parts_are_left_alone(catalog: Catalog) -> None:
    reconcile_refusals(catalog, stage="other", refusals=[refusal("a")])
    reconcile_refusals(catalog, stage="s", refusals=[refusal("a"), refusal("a", "row 2")])
    reconcile_refusals(catalog, stage="s", within=pc.field("field") != "", refusals=[])
    assert sorted(rows(catalog)) == [("other", "a", ""), ("s", "a", "")]


def test_of_two_refusals_of_one_thing_the_first_counts(catalog: Catalog) -> None:
    both = [refusal("a", reason="first"), refusal("a", reason="second")]
    reconcile_refusals(catalog, stage="s", refusals=both)
    assert [r["reason"] for r in rows(catalog).values()] == ["first"]


class Killed(BaseException):
    """The process ends here."""


def test_whoever_is_killed_on_the_way_refuses_too_much_and_never_too_little(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [refusal("a"), refusal("b", "row 2"), refusal("b", "row 3"), refusal("c")]
    reconcile_refusals(catalog, stage="s", refusals=first)
    second = [refusal("b", "row 3"), refusal("b", "row 4"), refusal("d")]

    def killed(*args: Any, **more: Any) -> None:
        raise Killed

    for name in ("merge", "delete"):
        with monkeypatch.context() as patch:
            patch.setattr(CatalogTable, name, killed)
            with pytest.raises(Killed):
                reconcile_refusals(catalog, stage="s", refusals=second)
        assert {("s", "b", "row 3")} <= rows(catalog).keys()
    assert {key[1:] for key in rows(catalog)} == {(r.file, r.field) for r in (*first, *second)}
    reconcile_refusals(catalog, stage="s", refusals=second)
    assert sorted(key[1:] for key in rows(catalog)) == [(r.file, r.field) for r in second]
