"""What a board warns of, from what was recorded, and where each warning leads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cv_pipeline.catalog.datalake.image_batches import ImageBatch
from cv_pipeline.catalog.query import parse
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.inspector.board.alerts import Watched, alerts, images_address, quoted
from cv_pipeline.inspector.board.history import Recorded, evaluation_history
from cv_pipeline.inspector.board.runs import RunLine
from cv_pipeline.monitoring.epoch_drop import EpochDrop
from cv_pipeline.project import Project
from cv_pipeline.provenance.event_log import Materialization

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROJECT = Project.model_validate(
    {
        "name": "fruit",
        "task": "detection",
        "charter": {"problem": "count fruit"},
        "source": {"images": "images"},
        "annotations": {"source": "labels.csv"},
        "ontology": {"labels": ["tomato", "orange"]},
        "training": {"model": "fcos_resnet18", "input_size": [48, 64]},
    }
)


def event(asset: str, number: int, **metadata: Any) -> Materialization:
    return Materialization(
        key=f"fruit/{asset}",
        storage_id=number,
        run_id=f"run-{number}",
        timestamp=AT,
        version=f"{number:064x}",
        code_version="1",
        inputs=(),
        metadata=metadata,
    )


class Log:
    """An event log of evaluations, as much of it as the history asks for."""

    def __init__(self, *values: float | None) -> None:
        self.events = [
            event("eval_slices", n, AP50=v, recall=0.9, model="m" * 64, dataset="d" * 64)
            for n, v in enumerate(values, start=1)
        ]

    def first_of_each_version(self, _: str) -> list[Materialization]:
        return self.events


def history(*values: float | None) -> list[Recorded]:
    log: Any = Log(*values)
    return evaluation_history(log, PROJECT)


def test_a_point_is_anomalous_when_it_falls_from_the_last_or_from_the_best() -> None:
    found = history(0.80, 0.79, 0.70, 0.71, 0.80)
    assert [sorted(r.drops) for r in found] == [[], [], ["AP50"], ["AP50"], []]
    assert found[2].drops["AP50"].against == "last"
    assert found[3].drops["AP50"].against == "best"


def test_a_gap_in_the_numbers_is_no_drop() -> None:
    assert [sorted(r.drops) for r in history(0.8, None, 0.8)] == [[], [], []]


def test_only_a_drop_of_the_newest_evaluation_is_an_alert() -> None:
    assert not alerts(Watched("fruit", history(0.8, 0.6, 0.8)))
    [alert] = alerts(Watched("fruit", history(0.8, 0.6)))
    assert alert.level == "bad"
    assert alert.sentence == "AP50 fell 25.0% from the evaluation before, 0.800 to 0.600."
    assert alert.href == f"/p/fruit/evaluations/{2:064x}#findings"


def test_every_kind_of_alert_leads_to_where_it_is_looked_into() -> None:
    evaluated = history(0.8)
    evaluated[0].event.metadata.update(  # type: ignore[attr-defined]
        worst_slices_in_words=["tomato in images with lighting = dim: recall 0.29 against 1.00"],
        suspicions=[{"kind": "near_perfect", "sentence": "AP50 is 0.999."}],
    )
    digest = evaluated[0].digest
    run = RunLine(
        run_id="r" * 36,
        what="retraining",
        status="FAILURE",
        finished=True,
        by="ada",
        created=AT,
        started=AT,
        ended=AT,
    )
    watched = Watched(
        "fruit",
        evaluated,
        model=event("trained_model", 7),
        epoch_metric="AP50",
        epoch_drops=[EpochDrop(4, 0.5, "best", 3, 0.6, 1 / 6)],
        champion=event(
            "champion",
            8,
            candidate_passes=False,
            candidate="m" * 64,
            evaluation=digest,
            reason="recall is too low.",
        ),
        candidate=event("dataset_candidate", 9),
        failed_checks=[
            Verdict("leakage", False, "error", "3 pairs cross splits."),
            Verdict("giveaway", False, "warn", "camera gives bananas away."),
        ],
        version=event("dataset_version", 10, warnings=["giveaway"]),
        batches=[batch("it's dim", images=5, labelled=2), batch("done", images=5, labelled=5)],
        unlabelled=12,
        failed_runs=[run],
    )
    found = {alert.kind: alert for alert in alerts(watched)}
    page = f"/p/fruit/evaluations/{digest}"
    assert found["worst slice"].href == f"{page}#finding-1"
    assert found["worst slice"].title == "tomato in images with lighting = dim"
    assert found["too good to be true"].href == f"{page}#suspicions"
    assert found["requirements not met"].href == f"{page}#verdict"
    assert found["epoch dropped"].href == f"/p/fruit/evaluations/epochs/{7:064x}/4?against=3"
    assert found["run failed"].href == f"/p/fruit/runs/{'r' * 36}"
    assert found["gate refused"].href == "/p/fruit/runs/run-9#checks"
    assert "leakage: 3 pairs" in found["gate refused"].sentence
    assert "giveaway" not in found["gate refused"].sentence
    assert found["checks warn"].href == f"/p/fruit/datasets/{10:064x}"
    waiting = [a for a in alerts(watched) if a.kind == "labels wait"]
    assert ["3 of 5" in a.sentence for a in waiting] == [True, False]
    assert query_of(waiting[0].href) == "set_aside = 'it''s dim'"
    assert [a.level for a in alerts(watched)] == sorted(
        (a.level for a in alerts(watched)), key=["bad", "warn", "info"].index
    )
    assert len({a.key for a in alerts(watched)}) == len(alerts(watched))


def test_nothing_recorded_warns_of_nothing() -> None:
    assert alerts(Watched("fruit", [])) == []


def test_an_address_keeps_any_text_of_a_query() -> None:
    text = "tag = " + quoted("a & b = c # it's ?")
    assert query_of(images_address("fruit", text, evaluation="e", label=None)) == text
    parse(text)


def batch(name: str, *, images: int, labelled: int) -> ImageBatch:
    return ImageBatch(
        name=name,
        purpose="label",
        state="open",
        images=images,
        labelled=labelled,
        reason="",
        query="all images",
        digest="",
        actor="ada",
        at=AT,
    )


def query_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["q"][0]
