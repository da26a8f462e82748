from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas.slices import SLICES
from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.verdict.champion import Rival, Standing, decide
from cv_pipeline.evaluation.verdict.table import VERDICT, verdict_table
from cv_pipeline.evaluation.verdict.verdict import Verdict, judge
from cv_pipeline.requirement import Requirement


@dataclass
class Record:
    digest: str = "e" * 64
    model: str = "m" * 64
    dataset: str = "d" * 64
    split: str = "test"
    metric: str = "AP50"
    metrics: dict[str, float] = field(default_factory=lambda: {"AP50": 0.7, "ece": 0.04})
    intervals: dict[str, Interval] = field(
        default_factory=lambda: {"AP50": Interval(0.7, 0.65, 0.75)}
    )


@dataclass
class Evaluation:
    record: Record
    slices: pa.Table


ROWS: list[tuple[Any, ...]] = [
    # key, value, label, metric, value, low, high, images, objects, small
    ("", "", None, "recall", 0.8, 0.75, 0.85, 100, 300, False),
    ("", "", "tomato", "recall", 0.6, 0.55, 0.65, 80, 90, False),
    ("", "", "plum", "recall", None, None, None, 4, 0, True),
    ("lighting", "dim", "tomato", "recall", 0.3, 0.1, 0.62, 4, 5, True),
    ("lighting", "dim", None, "recall", 0.5, 0.4, 0.6, 20, 40, False),
    ("lighting", None, None, "recall", 0.9, 0.85, 0.95, 20, 40, False),
]


def evaluation(**record: Any) -> Any:
    names = ("slice_key", "slice_value", "label", "metric", "value", "low", "high")
    made = Record(**record)
    rows = [
        dict(zip((*names, "images", "objects", "small"), row, strict=True)) | {"split": made.split}
        for row in ROWS
    ]
    filled = [
        {f.name: False if pa.types.is_boolean(f.type) else None for f in SLICES} | row
        for row in rows
    ]
    return Evaluation(made, pa.Table.from_pylist(filled, schema=SLICES))


def only(found: Verdict) -> tuple[bool, float | None, str]:
    (one,) = found.requirements
    return one.passed, one.value, one.why


@pytest.mark.parametrize(
    ("requirement", "passed", "value", "why"),
    [
        # the whole: the evaluation's own number and interval
        ({"metric": "AP50", "at_least": 0.6}, True, 0.7, "it is 0.7 (0.65 to 0.75)"),
        # met, but the interval holds the limit
        ({"metric": "AP50", "at_least": 0.7}, True, 0.7, "not surely"),
        ({"metric": "AP50", "at_least": 0.71}, False, 0.7, "it is 0.7"),
        # a recorded number without an interval, with an upper limit
        ({"metric": "ece", "at_most": 0.05}, True, 0.04, "it is 0.04"),
        # a class, a slice, a class in a slice, and the images that have no value
        ({"metric": "recall", "label": "tomato", "at_least": 0.6}, True, 0.6, "not surely"),
        ({"metric": "recall", "slice": "lighting=dim", "at_least": 0.6}, False, 0.5, "0.5"),
        (
            {"metric": "recall", "label": "tomato", "slice": "lighting = dim", "at_least": 0.2},
            True,
            0.3,
            "not surely: the interval holds the limit, of only 4 images",
        ),
        # not defined, not there, not measured: not met
        ({"metric": "recall", "label": "plum", "at_least": 0}, False, None, "not defined"),
        ({"metric": "recall", "label": "pear", "at_least": 0}, False, None, "no object of pear"),
        ({"metric": "recall", "slice": "lighting=dimm", "at_least": 0}, False, None, "'dim'"),
        ({"metric": "recall", "slice": "site=a", "at_least": 0}, False, None, "has site"),
        ({"metric": "AP75", "at_least": 0}, False, None, "no AP75 there"),
        ({"metric": "weights", "at_most": 9e9}, False, None, "predict again"),
        # a cost
        ({"metric": "latency_p95_ms", "at_most": 100}, True, 99.5, "it is 99.5"),
        ({"metric": "throughput_images_per_s", "at_least": 10}, False, 5.0, "it is 5"),
    ],
)
def test_each_requirement_is_held_against_what_was_found(requirement, passed, value, why):
    costs = {"latency_p95_ms": 99.5, "throughput_images_per_s": 5.0}
    found = judge([Requirement.model_validate(requirement)], evaluation(), costs)
    assert only(found)[:2] == (passed, value)
    assert why in only(found)[2]
    assert found.passed is passed


def test_the_verdict_passes_only_with_all_of_them():
    both = [
        Requirement(metric="AP50", at_least=0.5),
        Requirement(metric="recall", label="tomato", at_least=0.9),
    ]
    found = judge(both, evaluation(), {})
    assert not found.passed
    assert "1 of 2 requirements are not met: recall of tomato at least 0.9" in found.summary
    assert verdict_table(found).schema.equals(VERDICT)
    assert verdict_table(found)["passed"].to_pylist() == [True, False]
    assert judge(both[:1], evaluation(), {}).passed
    assert judge([], evaluation(), {}).passed


def test_only_the_test_split_is_unseen():
    one = [Requirement(metric="AP50", at_least=0.5)]
    found = judge(one, evaluation(split="val"), {})
    assert not found.passed
    assert not found.requirements[0].passed
    assert "the test split has no ground truth" in found.summary
    assert not judge([], evaluation(split="val"), {}).passed


def test_without_the_optimizing_metric_there_is_no_verdict():
    found = judge([], evaluation(metrics={}), {})
    assert not found.passed
    assert "AP50 is not defined" in found.summary


PASSED = judge([], evaluation(), {})
FAILED = judge([Requirement(metric="AP50", at_least=0.9)], evaluation(), {})
CHAMPION = Standing(model="c" * 64, dataset="o" * 64, evaluation="x" * 64)
SAME, OTHER = "d" * 64, "o" * 64


@pytest.mark.parametrize(
    ("verdict", "champion", "rival", "outcome", "reason"),
    [
        # nobody was champion
        (PASSED, None, None, "promoted", "There was no champion"),
        (FAILED, None, None, "refused", "requirements are not met"),
        # better, as good, worse, on the same dataset version
        (PASSED, CHAMPION, Rival(0.6, SAME), "promoted", "on the same dataset version"),
        (PASSED, CHAMPION, Rival(0.7, SAME), "promoted", "It is not worse"),
        (PASSED, CHAMPION, Rival(0.7001, SAME), "kept", "It is worse than the champion"),
        # better than the champion, but not good enough
        (FAILED, CHAMPION, Rival(0.1, SAME), "refused", "requirements are not met"),
        # only a number of other images is known
        (PASSED, CHAMPION, Rival(0.6, OTHER), "promoted", "not on the same images"),
        (PASSED, CHAMPION, Rival(0.8, OTHER), "kept", "not on the same images"),
        (PASSED, CHAMPION, Rival(None, OTHER), "promoted", "was not compared"),
        # it is the champion
        (PASSED, replace(CHAMPION, model="m" * 64), None, "unchanged", "the champion already"),
        (FAILED, replace(CHAMPION, model="m" * 64), None, "unchanged", "not be promoted today"),
    ],
)
def test_who_becomes_champion(verdict, champion, rival, outcome, reason):
    found = decide(verdict, champion, rival)
    assert found.outcome == outcome
    assert reason in found.reason
