"""The split rule as a value that is hashed: what decides which split an image is given.

``sticky`` is no part of it: it says whether earlier assignments are kept, not what they would be.
"""

from __future__ import annotations

import json

from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.project import Split

_FIRST_RULE = {"ratios", "group_by", "seed", "near_duplicate_distance"}
"""What the rule consisted of when ``dataset/1`` was written."""


def canonical_rule(rule: Split, *, schema_id: str) -> str:
    """The rule as canonical JSON: keys sorted, no blanks.

    Args:
        rule: the rule.
        schema_id: of the dataset whose digest covers it; ``dataset/1`` knew fewer keys.
    """
    include = _FIRST_RULE if schema_id == "dataset/1" else set(Split.model_fields) - {"sticky"}
    values = rule.model_dump(mode="json", include=include)
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def rule_digest(rule: Split) -> str:
    """Name under which the assignments of a rule are kept: SHA-256 in hex."""
    return combined_digest("split-rule/1", canonical_rule(rule, schema_id="split-rule/1"))
