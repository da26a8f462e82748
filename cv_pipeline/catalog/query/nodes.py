"""What a query says, as frozen values: the text form and the keyword form both come to these.

Two queries that say the same in the same words are equal. Nodes only hold; whether a field exists
and may be compared in that way is for :mod:`cv_pipeline.catalog.query.checks` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Value = str | int | float | bool
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "starts with"]
Block = Literal["annotations", "predictions", "dataset", "results"]
ErrorKind = Literal["any", "false_negative", "false_positive"]


@dataclass(frozen=True)
class Field:
    """A field of an image, or within brackets of one row about it.

    Attributes:
        name: canonical name in the registry, such as ``width`` or ``metadata``.
        key: which one, of a field that stands for many: a metadata key, the name of an attribute,
            the image that similarity is measured to, the model that results are of.
    """

    name: str
    key: str | None = None


@dataclass(frozen=True)
class Rows:
    """How many rows about an image meet a condition.

    Attributes:
        of: which rows.
        ref: the model or dataset version that they belong to; None for annotations.
        condition: what they must meet, in the fields of such a row; None for all rows.
    """

    of: Block
    ref: str | None = None
    condition: Condition | None = None


@dataclass(frozen=True)
class Errors:
    """How many errors a model made on an image; unknown where it was not evaluated.

    Attributes:
        model: reference of the model.
        kind: which errors; ``any`` adds them up.
    """

    model: str
    kind: ErrorKind = "any"


Operand = Field | Rows | Errors


@dataclass(frozen=True)
class Comparison:
    """An operand compared with one value."""

    operand: Operand
    operator: Operator
    value: Value


@dataclass(frozen=True)
class Membership:
    """An operand that is one of several values."""

    operand: Operand
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Between:
    """An operand that lies between two values, both included."""

    operand: Operand
    low: Value
    high: Value


@dataclass(frozen=True)
class Presence:
    """An operand whose value is known."""

    operand: Operand


@dataclass(frozen=True)
class And:
    """Several conditions that all hold; never directly holds another ``And``."""

    operands: tuple[Condition, ...]

    def __post_init__(self) -> None:
        """Take the operands of one directly within as its own."""
        flat: list[Condition] = []
        for operand in self.operands:
            flat.extend(operand.operands if isinstance(operand, And) else (operand,))
        object.__setattr__(self, "operands", tuple(flat))


@dataclass(frozen=True)
class Or:
    """Several conditions of which at least one holds; never directly holds another ``Or``."""

    operands: tuple[Condition, ...]

    def __post_init__(self) -> None:
        """Take the operands of one directly within as its own."""
        flat: list[Condition] = []
        for operand in self.operands:
            flat.extend(operand.operands if isinstance(operand, Or) else (operand,))
        object.__setattr__(self, "operands", tuple(flat))


@dataclass(frozen=True)
class Not:
    """A condition that does not hold."""

    operand: Condition


Test = Comparison | Membership | Between | Presence
Condition = Test | And | Or | Not


@dataclass(frozen=True)
class Sample:
    """So many of the images that meet the condition, drawn by chance.

    Attributes:
        size: images to draw; all of them where there are fewer.
        by: operand whose values are each represented in proportion; None for a plain sample.
        seed: the same seed draws the same images, on any machine.
    """

    size: int
    by: Operand | None = None
    seed: int = 0


@dataclass(frozen=True)
class Order:
    """One key that the images are ordered by."""

    by: Operand
    descending: bool = False


@dataclass(frozen=True)
class QueryNode:
    """A whole query.

    The sample is drawn from the images that meet the condition, the sample is put in order, and
    the limit takes the first of it.

    Attributes:
        where: the condition; None for all images.
        sample: the sample to draw; None for all that meet the condition.
        order_by: keys of the order, the most important first; ties go by image id.
        limit: the most images to return; None for all.
    """

    where: Condition | None = None
    sample: Sample | None = None
    order_by: tuple[Order, ...] = ()
    limit: int | None = None


def all_of(conditions: Sequence[Condition]) -> Condition | None:
    """One condition that holds when all of these do; None when there are none."""
    return And(tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None)
