from __future__ import annotations

import numpy as np
import pyarrow as pa

from cv_pipeline.evaluation.slicing.clusters import look_fact
from cv_pipeline.evaluation.slicing.facts import Fact, Value

SIZE = 240


def descriptors(centre: np.ndarray, ids: list[str]) -> pa.Table:
    rng = np.random.default_rng(0)
    vectors = np.eye(64)[centre] + rng.normal(0, 0.02, (len(centre), 64))
    flat = pa.array(vectors.astype(np.float32).ravel())
    return pa.table({"image_id": ids, "descriptor": pa.FixedSizeListArray.from_arrays(flat, 64)})


def test_groups_are_those_that_look_alike_and_are_called_after_what_is_known():
    ids = [f"{n:03}" for n in range(SIZE)]
    centre = np.arange(SIZE) % 3
    lighting = Fact(
        "lighting",
        (centre == 1).astype(np.int32),
        (Value("bright", "lighting = bright", ""), Value("dim", "lighting = dim", "")),
    )
    fact = look_fact(pa.array(ids), descriptors(centre, ids), [lighting], least=10)
    assert fact is not None
    assert fact.name == "look"
    groups = [set(fact.codes[centre == c]) for c in range(3)]
    assert not groups[0] & groups[1]
    assert not groups[1] & groups[2]
    assert not groups[0] & groups[2]
    # most of the dim ones, and three times as many of them as elsewhere
    dim = next(iter(groups[1]))
    assert "lighting = dim" in fact.values[dim].words
    assert "lighting = dim" not in fact.values[next(iter(groups[0]))].words
    again = look_fact(pa.array(ids), descriptors(centre, ids), [lighting], least=10)
    assert again is not None
    assert again.codes.tolist() == fact.codes.tolist()


def test_images_without_a_descriptor_are_in_no_group():
    ids = [f"{n:03}" for n in range(SIZE)]
    known = ids[: SIZE - 5]
    table = descriptors(np.arange(len(known)) % 2, known)
    fact = look_fact(pa.array(ids), table, [], least=10)
    assert fact is not None
    assert set(fact.codes[-5:]) == {len(fact.values)}


def test_few_images_make_no_groups():
    ids = ["a", "b"]
    assert look_fact(pa.array(ids), descriptors(np.array([0, 1]), ids), [], least=1) is None
