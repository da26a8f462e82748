from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.review import Work, ranked
from cv_pipeline.plugins.review.annotator_risk import risks

WORK = Work(
    image_ids=pa.array(["a", "b", "c", "d"]),
    annotator=np.array([0, 1, 2, 1]),
    annotators=("ann", "bob", "cem"),
    right=np.array([90.0, 60.0, 0.0]),
    judged=np.array([100.0, 100.0, 1.0]),
    errors=np.array([0.0, 0.4, 0.9, 0.0]),
)


def test_who_is_often_wrong_comes_first_and_few_judgements_say_little():
    """Together 51.5 of 202 were wrong, 0.255: as if 20 more judgements were like that.

    ann: (10 + 5.099) / 120; bob: (40 + 5.099) / 120; cem, wrong once of once: (1 + 5.099) / 21.
    """
    risk = risks(WORK.right, WORK.judged)
    assert risk == pytest.approx([0.12583, 0.37583, 0.29043], abs=1e-5)
    order, urgency = ranked("annotator_risk", WORK, seed=0)
    assert WORK.image_ids.take(pa.array(order)).to_pylist()[2:] == ["c", "a"]
    assert set(order[:2].tolist()) == {1, 3}
    assert urgency == pytest.approx(risk[[1, 1, 2, 0]])
    firsts = {int(ranked("annotator_risk", WORK, seed=s)[0][0]) for s in range(20)}
    assert firsts == {1, 3}  # among equals, chance decides


def test_nobody_is_free_of_errors_because_none_was_seen():
    assert risks(np.array([10.0]), np.array([10.0])) > 0
    assert risks(np.zeros(1), np.zeros(1)) == pytest.approx([0.5])


def test_the_likeliest_errors_come_first_and_others_not_at_all():
    order, urgency = ranked("label_errors", WORK, seed=0)
    assert order.tolist() == [2, 1]
    assert urgency.tolist() == [0.9, 0.4]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("[1, 2]", r"an array of shape \(2,\) and not \(4,\)"),
        ("[1, 2, 3, float('nan')]", "urgencies that are no numbers, or negative"),
        ("[1, 2, 3, -1]", "urgencies that are no numbers, or negative"),
        ("'x'", "'bad' failed: ValueError"),
    ],
)
def test_what_a_plugin_returns_is_checked(install, returned, said):
    source = f"class Bad:\n    needs = ()\n    def __call__(self, work, *, seed): return {returned}"
    install("bad_review", source, review={"bad": "bad_review:Bad"})
    with pytest.raises(PluginError, match=said):
        ranked("bad", WORK, seed=0)
