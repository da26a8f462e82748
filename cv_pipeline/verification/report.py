"""What a verification found: what was looked at, what differs, and what was taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Progress = Callable[[int, int | None, str], None]
"""Called with how many are done, how many there are in all (None: not known), and what they are."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not what it says.

    Attributes:
        kind: image, dataset, candidate, check, model, predictions, evaluation, file or export.
        thing: which: an image id, a key in the store, or a path.
        what: what is wrong with it, as a sentence.
        do: what to do next.
    """

    kind: str
    thing: str
    what: str
    do: str


@dataclass(frozen=True)
class Report:
    """What a verification found.

    Attributes:
        checked: kind of thing to how many were looked at.
        problems: what differs.
        taken_out: images whose pixels are gone on request, which is no problem.
    """

    checked: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    taken_out: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "ok": self.ok,
            "checked": self.checked,
            "problems": [problem.__dict__ for problem in self.problems],
            "taken_out": list(self.taken_out),
        }


def merged(reports: Iterable[Report]) -> Report:
    """Several reports as one; what two of them name is named once."""
    checked: Counter[str] = Counter()
    problems: dict[Problem, None] = {}
    taken_out: dict[str, None] = {}
    for report in reports:
        checked.update(report.checked)
        problems.update(dict.fromkeys(report.problems))
        taken_out.update(dict.fromkeys(report.taken_out))
    return Report(dict(checked), tuple(problems), tuple(taken_out))
