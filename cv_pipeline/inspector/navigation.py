"""The parts of the inspector as its navigation lists them, for who may see them."""

from __future__ import annotations

from dataclasses import dataclass

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Permission


@dataclass(frozen=True)
class Section:
    """One entry of the navigation.

    Attributes:
        name: what it is called.
        path: where it leads.
        icon: name of its symbol in ``templates/icons.html``.
        others: addresses that belong to it beside its own, with what is below them.
    """

    name: str
    path: str
    icon: str
    others: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether an address belongs to it."""
        if path == self.path:
            return True
        return any(path == start or path.startswith(f"{start}/") for start in self.others)


_OF_PROJECT: tuple[tuple[str, str, str, Permission, tuple[str, ...]], ...] = (
    ("Board", "", "board", Permission.VIEW, ("/evaluations",)),
    ("Images", "/images", "images", Permission.VIEW, ()),
    ("Queries", "/queries", "query", Permission.VIEW, ()),
    ("Datasets", "/datasets", "dataset", Permission.VIEW, ()),
    ("Models", "/models", "model", Permission.VIEW, ("/compare",)),
    ("Lineage", "/lineage", "lineage", Permission.VIEW, ()),
    ("Runs", "/runs", "play", Permission.VIEW, ()),
    ("Investigations", "/investigations", "investigation", Permission.VIEW, ()),
    ("Labelling", "/labeling", "label", Permission.VIEW, ("/labeling",)),
    ("Ontology", "/ontology", "ontology", Permission.VIEW, ()),
    ("Guideline", "/guideline", "ontology", Permission.ASSIGNED, ()),
    ("Overview", "/overview", "overview", Permission.VIEW, ()),
    ("Assignments", "/assigned", "assigned", Permission.REVIEW, ()),
    ("Your tasks", "/assigned", "assigned", Permission.ASSIGNED, ()),
)


def navigation(access: Access, project: str | None) -> list[Section]:
    """The sections that somebody may see.

    Args:
        access: who asks.
        project: the project that they are in; None outside one.
    """
    sections = []
    if project is not None and access.role(project) is not None:
        base = f"/p/{project}"
        own = [
            Section(name, base + path, icon, tuple(base + o for o in (path, *others) if o))
            for name, path, icon, permission, others in _OF_PROJECT
            if access.may(permission, project)
            and (
                name not in ("Your tasks", "Guideline") or not access.may(Permission.VIEW, project)
            )
        ]
        sections += own
        if access.may(Permission.ADMINISTER, project) and not access.may(Permission.ADMINISTER):
            sections.append(Section("People", f"{base}/people", "people"))
    if access.may(Permission.ADMINISTER):
        sections += [
            Section("People", "/people", "people", ("/people",)),
            Section("Audit log", "/audit", "audit", ("/audit",)),
        ]
    return sections
