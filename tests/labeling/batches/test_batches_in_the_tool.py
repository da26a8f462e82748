"""Batches, assignment and cost with a real Label Studio: pushed, given out, labelled and pulled."""

from __future__ import annotations

import pytest

from cv_pipeline.labeling.batches.declared import declare, list_labeling_batches
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.workload.assignment import apply_plan, plan_work
from cv_pipeline.quality.cost_report import project_cost
from tests.labeling.studio import box


def states(lake):
    return {b.name: (b.state, b.labelled, b.stuck) for b in list_labeling_batches(lake.catalog)}


def test_two_batches_are_labelled_in_parallel_and_one_that_is_lost_holds_up_no_other(lake):
    people = {f"studio-{lake.studio.id_of(who)}": who for who in ("ann", "bob", "cem")}
    labeling = Labeling.model_validate(
        {
            "annotators": {name: {"account": who} for name, who in people.items()},
            "prices": {"currency": "EUR", "per_hour": {"annotator": 36}},
        }
    )
    lake.set_aside("lost", lake.image_ids[:2])
    declare(lake.catalog, "first", task_type="detection", overlap=2)
    declare(lake.catalog, "lost", task_type="detection")
    lake.push("first")
    lost = lake.push("lost").tool_project
    plan = plan_work(lake.catalog, labeling)
    assert apply_plan(lake.catalog, plan) == 8
    assert sorted(load.labels for load in plan.loads) == [4, 5, 5]

    given = {
        row["image_id"]: row["assignee"].split(",")
        for row in lake.catalog.table("labeling_tasks").read().to_pylist()
        if row["batch"] == "first"
    }
    for image_id, task in lake.tasks("first").items():
        assert len(set(given[image_id])) == 2
        for name in given[image_id]:
            lake.studio.label(people[name], task, box(), lead_time=10.0)
    lake.studio.of("admin@localhost").send("DELETE", f"/api/projects/{lost}/", None)
    lake.pull()

    told = states(lake)
    assert told["first"] == ("done", 6, "")
    assert "gone from the tool" in told["lost"][2]
    # what is done is given to nobody, and the lost batch waits for being pushed again
    assert plan_work(lake.catalog, labeling).labels == 0
    cost = project_cost(lake.catalog, labeling)
    assert cost.every.labels == 12
    assert cost.every.per_label == pytest.approx(0.1)
