"""From the tool to labels: pre-labels out, what people made of them in, by each way there is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dagster_aws.s3 import S3Resource
from typer.testing import CliRunner

import assets
import cv_pipeline
from cv_pipeline.annotations.export import import_annotations
from cv_pipeline.catalog.schemas import PRELABELS
from cv_pipeline.cli import app
from cv_pipeline.errors import PushRefused, SettingsError
from cv_pipeline.labeling.batches.declared import declare
from cv_pipeline.labeling.batches.hand_off import state
from cv_pipeline.labeling.exchange.findings import quarantine_annotations
from cv_pipeline.labeling.exchange.history import History
from cv_pipeline.labeling.exchange.pulled_export import pulled_exports
from cv_pipeline.labeling.tool.changes import changes_in_tool
from cv_pipeline.labeling.tool.local_server import LocalServer
from cv_pipeline.project import load_project
from cv_pipeline.storage import open_source
from resources import ObjectStoreResource, Projects
from sensors import annotations_sensor
from tests.labeling.studio import box

MODEL = "ab" * 32


def prelabel(lake, *, images=6):
    """Two boxes on each image; the model is less sure of each one than of that before."""
    rows = [
        {
            "image_id": image, "model": MODEL, "object": number, "label": ("red", "blue")[number],
            "kind": "bbox", "x_min": 8.0 + number, "y_min": 6.0, "x_max": 24.0, "y_max": 30.0,
            "geometry": None, "score": 0.9 - 0.1 * place, "uncertainty": 0.1 * place,
            "made_at": datetime.now(UTC),
        }
        for place, image in enumerate(lake.image_ids[:images])
        for number in (0, 1)
    ]  # fmt: skip
    lake.catalog.table("prelabels").merge(
        pa.Table.from_pylist(rows, schema=PRELABELS), on=["image_id", "model", "object"]
    )


def labels(lake, **more):
    """Import what was pulled, and return the report and the labels."""
    report = import_annotations(
        project=lake.project,
        catalog=lake.catalog,
        store=lake.store,
        **{
            "source": None,
            "pulled": pulled_exports(lake.catalog, labeling=lake.project.labeling),
            **more,
        },
    )
    return report, lake.catalog.table("annotations").read().to_pylist()


class TestPrelabels:
    def test_annotators_begin_with_them(self, lake):
        prelabel(lake, images=4)
        report = lake.push()
        assert (report.model, report.prelabelled, report.prelabels) == (MODEL, 4, {MODEL: 4})
        again = lake.push()
        assert (again.pushed, again.prelabelled, again.prelabels) == (0, 0, {MODEL: 4})
        assert [u.image_id for u in report.unsure] == lake.image_ids[3::-1]
        assert lake.studio.tool.project(report.tool_project).model == MODEL
        tasks = lake.tasks()
        (page,) = lake.studio.tool.tasks(report.tool_project, sorted(tasks.values()))
        of_image = {t["data"]["image_id"]: t["predictions"] for t in page}
        assert [len(of_image[i]) for i in lake.image_ids] == [1, 1, 1, 1, 0, 0]
        (prediction,) = of_image[lake.image_ids[1]]
        assert prediction["score"] == pytest.approx(0.8)
        first = prediction["result"][0]
        assert first["score"] == pytest.approx(0.8)
        assert first["value"]["rectanglelabels"] == ["red"]
        assert first["value"]["x"] == pytest.approx(100 * 8 / 64)
        known = lake.catalog.table("labeling_tasks").read().to_pylist()
        assert {r["prelabel_model"] for r in known} == {MODEL, ""}
        made = lake.studio.label(
            "ann",
            tasks[lake.image_ids[1]],
            *prediction["result"],
            parent_prediction=prediction["id"],
        )
        lake.pull()
        (state,) = lake.states()
        assert (state["annotation"], state["parent_prediction"]) == (made, prediction["id"])

    def test_none_where_none_are_wanted(self, lake):
        prelabel(lake)
        report = lake.push(prelabel_model="")
        assert (report.model, report.prelabelled, report.unsure) == ("", 0, ())


class TestLabels:
    def test_a_batch_of_which_nothing_can_be_read_holds_up_no_other(self, lake):
        lake.set_aside("second", lake.image_ids[3:])
        lake.set_aside("bad", lake.image_ids[:3])
        lake.push("second")
        lake.push("bad")
        lake.studio.label("ann", lake.tasks("second")[lake.image_ids[3]], box())
        lake.studio.label("ann", lake.tasks("bad")[lake.image_ids[0]], box(x=150))
        lake.pull()
        report, rows = labels(lake)
        assert [row["image_id"] for row in rows] == [lake.image_ids[3]]
        assert sum(report.quarantined.values()) == 1

    def test_what_a_region_says_of_its_own_making_is_not_believed(self, lake):
        lake.push()
        forged = {"role": "reviewer", "created_at": "2001-01-01T00:00:00Z", "lead_time": 0.001}
        region = {**box(), "meta": {"work": forged}}
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], region)
        lake.pull()
        _, (row,) = labels(lake)
        assert row["role"] == "annotator"
        assert row["created_at"].year > 2001

    def test_labels_of_an_image_that_is_another_by_now_are_quarantined(self, lake):
        lake.push()
        for image in lake.image_ids[:2]:
            lake.studio.label("ann", lake.tasks()[image], box())
        lake.pull()
        files = lake.catalog.table("files")
        kept = files.read()
        files.replace(kept.filter(pc.not_equal(kept["image_id"], lake.image_ids[0])))
        report, (row,) = labels(lake)
        assert row["image_id"] == lake.image_ids[1]
        assert report.quarantined == {"unknown_image": 1}

    def test_who_left_has_labelled_all_the_same(self, lake):
        lake.push()
        task = lake.tasks()[lake.image_ids[0]]
        made = lake.studio.label("ann", task, box())
        lake.pull()
        (before,) = lake.states()
        told = {
            **{name: before[name] for name in ("lead_time", "ground_truth", "updated_by")},
            "id": made, "completed_by": None, "was_cancelled": False,
            "created_at": before["created_at"].isoformat(),
            "updated_at": before["updated_at"].isoformat(),
            "result": [box(x=20)],
        }  # fmt: skip
        history = History(lake.catalog, before["tool_project"], before["batch"])
        news = history.news([(task, lake.image_ids[0], datetime.now(UTC), [told])])
        assert history.write(news)[0] == 1
        assert quarantine_annotations(lake.catalog) == {}
        _, (row,) = labels(lake)
        assert row["annotator"] == before["annotator"]

    def test_what_people_drew_in_pixels_of_the_image(self, lake):
        lake.push()
        tasks = [lake.tasks()[image] for image in lake.image_ids]
        lake.studio.label("ann", tasks[0], box(), box("blue", x=50, name="r2"))
        lake.studio.label("bob", tasks[0], box("green"))
        lake.studio.label("cem", tasks[0], box(x=150))
        lake.studio.label("dee", tasks[1], was_cancelled=True)
        gone = lake.studio.label("eve", tasks[2], box())
        lake.pull()
        lake.studio.delete("eve", gone)
        lake.pull()
        report, rows = labels(lake)
        edges = sorted((r["x_min"], r["x_max"], r["label"]) for r in rows)
        assert edges == [
            (pytest.approx(6.4), pytest.approx(19.2), "red"),
            (pytest.approx(32), pytest.approx(44.8), "blue"),
        ]
        assert {r["image_id"] for r in rows} == {lake.image_ids[0]}
        assert {r["annotator"] for r in rows} == {f"studio-{lake.studio.id_of('ann')}"}
        assert report.quarantined == {"percent_over_100": 1, "unknown_label": 1}
        assert (report.rows, report.pulled) == (2, 2)
        again, _ = labels(lake)
        assert (again.digest, again.version) == (report.digest, report.version)
        assert all(lake.store.exists(key) for key in report.frozen)

    def test_beside_an_export_s_files_what_was_pulled_counts(self, lake, tmp_path):
        lake.push()
        task = lake.tasks()[lake.image_ids[0]]
        lake.studio.label("ann", task, box())
        lake.pull()
        number = lake.studio.id_of("ann")
        ann, of_file = f"studio-{number}", f"annotator-{number}"
        file = tmp_path / "labels.csv"
        file.write_text(
            "image,label,annotator,x_min,y_min,x_max,y_max\n"
            f"0.png,blue,{number},1,1,9,9\n0.png,blue,zoe,1,1,9,9\n1.png,blue,{number},1,1,9,9\n"
        )
        places = {image: n for n, image in enumerate(lake.image_ids)}

        def imported():
            report, rows = labels(lake, source=open_source(str(file)))
            said = sorted((places[r["image_id"]], r["annotator"], r["label"]) for r in rows)
            return said, report.not_imported

        # number 7 of a file need not be account 7 of the tool
        said, _ = imported()
        assert said == [
            (0, of_file, "blue"),
            (0, ann, "red"),
            (0, "zoe", "blue"),
            (1, of_file, "blue"),
        ]
        people = lake.project.labeling.model_copy(update={"people": {ann: of_file}})
        lake.project = lake.project.model_copy(update={"labeling": people})
        said, not_imported = imported()
        assert said == [(0, of_file, "red"), (0, "zoe", "blue"), (1, of_file, "blue")]
        assert not_imported == {"annotation that was pulled too": 1}

    def test_who_takes_all_away_in_the_tool_has_nothing_in_files_either(self, lake, tmp_path):
        lake.push()
        made = lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        lake.pull()
        lake.studio.edit("ann", made)
        lake.pull()
        person = f"studio-{lake.studio.id_of('ann')}"
        text = lake.folder / "projects" / lake.name / "project.yaml"
        people = f"labeling:\n  people: {{{person}: ann}}"
        text.write_text(text.read_text().replace("labeling:", people))
        lake.project = load_project(text)
        file = tmp_path / "labels.csv"
        file.write_text("image,label,annotator,x_min,y_min,x_max,y_max\n0.png,blue,ann,1,1,9,9\n")
        source = open_source(str(file))
        report, rows = labels(lake, source=source)
        assert (rows, report.empty_images) == ([], 1)

    def test_that_a_reviewer_calls_ground_truth_are_gold(self, lake):
        lake.push()
        made = lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        lake.pull()
        lake.studio.edit("eve", made, box(), ground_truth=True)
        lake.pull()
        reviewer = f"studio-{lake.studio.id_of('eve')}"
        given = {"annotators": {reviewer: {"role": "reviewer"}}}
        labeling = lake.project.labeling.model_validate(lake.project.labeling.model_dump() | given)
        pulled = pulled_exports(lake.catalog, labeling=labeling)
        _, (row,) = labels(lake, pulled=pulled)
        assert (row["role"], row["annotator"]) == ("gold", f"studio-{lake.studio.id_of('ann')}")
        report, (row,) = labels(lake)
        assert row["role"] == "annotator", "who marked it is no reviewer"
        assert report.quarantined == {"unproven_ground_truth": 1}

    def test_of_two_batches_with_one_image_what_somebody_said_last_counts(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        lake.set_aside("again", lake.image_ids[:1])
        lake.push("again")
        lake.studio.label("ann", lake.tasks("again")[lake.image_ids[0]], box("blue"))
        lake.pull()
        _, rows = labels(lake)
        assert [r["label"] for r in rows] == ["blue"]

    def test_labels_of_an_older_ontology_are_brought_along(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box("blue"))
        lake.pull()
        file = lake.folder / "projects" / lake.name / "project.yaml"
        text = file.read_text().replace(
            "labels: [red, blue]",
            "version: '2'\n  labels: [red, navy]\n"
            "  original: {labels: [red, blue], attributes: {occluded: []}}\n"
            "  migrations: [{from: '1', to: '2', steps: [{rename: {blue: navy}}]}]",
        )
        file.write_text(text)
        lake.project = load_project(file)
        report, rows = labels(lake)
        assert [(r["label"], r["ontology_version"]) for r in rows] == [("navy", "2")]
        assert report.quarantined == {}


def test_a_pilot_round_that_shows_agreement_opens_the_gate(lake):
    file = lake.folder / "projects" / lake.name / "project.yaml"
    rule = (
        "hand_off:\n    gold: {query: labelled, min_per_class: 1}\n"
        "    review: {share: 0.1, owner: somebody}\n    pilot: {min_images: 6}"
    )
    file.write_text(file.read_text().replace("hand_off: {enforce: false}", rule))
    lake.project = load_project(file)
    declare(lake.catalog, "first", task_type="detection", overlap=2, pilot=True)
    with pytest.raises(PushRefused, match="no text of guideline version '1'"):
        lake.push()
    (file.parent / "guidelines").mkdir()
    (file.parent / "guidelines" / "1.md").write_text("Draw tight boxes.")
    lake.push()
    lake.set_aside("volume", lake.image_ids[:3])
    with pytest.raises(PushRefused, match=r"The pilot 'first' is not finished: 0 of 6"):
        lake.push("volume")
    for number, image in enumerate(lake.image_ids):
        for who in ("ann", "bob"):
            # on the last image bob sees nothing, which is an answer
            drawn = [box(("red", "blue")[number % 2])] if (number, who) != (5, "bob") else []
            lake.studio.label(who, lake.tasks()[image], *drawn)
    lake.pull()
    labels(lake)
    (pilot,) = state(lake.project, catalog=lake.catalog).pilots
    said = pilot.agreement
    assert (pilot.finished, said.images, said.annotators) == (True, 6, 2)
    assert (said.objects, said.agreed, said.mean_iou) == (6, 5, pytest.approx(1.0))
    # twelve answers, one pair of which differs: red 6, blue 5, nothing 1
    assert said.alpha.value == pytest.approx(1 - (2 / 12) / (1 - (6 * 5 + 5 * 4) / (12 * 11)))
    with pytest.raises(PushRefused, match=r"its lower bound must be at least 0\.667"):
        lake.push("volume")
    text = file.read_text().replace("min_images: 6", "min_images: 6, bound: value")
    file.write_text(text)
    lake.project = load_project(file)
    assert lake.push("volume").pushed == 3


@pytest.fixture
def reached(lake, monkeypatch):
    """The lake, whose tool the environment names."""
    monkeypatch.setenv("CV_LABEL_STUDIO_TOKEN", lake.studio.token)
    return lake


class TestWays:
    def test_functions(self, reached):
        assert cv_pipeline.push(reached.name, "first").pushed == 6
        reached.studio.label("ann", reached.tasks()[reached.image_ids[0]], box())
        assert cv_pipeline.pull(reached.name).states == 1

    def test_commands(self, reached):
        run = CliRunner().invoke
        told = run(app, ["push", reached.name, "--batch", "first"])
        assert (told.exit_code, "6 tasks pushed" in told.output) == (0, True), told.output
        reached.studio.label("ann", reached.tasks()[reached.image_ids[0]], box())
        told = run(app, ["pull", reached.name, "--json"])
        report = json.loads(told.stdout)
        assert (report["states"], report["tasks"]) == (1, 6)
        assert "0 new states" in run(app, ["pull", reached.name]).output

    def test_assets_and_the_sensor(self, reached, tmp_path):
        store = ObjectStoreResource(url=str(tmp_path / "home" / "store"), s3=S3Resource())
        resources = {"projects": Projects(folder=str(tmp_path / "projects")), "object_store": store}
        sensor = annotations_sensor(reached.name)
        with dg.DagsterInstance.ephemeral() as instance:
            for name in ("prelabels", "raw_images"):
                known = reached.catalog.versions()
                versions = {table: known[table] for table in ("files", "images", "quarantine")}
                event = dg.AssetMaterialization(
                    [reached.name, name], metadata={"table_versions": versions}
                )
                instance.report_runless_asset_event(event)

            def tick():
                with dg.build_sensor_context(instance=instance, resources=resources) as context:
                    return sensor(context)

            def materialize(name):
                made = dg.load_assets_from_modules([getattr(assets, name)], key_prefix=reached.name)
                done = dg.materialize(made, instance=instance, resources=resources)
                (event,) = done.get_asset_materialization_events()
                return {k: v.value for k, v in event.materialization.metadata.items()}

            assert "nothing changed" in tick().skip_message
            pushed = materialize("annotation_batches")
            assert (pushed["pushed"], pushed["refused_batches"]) == (6, 0)
            assert isinstance(tick(), dg.RunRequest), "what was pushed was never pulled"
            assert materialize("annotation_exports")["dagster/row_count"] == 0
            assert "nothing changed" in tick().skip_message
            reached.studio.label("ann", reached.tasks()[reached.image_ids[0]], box())
            first, again = tick(), tick()
            assert first.run_key == again.run_key, "one change, one run"
            told = materialize("annotation_exports")
            assert (told["pulled_states"], told["pulled_rows"], told["images"]) == (1, 1, 1)
            assert len(told["pulls"]) == 1
            assert reached.store.exists(told["frozen"][0])
            assert "nothing changed" in tick().skip_message
            # a tool that is down stops no pipeline, and takes no label away
            file = tmp_path / "projects" / reached.name / "project.yaml"
            file.write_text(file.read_text().replace(reached.studio.url, "http://127.0.0.1:9"))
            assert "cannot be reached" in materialize("annotation_batches")["push_failed"]
            told = materialize("annotation_exports")
            assert "cannot be reached" in told["pull_failed"]
            assert told["pulled_rows"] == 1
            assert "cannot be reached" in tick().skip_message

    def test_what_changed_is_seen_without_reading_it(self, lake):
        tool = lake.studio.tool
        assert changes_in_tool(lake.catalog, tool) == ""
        lake.push()
        assert changes_in_tool(lake.catalog, tool)
        lake.pull()
        assert changes_in_tool(lake.catalog, tool) == ""
        task = lake.tasks()[lake.image_ids[0]]
        made = lake.studio.label("ann", task, box())
        labelled = changes_in_tool(lake.catalog, tool)
        lake.studio.delete("ann", made)
        assert changes_in_tool(lake.catalog, tool) not in ("", labelled)
        lake.pull()
        lake.studio.of("admin@localhost").send("DELETE", f"/api/tasks/{task}/", None)
        assert changes_in_tool(lake.catalog, tool)
        lake.pull()
        assert changes_in_tool(lake.catalog, tool) == ""


def test_a_port_that_is_taken_is_not_replaced_silently(label_studio, tmp_path):
    second = LocalServer(tmp_path, port=label_studio.server.port)
    with pytest.raises(SettingsError, match=f"Port {label_studio.server.port} is taken"):
        second.start()
