"""Annotations that count: what is refused makes no batch done and keeps nobody from a task."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import declare, declared_batches, labeling_batch
from cv_pipeline.labeling.batches.pilot import _looked
from cv_pipeline.labeling.exchange.counted import counted_annotations
from cv_pipeline.labeling.exchange.findings import field_of, file_of, quarantine_tasks
from cv_pipeline.labeling.prelabels.acceptance import acceptance
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.workload.assignment import plan_work
from cv_pipeline.labeling.workload.labels_made import labels_made
from cv_pipeline.labeling.workload.pace import pace_of
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import annotate, image_ids, members, push, refuse, set_aside

IMAGES = image_ids(2)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Two images, one label each; the second is refused, and it took very long."""
    lake = Catalog(open_store(str(tmp_path / "store")), "fruit")
    set_aside(lake, "one", IMAGES)
    declare(lake, "one", task_type="classification")
    push(lake, "one", IMAGES, task=[0, 1])
    annotate(lake, "one", IMAGES[:1], "ann")
    made = annotate(lake, "one", IMAGES[1:], "bob", lead_time=9_000.0, task=1)
    refuse(lake, made, task=1)
    return lake


def test_what_is_refused_makes_no_batch_done(catalog: Catalog) -> None:
    batch = labeling_batch(catalog, "one")
    assert (batch.state, batch.labelled, batch.annotators) == ("in_progress", 1, ("ann",))


def test_a_refusal_of_a_task_is_one_of_all_that_is_on_it(catalog: Catalog) -> None:
    assert counted_annotations(catalog)["annotator"].to_pylist() == ["ann"]
    refusal = Refusal(file_of(1), field_of(0), "changed_image", "")
    quarantine_tasks(catalog, 1, [refusal], tasks=[0])
    assert not len(counted_annotations(catalog))


def test_what_is_refused_is_planned_again(catalog: Catalog) -> None:
    members(catalog, "ann", "bob")
    labeling = Labeling.model_validate({"annotators": {"ann": {"absent": True}, "bob": {}}})
    plan = plan_work(catalog, labeling)
    assert plan.tasks.to_pylist() == [{"batch": "one", "image_id": IMAGES[1], "assignee": "bob"}]


def test_a_skip_is_no_label_but_keeps_the_image_from_who_skipped_it(catalog: Catalog) -> None:
    more = image_ids(1, seed="skipped")
    made = annotate(catalog, "one", more, "ann", cancelled=True)
    refuse(catalog, made, "cancelled_annotation")
    assert more[0] not in counted_annotations(catalog)["image_id"].to_pylist()
    assert more[0] in counted_annotations(catalog, skipped=True)["image_id"].to_pylist()


def test_what_is_refused_is_no_agreement_and_no_judgement(catalog: Catalog) -> None:
    assert _looked(catalog, "one")["annotator"].to_pylist() == ["ann"]
    push(catalog, "one", IMAGES, task=[0, 1], prelabel_model="m")
    region = '[{"type":"choices","value":{"choices":["ripe"]}}]'
    made = annotate(catalog, "one", IMAGES[1:], "cem", result=region, task=1)
    assert acceptance(catalog)["annotator"].to_pylist() == ["cem"]
    refuse(catalog, made, "second_annotation", task=1)
    assert not len(acceptance(catalog))


def test_what_is_refused_costs_and_makes_nobody_slow(catalog: Catalog) -> None:
    made = labels_made(catalog, declared_batches(catalog))
    stands = dict(zip(made["annotator"].to_pylist(), made["stands"].to_pylist(), strict=True))
    assert stands == {"ann": True, "bob": False}
    pace = pace_of(made)
    assert pace.annotators == ("ann",)
    assert pace.usual[1] == pytest.approx(30)
