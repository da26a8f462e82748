"""When the labels that wait will be made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import (
    change_state,
    declare,
    declared_batches,
    list_labeling_batches,
)
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.settings.work_section import Prices
from cv_pipeline.labeling.workload.estimate import Estimate, estimate
from cv_pipeline.labeling.workload.workforce import workforce_of
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import annotate, image_ids, set_aside

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PEOPLE = ("ann", "ben", "cem")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


def wait(catalog: Catalog, name: str, images: int, **settings: Any) -> None:
    set_aside(catalog, name, image_ids(images, seed=name), at=NOW - timedelta(days=60))
    declare(catalog, name, task_type="detection", **settings)


def work(catalog: Catalog, days: int, per_day: int, *, seed: int = 0) -> None:
    """Three people make so many labels on each of the days before now."""
    rng = np.random.default_rng(seed)
    for day in range(1, days + 1):
        for name in PEOPLE:
            images = image_ids(per_day, seed=f"{name}{day}")
            at = NOW - timedelta(days=day)
            annotate(catalog, "", images, name, at=at, lead_time=rng.gamma(9, 30 / 9, per_day))


def asked(catalog: Catalog, labeling: Labeling | None = None, **more: Any) -> Estimate:
    labeling = labeling or Labeling()
    people = workforce_of(catalog, labeling, declared_batches(catalog))
    batches = list_labeling_batches(catalog, now=NOW)
    return estimate(batches, people, prices=labeling.prices, now=NOW, **more)


def test_the_end_follows_from_what_was_made_in_the_last_weeks(catalog: Catalog) -> None:
    """Three make 10 a day each: 210 a week; 840 labels take four weeks."""
    wait(catalog, "one", 840)
    work(catalog, days=30, per_day=10)
    found = asked(catalog)
    first = found.forecasts[0]
    assert first.labels_per_week == pytest.approx(210)
    assert first.end == NOW + timedelta(weeks=4)
    assert "3 annotators made on the 28 days from" in found.basis
    # nobody varied: the interval is the point
    assert first.earliest == pytest.approx(first.end, abs=timedelta(minutes=1))


def test_days_on_which_nobody_labelled_count(catalog: Catalog) -> None:
    """After a fortnight of work and one of rest, four weeks make half as much a week."""
    wait(catalog, "one", 840)
    work(catalog, days=28, per_day=10)
    labels = catalog.table("tool_annotations")
    recent = labels.read().filter(pc.field("created_at") < NOW - timedelta(days=14))
    labels.replace(recent)
    assert asked(catalog).forecasts[0].labels_per_week == pytest.approx(105, rel=0.01)


def test_after_months_of_rest_nothing_is_said_of_the_pace_then(catalog: Catalog) -> None:
    wait(catalog, "one", 840)
    for name in PEOPLE:
        annotate(catalog, "", image_ids(300, seed=name), name, at=NOW - timedelta(days=200))
    found = asked(catalog)
    assert "the hours a week that are declared" in found.basis
    assert "nobody labelled since 14 May 2026" in found.basis


def test_with_twice_and_three_times_the_people_it_takes_half_and_a_third(catalog: Catalog) -> None:
    wait(catalog, "one", 840)
    work(catalog, days=14, per_day=10)
    once, twice, thrice = asked(catalog).forecasts
    assert once.end is not None
    assert twice.end == NOW + (once.end - NOW) / 2
    assert thrice.end == NOW + (once.end - NOW) / 3
    assert [f.annotators for f in (once, twice, thrice)] == [3, 6, 9]


def test_days_that_vary_give_an_interval_that_holds_the_truth(catalog: Catalog) -> None:
    wait(catalog, "one", 3000)
    for day in range(1, 29):
        for number, name in enumerate(PEOPLE):
            made = (0, 0, 8, 12, 20, 8, 12)[(day + number) % 7]
            if made:
                images = image_ids(made, seed=f"{name}{day}")
                annotate(catalog, "", images, name, at=NOW - timedelta(days=day))
    first = asked(catalog).forecasts[0]
    truth = NOW + timedelta(weeks=3000 / (60 * 3))
    assert first.end == pytest.approx(truth, abs=timedelta(days=1))
    assert first.earliest is not None
    assert first.latest is not None
    assert first.earliest < truth < first.latest
    assert first.latest - first.earliest > timedelta(weeks=2)


def test_where_nobody_worked_yet_the_declared_hours_count(catalog: Catalog) -> None:
    """Two people of 10 hours a week at 30 s a label make 2,400 labels a week."""
    wait(catalog, "one", 4800)
    people = {"ann": {"hours_per_week": 10}, "ben": {"hours_per_week": 10}}
    found = asked(catalog, Labeling.model_validate({"annotators": people}))
    first = found.forecasts[0]
    assert first.labels_per_week == pytest.approx(2400, rel=0.02)
    assert first.earliest is not None
    assert first.latest is not None
    assert first.earliest < NOW + timedelta(weeks=2) < first.latest
    assert "30 s a label, as none is known yet" in found.basis


@pytest.mark.parametrize("lead_time", [0.0, 1e-300, 1e300])
def test_a_time_that_is_none_makes_no_end_absurd(catalog: Catalog, lead_time: float) -> None:
    wait(catalog, "one", 30)
    annotate(catalog, "one", image_ids(5, seed="one"), PEOPLE[0], lead_time=lead_time, at=NOW)
    (once, *_) = asked(catalog).forecasts
    assert once.end is not None
    assert NOW <= once.end < NOW + timedelta(weeks=52)


def test_hard_images_take_what_hard_ones_took(catalog: Catalog) -> None:
    wait(catalog, "easy", 200, difficulty="easy")
    wait(catalog, "hard", 200, difficulty="hard")
    annotate(catalog, "easy", image_ids(100, seed="easy"), "ann", lead_time=10.0)
    annotate(catalog, "hard", image_ids(100, seed="hard"), "ann", lead_time=60.0)
    hours = {w.difficulty: w.hours / w.labels * 3600 for w in asked(catalog).waiting if w.labels}
    # a hundred times each, drawn a little towards the mean of 35 s
    assert hours == {"easy": pytest.approx(10, abs=5), "hard": pytest.approx(60, abs=5)}


def test_paused_and_cancelled_batches_are_not_waited_for(catalog: Catalog) -> None:
    for name in ("on", "paused", "cancelled"):
        wait(catalog, name, 100)
    change_state(catalog, "paused", "paused")
    change_state(catalog, "cancelled", "cancelled")
    found = asked(catalog)
    assert (found.labels, found.paused) == (100, 100)


def test_nothing_to_do_is_done_now_and_nobody_to_do_it_is_never(catalog: Catalog) -> None:
    assert asked(catalog).forecasts[0].end == NOW
    wait(catalog, "one", 10)
    found = asked(catalog)
    assert found.forecasts[0].end is None
    assert found.basis == "nobody is there to label"


def test_the_cost_is_that_of_hours_and_fees(catalog: Catalog) -> None:
    wait(catalog, "one", 1200, overlap=2)
    prices = Prices(per_hour={"annotator": 12}, per_label=0.01)
    labeling = Labeling.model_validate({"annotators": {"ann": {}}, "prices": prices.model_dump()})
    found = asked(catalog, labeling)
    # 2,400 labels of 30 s are 20 hours
    assert found.cost == pytest.approx(20 * 12 + 24)
    assert found.currency == "EUR"
