"""A statement while it is written: the values bound in it, and the relations that it reads.

Names of parameters and relations are made here from counters, never from a query's text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cv_pipeline.catalog.query.fields import Relation

Parameter = str | int | float | bool
ReferenceKind = Literal["dataset", "predictions", "results", "similar"]


@dataclass(frozen=True)
class Reference:
    """Something outside the snapshot that a statement reads.

    Attributes:
        kind: a dataset version, the predictions of a model, its results per image, or the
            similarity of all images to one.
        ref: how the query names it.
        relation: name of its relation in the statement.
    """

    kind: ReferenceKind
    ref: str
    relation: str


@dataclass
class Statement:
    """What a statement has come to need so far.

    Attributes:
        parameters: values bound in it, by name.
        references: what it reads from outside the snapshot.
        relations: what it reads of the snapshot.
        joins: relations joined for their values.
    """

    parameters: dict[str, Parameter] = field(default_factory=dict)
    references: dict[tuple[ReferenceKind, str], Reference] = field(default_factory=dict)
    relations: set[str] = field(default_factory=set)
    joins: int = 0

    def bind(self, value: Parameter) -> str:
        """Bind a value; what comes back stands for it in the statement."""
        name = f"p{len(self.parameters) + 1}"
        self.parameters[name] = value
        return f"${name}"

    def refer(self, kind: ReferenceKind, ref: str) -> str:
        """Name of the relation of a reference; the same one for the same reference."""
        known = self.references.get((kind, ref))
        if known is None:
            number = 1 + sum(k == kind for k, _ in self.references)
            known = Reference(kind, ref, f"{kind}_{number}")
            self.references[kind, ref] = known
        return known.relation

    def read(self, relation: Relation) -> str:
        """Name of a relation of the snapshot, noted as read."""
        self.relations.add(relation)
        return relation

    def name_join(self) -> str:
        """A new name for a relation that is joined."""
        self.joins += 1
        return f"by_{self.joins}"
