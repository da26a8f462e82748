"""What labels cost: worked examples, lead times that are none, intervals, and comparisons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import declared_batches
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.settings.work_section import Annotator, Prices
from cv_pipeline.labeling.workload.labels_made import LABELS, labels_made
from cv_pipeline.quality.cost_report import cost_metadata
from cv_pipeline.quality.label_cost import label_cost
from cv_pipeline.quality.lead_times import bound_of, reckonable
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import annotate, image_ids, push, set_aside, table_of

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
EUR = Prices(currency="EUR", per_hour={"annotator": 18.0}, per_label=0.02)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


def labels(count: int, **columns: Any) -> pa.Table:
    told: dict[str, Any] = {
        "image_id": image_ids(count),
        "annotator": "ann",
        "difficulty": "medium",
        "at": [START + timedelta(minutes=n) for n in range(count)],
        "seconds": 30.0,
        "stands": True,
        **columns,
    }
    return table_of(LABELS, count, **told)


class TestLeadTimes:
    def test_times_above_the_bound_count_as_it_and_are_told(self) -> None:
        given = np.append(np.linspace(20, 40, 99), 40_000.0)
        times = reckonable(given)
        assert times.capped.sum() == 1
        assert times.seconds.max() == times.bound < 200
        assert times.cut == pytest.approx(40_000 - times.bound)
        assert "1 of 100 times were above their bound" in times.words
        assert "h were cut off" in times.words

    def test_the_bound_is_tukeys_far_fence_of_the_logarithms(self) -> None:
        # quartiles of the logarithms at 0.25, 0.5 and 0.75: the fence is at 0.75 + 3 * 0.5
        assert bound_of(np.exp(np.linspace(0, 1, 101))) == pytest.approx(np.exp(2.25))
        # where all are alike the fence would cut off what is slower by a second
        assert bound_of(np.full(50, 30.0)) == pytest.approx(90)

    def test_a_declared_bound_is_kept_to(self) -> None:
        times = reckonable(np.array([10.0, 700.0]), longest=600.0)
        assert times.seconds.tolist() == [10.0, 600.0]
        assert "above the declared bound of 600 s" in times.words

    def test_what_is_no_time_is_missing(self) -> None:
        times = reckonable(np.array([30.0, 0.0, -5.0, np.nan, np.inf]))
        assert times.missing == 4
        assert np.isnan(times.seconds).tolist() == [False, True, True, True, True]

    def test_too_few_times_give_no_bound(self) -> None:
        # no label takes longer than a working day, however few or absurd the times are
        assert bound_of(np.array([1.0, 1000.0])) == 8 * 3600
        assert bound_of(np.array([30.0] * 9 + [1e300] * 16)) == 8 * 3600
        assert reckonable(np.array([30.0, 1e300])).seconds.tolist() == [30, 8 * 3600]


class TestCost:
    def test_hours_and_fees_make_the_cost_of_a_label(self) -> None:
        """120 labels of 30 s are an hour: 18 EUR, and 120 fees of 2 cents."""
        cost = label_cost(labels(120), prices=EUR)
        assert cost is not None
        assert cost.every.hours == pytest.approx(1)
        assert cost.every.cost == pytest.approx(18 + 2.40)
        assert cost.every.per_label == pytest.approx(20.40 / 120)
        assert (cost.currency, cost.ordered_by) == ("EUR", "time")

    def test_work_in_vain_is_paid_by_the_labels_that_stand(self) -> None:
        stands = np.arange(120) % 4 > 0
        cost = label_cost(labels(120, stands=stands), prices=EUR)
        assert cost is not None
        assert (cost.every.labels, cost.every.wasted) == (90, 30)
        assert cost.every.per_label == pytest.approx(20.40 / 90)

    def test_a_missing_time_counts_as_the_mean_of_the_others(self) -> None:
        seconds = [20.0, 40.0, None, 0.0] * 30
        cost = label_cost(labels(120, seconds=seconds), prices=EUR)
        assert cost is not None
        assert cost.every.seconds == pytest.approx(30)
        assert cost.times.missing == 60
        assert "60 labels have no time" in cost.times.words

    def test_without_prices_it_is_seconds(self) -> None:
        cost = label_cost(labels(100), prices=Prices())
        assert cost is not None
        assert (cost.currency, cost.every.cost, cost.every.per_label) == ("", None, None)
        assert cost.every.value(money=False)[0] == pytest.approx(30)

    def test_no_labels_have_no_cost(self) -> None:
        assert label_cost(LABELS.empty_table(), prices=EUR) is None

    def test_hours_are_paid_by_role_and_a_role_without_a_price_is_told(self) -> None:
        names = ["ann"] * 60 + ["eve"] * 60
        told = {"eve": Annotator(role="expert")}
        cost = label_cost(labels(120, annotator=names), prices=EUR, annotators=told)
        assert cost is not None
        assert cost.unpriced == ("expert",)
        dear = EUR.model_copy(update={"per_hour": {"annotator": 18.0, "expert": 60.0}})
        cost = label_cost(labels(120, annotator=names), prices=dear, annotators=told)
        assert cost is not None
        assert cost.unpriced == ()
        by_role = {group.name: group.cost for group in cost.roles}
        assert by_role == {
            "annotator": pytest.approx(9 + 1.20),
            "expert": pytest.approx(30 + 1.20),
        }

    def test_the_marginal_cost_falls_where_people_get_quicker(self) -> None:
        seconds = np.linspace(60, 20, 5000)
        cost = label_cost(labels(5000, seconds=seconds), prices=EUR)
        assert cost is not None
        assert (cost.step, len(cost.points)) == (500, 10)
        values = [point.per_label for point in cost.points if point.per_label is not None]
        assert len(values) == 10
        assert values == sorted(values, reverse=True)
        assert sum(point.labels for point in cost.points) == 5000

    def test_intervals_hold_what_they_say(self) -> None:
        """Of 60 worlds of 25 sittings each, the 95 % interval holds the true mean in most."""
        rng = np.random.default_rng(1)
        held = 0
        for _ in range(60):
            day = np.repeat(np.arange(25), 8)
            slow = rng.gamma(25, 1 / 25, 25)[day]  # a sitting is slow as a whole
            seconds = 30 * slow * rng.gamma(20, 1 / 20, len(day))
            at = [START + timedelta(days=int(d)) for d in day]
            cost = label_cost(labels(200, seconds=seconds, at=at), prices=Prices())
            assert cost is not None
            held += cost.every.seconds_low <= 30 <= cost.every.seconds_high
        assert held >= 51  # 57 are expected; fewer than 51 would be chance once in 500 times


class TestComparisons:
    def worlds(self, ratio: float) -> pa.Table:
        rng = np.random.default_rng(2)
        count = 1200
        arm = np.array(["random", "rarity"])[np.arange(count) % 2]
        seconds = rng.gamma(16, 30 / 16, count) * np.where(arm == "rarity", ratio, 1)
        at = [START + timedelta(days=n // 40) for n in range(count)]
        model = np.where(arm == "rarity", "m", "")
        return labels(count, seconds=seconds, at=at, arm=list(arm), prelabel_model=list(model))

    def test_an_arm_that_is_cheaper_is_told_with_its_interval(self) -> None:
        cost = label_cost(self.worlds(0.7), prices=Prices())
        assert cost is not None
        [arm] = cost.arms
        assert arm.low < 0.7 < arm.high < 1
        assert arm.words.endswith("less per label")
        assert cost.control is not None
        assert cost.control.labels == 600

    def test_what_is_within_chance_is_called_so(self) -> None:
        cost = label_cost(self.worlds(1.0), prices=Prices())
        assert cost is not None
        assert cost.arms[0].words == "no difference that is beyond chance"

    def test_with_and_without_prelabels(self) -> None:
        cost = label_cost(self.worlds(0.5), prices=EUR)
        assert cost is not None
        assert cost.prelabels is not None
        without, told = cost.prelabels
        assert (without.name, told.group.name) == ("without pre-labels", "with pre-labels")
        # fees are the same, so that half the seconds are more than half the cost
        assert 0.5 < told.ratio < 0.65

    def test_where_all_or_none_have_prelabels_nothing_is_compared(self) -> None:
        cost = label_cost(labels(60, prelabel_model="m"), prices=EUR)
        assert cost is not None
        assert cost.prelabels is None
        assert cost.arms == ()


class TestLabelsMade:
    def test_labels_of_the_tool_and_of_exports_are_each_counted_once(
        self, catalog: Catalog
    ) -> None:
        images = image_ids(4)
        set_aside(catalog, "one", images)
        push(catalog, "one", images, arm="rarity", prelabel_model="m")
        annotate(catalog, "one", images[:2], "ann", lead_time=20.0)
        rows = [
            (images[0], "ann", "annotator", "apple"),  # pulled: the tool's log has it already
            (images[2], "ann", "annotator", "apple"),
            (images[2], "ann", "annotator", "pear"),  # two objects of one label
            (images[2], "rev", "reviewer", "apple"),
            (images[2], "gold", "gold", "apple"),
            (images[2], "model:1", "model", "apple"),
        ]
        columns = zip(*rows, strict=True)
        names = ("image_id", "annotator", "role", "label")
        table = table_of(
            ANNOTATIONS,
            len(rows),
            annotation_id=[str(n) for n in range(len(rows))],
            kind="bbox",
            attributes="{}",
            lead_time=44.0,
            **{name: list(column) for name, column in zip(names, columns, strict=True)},
        )
        catalog.table("annotations").merge(table, on=["annotation_id"])
        made = labels_made(catalog, declared_batches(catalog)).to_pylist()
        told = sorted(
            (m["annotator"], m["batch"], m["arm"], m["seconds"], m["review"]) for m in made
        )
        assert told == [
            ("ann", "", "", 44.0, False),
            ("ann", "one", "rarity", 20.0, False),
            ("ann", "one", "rarity", 20.0, False),
            ("rev", "", "", 44.0, True),
        ]

    def test_a_label_that_was_edited_counts_once_and_one_that_was_deleted_in_vain(
        self, catalog: Catalog
    ) -> None:
        images = image_ids(2)
        set_aside(catalog, "one", images)
        ids = annotate(catalog, "one", images, "ann", lead_time=20.0)
        later: dict[str, Any] = {
            "seen_at": START + timedelta(days=9),
            "updated_at": START + timedelta(days=9),
        }
        annotate(catalog, "one", images[:1], "ann", annotation=ids[:1], lead_time=50.0, **later)
        gone = {**later, "deleted": True, "annotation": ids[1:]}
        annotate(catalog, "one", images[1:], "ann", lead_time=20.0, **gone)
        made = labels_made(catalog, {}).to_pylist()
        assert sorted((m["seconds"], m["stands"]) for m in made) == [(20.0, False), (50.0, True)]


def test_an_asset_tells_figures_a_table_and_a_picture(catalog: Catalog) -> None:
    images = image_ids(120)
    set_aside(catalog, "one", images)
    annotate(catalog, "one", images, "ann", lead_time=30.0)
    labeling = Labeling(prices=EUR)
    told = cost_metadata(catalog, labeling)
    assert told is not None
    assert told.values["cost_per_label"] == pytest.approx(20.40 / 120)
    assert told.values["currency"] == "EUR"
    assert catalog.store.read(told.chart).startswith(b"\x89PNG")
    again = cost_metadata(catalog, labeling)
    assert again is not None
    assert again.chart == told.chart
    assert {"all", "labels", "week", "batch", "role", "annotator"} <= set(
        told.table["by"].to_pylist()
    )


def test_an_asset_tells_nothing_where_there_are_no_labels(catalog: Catalog) -> None:
    assert cost_metadata(catalog, Labeling()) is None


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({"currency": "euro"}, "currency"),
        ({"per_hour": {"annotator": -1}}, "greater than or equal to 0"),
        ({"per_hour": {"boss": 1}}, "annotator"),
        ({"longest_minutes": 0}, "greater than 0"),
        ({"per_label": float("nan")}, "finite"),
    ],
)
def test_prices_that_cannot_be_are_refused(prices: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Prices.model_validate(prices)
