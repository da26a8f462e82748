"""Where one is, and what is listed to whom."""

from __future__ import annotations

import pytest

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.navigation import navigation


def access(role: Role, project: str = "fruit") -> Access:
    return Access("ada", {project: role}, means="session")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/p/fruit", ["Board"]),
        ("/p/fruit/evaluations/1a2b", ["Board"]),
        ("/p/fruit/images", ["Images"]),
        ("/p/fruit/images/1a2b", ["Images"]),
        ("/p/fruit/imagesque", []),
        ("/p/fruit/compare", ["Models"]),
        ("/p/fruit/runs/1a2b", ["Runs"]),
    ],
)
def test_one_section_holds_an_address(path, expected):
    sections = navigation(access(Role.ENGINEER), "fruit")
    assert [s.name for s in sections if s.holds(path)] == expected


def test_sections_are_for_who_may_see_them():
    def names(role, project="fruit"):
        return {s.name for s in navigation(access(role, project), "fruit")}

    assert names(Role.ANNOTATOR) == {"Your tasks", "Guideline"}
    assert "People" in names(Role.ADMIN)  # of their project
    assert "People" not in names(Role.ENGINEER)
    assert "Board" in names(Role.VIEWER)
    assert not {"Your tasks", "Assignments"} & names(Role.VIEWER)
    assert "Assignments" in names(Role.REVIEWER)
    assert "Audit log" not in names(Role.ADMIN)
    assert "Audit log" in names(Role.ADMIN, "*")
    assert navigation(access(Role.ADMIN, "other"), "fruit") == []
