"""What the ontology must fit together with, in the rest of a ``project.yaml``.

Each mistake is a ``ValueError`` whose message begins with the key that it is about.
"""

from __future__ import annotations

from collections.abc import Iterable

from cv_pipeline.errors import nearest
from cv_pipeline.ontology import Ontology


def require_versions(ontology: Ontology, *, made_under: str | None) -> None:
    """Pass if the declared versions are a chain, and the export's version is one of it.

    Args:
        ontology: with its migrations.
        made_under: version that the export of labels was made under; None for the current one.
    """
    if not ontology.migrations and ontology.original is None and made_under is None:
        return
    # Arrow, which a project of one version does not need
    from cv_pipeline.annotations.ontology.chain import Chain

    known = Chain.of(ontology).versions
    if made_under is not None and made_under not in known:
        raise ValueError(
            f"annotations.ontology_version {made_under!r} is no version that a migration leads"
            f" from. {nearest(made_under, known)}"
        )


def require_shapes(ontology: Ontology, *, task: str) -> None:
    """Pass if annotators give what the task learns from."""
    shapes = ontology.shapes(task)
    if task == "classification" and "class" not in shapes:
        raise ValueError("ontology.geometry needs class for the task classification")
    if task == "detection" and not {*shapes} - {"class"}:
        raise ValueError("ontology.geometry needs a shape to draw for the task detection")


def require_edge_cases(ontology: Ontology, cases: Iterable[str]) -> None:
    """Pass if every edge case is an attribute, with one of its values where it has some."""
    key = "labeling.hand_off.gold.edge_cases"
    for place, case in enumerate(cases):
        name, equals, value = (part.strip() for part in case.partition("="))
        if name not in ontology.attributes:
            raise ValueError(
                f"{key}.{place} {name!r} is not an attribute. {nearest(name, ontology.attributes)}"
            )
        values = ontology.attributes[name]
        allowed = values or ("yes", "no")
        if (values and not equals) or (equals and value not in allowed):
            raise ValueError(f"{key}.{place} needs a value of {name!r}. {nearest(value, allowed)}")
