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


def split_rule_digest(rule: Split) -> str:
    """Name under which the splits of a rule are kept: SHA-256 in hex.

    Neither the number of folds nor the distance of near-duplicates is part of it: who asks for
    other folds, or looks closer, does not ask for test images to be trained on.
    """
    return _digest(rule, "split-rule/1", without={"folds", "near_duplicate_distance"})


def fold_rule_digest(rule: Split) -> str:
    """Name under which the folds of a rule are kept: SHA-256 in hex."""
    return _digest(rule, "fold-rule/1", without={"near_duplicate_distance"})


def _digest(rule: Split, kind: str, *, without: set[str]) -> str:
    values = rule.model_dump(mode="json", exclude={"sticky", *without})
    return combined_digest(kind, json.dumps(values, sort_keys=True, separators=(",", ":")))
