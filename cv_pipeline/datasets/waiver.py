"""A waiver: somebody's word, with a reason, that failed checks shall not stop one very candidate.

Its digest covers everything that it says, so that a waiver that was changed shows; whether it is
one at all is for its signature to tell, which lies beside it where waivers are recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.datasets.verdict import Verdict

SCHEMA_ID = "waiver/1"


class Waiver(BaseModel):
    """What somebody let pass, and why.

    Attributes:
        schema_id: version of this layout.
        digest: SHA-256 over all the rest.
        project: the project.
        candidate: digest of the candidate.
        storage_id: its materialization: the waiver is for this one alone.
        checks: names of the checks that failed and shall not stop it, sorted.
        summaries: what each of them said.
        actor: who waived them.
        role: in which role.
        reason: why, in words.
        at: when, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_id: Literal["waiver/1"] = "waiver/1"
    digest: str = ""
    project: str
    candidate: str
    storage_id: int
    checks: tuple[str, ...]
    summaries: dict[str, str]
    actor: str
    role: str
    reason: str
    at: datetime

    def signed(self) -> Waiver:
        """The same waiver with its digest."""
        return self.model_copy(update={"digest": self.content_digest})

    @property
    def content_digest(self) -> str:
        """SHA-256 of what it says."""
        content = self.model_dump(mode="json", exclude={"digest"})
        return combined_digest(SCHEMA_ID, json.dumps(content, sort_keys=True, allow_nan=False))


def unwaived(verdicts: Iterable[Verdict], waivers: Sequence[Waiver]) -> list[Verdict]:
    """The verdicts that stop a candidate, those that are waived left out.

    Args:
        verdicts: on the candidate.
        waivers: of that very candidate, each verified.
    """
    waived = {name for waiver in waivers for name in waiver.checks}
    return [v for v in verdicts if v.blocks and v.check not in waived]


def waivers_needed(verdicts: Iterable[Verdict], waivers: Sequence[Waiver]) -> tuple[Waiver, ...]:
    """The waivers without which some verdict would stop the candidate, oldest first."""
    failed = {v.check for v in verdicts if v.blocks}
    used = [w for w in waivers if failed.intersection(w.checks)]
    return tuple(sorted(used, key=lambda w: (w.at, w.digest)))
