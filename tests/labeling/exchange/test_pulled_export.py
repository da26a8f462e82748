"""Imports of what was pulled: only what changed is parsed, and that is as good as parsing all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations.aggregation import aggregate
from cv_pipeline.annotations.export import ImportReport, import_annotations
from cv_pipeline.catalog.schemas import FILES, IMAGES, PARSED_ANNOTATIONS, TOOL_ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange import parsed
from cv_pipeline.labeling.exchange.imported import pulled_and_not_imported
from cv_pipeline.labeling.exchange.pulled_export import pulled_exports
from cv_pipeline.project import Project
from cv_pipeline.storage import open_source, open_store
from tests.labeling.label_tables import START, image_ids, push, refuse, table_of
from tests.labeling.studio import box

PROJECT = Project.model_validate(
    {
        "name": "pears",
        "task": "detection",
        "charter": {"problem": "Find pears."},
        "source": {"images": "unused"},
        "labeling": {
            "url": "http://127.0.0.1:9",
            "annotators": {"studio-9": {"role": "reviewer"}},
            "people": {"studio-1": "ann"},
        },
        "ontology": {"labels": ["red", "blue"], "tags": ["dark"]},
        "training": {"model": "fcos_resnet18", "input_size": [96, 96]},
    }
)
IMAGES_OF = {"first": 3, "second": 2}


@dataclass
class History:
    """A lake of five images in two batches, and what was pulled of them, without a tool."""

    root: Path
    catalog: Catalog
    images: list[str]
    tasks: dict[str, tuple[str, int, int]]
    now: int = 0
    live: dict[int, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> History:
        catalog = Catalog(open_store(str(root / "store")), PROJECT.name)
        images = image_ids(sum(IMAGES_OF.values()))
        known = {"image_id": images, "width": 64, "height": 48}
        paths = [f"{n}.png" for n in range(len(images))]
        catalog.table("images").merge(
            table_of(IMAGES, len(images), path=paths, ingested_at=START, **known), on=["image_id"]
        )
        catalog.table("files").merge(
            table_of(FILES, len(images), path=paths, image_id=images), on=["path"]
        )
        tasks, first = {}, 0
        for number, (batch, count) in enumerate(IMAGES_OF.items(), start=1):
            of_batch = images[first : first + count]
            push(
                catalog, batch, of_batch, tool_project=number,
                ontology_version="1", guideline_version="1",
            )  # fmt: skip
            tasks |= {i: (batch, number, 1000 * number + n) for n, i in enumerate(of_batch)}
            first += count
        return cls(root, catalog, images, tasks)

    def state(self, annotation: int, **changes: Any) -> None:
        """Write a state of an annotation, as a pull does."""
        self.now += 1
        at = START + timedelta(minutes=self.now)
        batch, number, task = self.tasks[self.images[annotation // 10 % len(self.images)]]
        told = {
            "result": [], "cancelled": False, "ground_truth": False, "deleted": False,
            "updated_by": annotation % 10,
        } | self.live.get(annotation, {}) | changes  # fmt: skip
        self.live[annotation] = told
        row = table_of(
            TOOL_ANNOTATIONS, 1, tool_project=number, task=task, annotation=annotation,
            image_id=self.images[annotation // 10 % len(self.images)], batch=batch,
            annotator="", completed_by=annotation % 10, created_at=START, updated_at=at,
            seen_at=at, lead_time=3.5,
            **{**told, "result": json.dumps(told["result"])},
            digest=hashlib.sha256(f"{annotation} {self.now}".encode()).hexdigest(),
        )  # fmt: skip
        self.catalog.table("tool_annotations").append(row)

    def run(self, catalog: Catalog | None = None, **more: Any) -> ImportReport:
        catalog = catalog or self.catalog
        return import_annotations(
            project=PROJECT,
            catalog=catalog,
            store=catalog.store,
            pulled=pulled_exports(catalog, labeling=PROJECT.labeling),
            **{"source": None, **more},
        )

    def afresh(self) -> Catalog:
        """The same history, of which no import was made."""
        self.now += 1
        catalog = Catalog(open_store(str(self.root / f"afresh-{self.now}")), PROJECT.name)
        for name in ("images", "files", "labeling_tasks", "tool_annotations"):
            table = catalog.table(name)
            rows = self.catalog.table(name).read()
            table.merge(rows, on=table.key) if table.key else table.append(rows)
        return catalog

    def rows(self) -> list[dict[str, Any]]:
        return self.catalog.table("annotations").read().to_pylist()

    def refused(self, catalog: Catalog | None = None) -> list[tuple[str, ...]]:
        table = (catalog or self.catalog).table("quarantine")
        columns = ["file", "field", "reason", "detail", "fingerprint"]
        return sorted(tuple(row.values()) for row in table.read(columns=columns).to_pylist())


@pytest.fixture
def history(tmp_path) -> History:
    return History.of(tmp_path)


TAGS = {"id": "t", "type": "choices", "from_name": "tags", "value": {"choices": ["dark", "wet"]}}
CHOICE = {"id": "c", "type": "choices", "from_name": "other", "value": {"choices": ["red"]}}
DRAWN = (
    [], [box()], [box(), box("blue", x=50, name="r2")], [box("green")], [box(x=150)], [TAGS],
    [CHOICE], [box(), CHOICE, {"type": "relation"}], ["nothing"], [box(), box()],
)  # fmt: skip
steps = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 9, 11, 12, 19, 31, 32, 41]),
        st.one_of(
            st.builds(lambda n: {"result": DRAWN[n]}, st.integers(0, len(DRAWN) - 1)),
            st.sampled_from(
                [
                    {"deleted": True},
                    {"deleted": False},
                    {"cancelled": True},
                    {"cancelled": False},
                    {"ground_truth": True, "updated_by": 9},
                    {"ground_truth": True},
                ]
            ),
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=6, deadline=None)
@given(steps=steps)
def test_imports_one_after_the_other_are_one_import_of_all(tmp_path_factory, steps):
    history = History.of(tmp_path_factory.mktemp("lake"))
    for annotation, changes, imported in steps:
        history.state(annotation, **changes)
        if imported:
            history.run()
    made, whole = history.run(), history.afresh()
    at_once = history.run(whole)
    told = ("digest", "rows", "empty_images", "quarantined", "not_imported", "frozen", "pulled")
    assert [getattr(made, n) for n in told] == [getattr(at_once, n) for n in told]
    assert history.refused() == history.refused(whole)


def test_the_first_label_that_is_none_of_the_ontology_holds_up_nothing(history):
    history.state(1, result=[box("green")])
    report = history.run()
    assert (report.rows, report.quarantined) == (0, {"unknown_label": 1})


@pytest.mark.parametrize("looked_up", [0, 100])
def test_only_what_changed_is_parsed(history, monkeypatch, looked_up):
    read: list[int] = []
    parse = parsed._state
    monkeypatch.setattr(
        parsed, "_state", lambda state: read.append(state["annotation"]) or parse(state)
    )
    monkeypatch.setattr(parsed, "AT_ONCE", 2)
    monkeypatch.setattr(parsed, "_LOOKED_UP", looked_up)
    for annotation in (1, 2, 11, 12, 21):
        history.state(annotation, result=[box()])
    assert history.run().rows == 5
    assert sorted(read) == [1, 2, 11, 12, 21]
    read.clear()
    history.state(11, result=[box("blue")])
    history.state(12, deleted=True)
    report = history.run()
    assert (report.rows, read) == (4, [11])
    assert pulled_and_not_imported(history.catalog) == 0
    read.clear()
    # what nobody says any more is forgotten, once it is most of what is there
    for annotation in (1, 2, 11):
        history.state(annotation, result=[box(x=30)])
    history.run()
    for annotation in (1, 2, 11):
        history.state(annotation, result=[box(x=40)])
    history.run()
    table = history.catalog.table("parsed_annotations")
    assert len(table.read()) <= 2 * 4 + 2
    monkeypatch.setattr(parsed, "LAYOUT", parsed.LAYOUT + 1)
    read.clear()
    assert history.run().rows == 4
    assert sorted(read) == [1, 2, 11, 21], "of an older layout nothing counts"


def test_what_another_import_forgets_meanwhile_is_parsed_again(history, monkeypatch):
    history.state(1, result=[box()])
    wanted, calls = parsed._wanted, []

    def forgotten(catalog, digests):
        if not calls:
            catalog.table("parsed_annotations").replace(PARSED_ANNOTATIONS.empty_table())
        calls.append(len(digests))
        return wanted(catalog, digests)

    monkeypatch.setattr(parsed, "_wanted", forgotten)
    assert history.run().rows == 1
    assert calls == [1, 1]


class TestWhoLooked:
    CSV = (
        "image,label,annotator,x_min,y_min,x_max,y_max\n"
        "0.png,blue,ann,1,1,9,9\n0.png,blue,zoe,1,1,9,9\n1.png,blue,ann,1,1,9,9\n"
    )

    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "labels.csv").write_text(self.CSV)
        return open_source(str(tmp_path / "labels.csv"))

    def labels(self, history: History) -> list[tuple[str, str]]:
        return sorted(
            (f"{history.images.index(r['image_id'])}", r["annotator"]) for r in history.rows()
        )

    def test_and_took_all_away_says_that_nothing_is_there(self, history, source):
        history.state(1, result=[box()])
        history.state(11, result=[])
        report = history.run(source=source)
        assert self.labels(history) == [("0", "ann"), ("0", "zoe")]
        assert report.not_imported == {"annotation that was pulled too": 2}
        assert report.empty_images == 1
        history.state(1, result=[])
        assert history.run(source=source).empty_images == 1, "zoe still says that something is"
        assert self.labels(history) == [("0", "zoe")]

    @pytest.mark.parametrize("changes", [{"cancelled": True}, {"deleted": True}])
    def test_what_was_skipped_or_deleted_takes_nothing_away(self, history, source, changes):
        history.state(11, **changes)
        assert history.run(source=source).rows == 3

    def test_what_is_quarantined_takes_nothing_away(self, history, source):
        history.state(11)
        refuse(history.catalog, [11], task=1001)
        assert history.run(source=source).rows == 3


class TestGroundTruth:
    def test_that_a_reviewer_marked_is_gold(self, history):
        history.state(1, result=[box()])
        history.state(2, result=[box("blue")])
        history.state(1, ground_truth=True, updated_by=9)
        assert history.run().quarantined == {}
        roles = {r["annotator"]: r["role"] for r in history.rows()}
        assert roles == {"ann": "gold", "studio-2": "annotator"}
        rows = history.catalog.table("annotations").read()
        (used,) = aggregate(rows, task="detection", how="latest").to_pylist()
        assert used["annotator"] == "ann", "known truth overrules who came later"

    def test_of_nobody_who_may_is_none(self, history):
        history.state(1, result=[box()], ground_truth=True)
        history.state(2, result=[box()], ground_truth=True, updated_by=9)
        history.state(2, result=[box("blue")], updated_by=2)
        report = history.run()
        assert report.quarantined == {"unproven_ground_truth": 2}
        assert {r["role"] for r in history.rows()} == {"annotator"}
        (one, _) = history.refused()
        assert one[1] == "tasks/1000/annotations/1.ground_truth"

    def test_is_one_of_an_image(self, history, tmp_path):
        for annotation in (1, 2):
            history.state(annotation, result=[box()], ground_truth=True, updated_by=9)
        assert history.run().quarantined == {"second_ground_truth": 1}
        assert {r["annotator"]: r["role"] for r in history.rows()} == {
            "ann": "annotator",
            "studio-2": "gold",
        }
        (tmp_path / "gold.csv").write_text(
            "image,label,x_min,y_min,x_max,y_max\n0.png,red,1,1,9,9\n"
        )
        history.run(gold=open_source(str(tmp_path / "gold.csv")))
        assert [r["annotator"] for r in history.rows() if r["role"] == "gold"] == ["gold"]


def test_an_import_that_was_killed_is_asked_for_again(history, monkeypatch):
    history.state(1, result=[box()])

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cv_pipeline.annotations.export.note_imported", killed)
    with pytest.raises(KeyboardInterrupt):
        history.run()
    assert pulled_and_not_imported(history.catalog) == 1
    monkeypatch.undo()
    assert history.run().rows == 1
    assert pulled_and_not_imported(history.catalog) == 0
