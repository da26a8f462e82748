"""Push and pull against a real Label Studio: nothing is lost on the way, and nothing doubled."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from cv_pipeline.annotations.ontology.record import ontology_versions
from cv_pipeline.catalog.tables import CatalogTable
from cv_pipeline.errors import (
    LabelingError,
    OntologyError,
    PushRefused,
    ToolDenied,
    ToolUnavailable,
)
from cv_pipeline.labeling.batches.declared import change_state, declare, declared_batches
from cv_pipeline.labeling.exchange import task_drafts
from cv_pipeline.labeling.exchange.history import current_annotations
from cv_pipeline.labeling.tool import connection as connections
from cv_pipeline.labeling.tool.configuration import labelling_configuration
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.labeling.tool.local_server import ADMIN
from cv_pipeline.ontology import Ontology
from cv_pipeline.settings import cv_home
from tests.labeling.cutting_proxy import cutting_proxy
from tests.labeling.studio import NAMES, box


class Killed(BaseException):
    """The process of a push or pull ends here."""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(connections, "_FIRST_WAIT", 0.01)


def in_tool(lake, number):
    """Image to the tasks that show it, as the tool has them."""
    there = {}
    for task, data in lake.studio.tool.task_data(number):
        there.setdefault(data["image_id"], []).append(task)
    return there


def _die_at_write(patch, point):
    """Have the process end in place of its write number ``point``."""
    done = [0]

    def dying(real):
        def write(*args, **more):
            if done[0] == point:
                raise Killed
            done[0] += 1
            return real(*args, **more)

        return write

    for name in ("append", "merge"):
        patch.setattr(CatalogTable, name, dying(getattr(CatalogTable, name)))


class TestPush:
    def test_a_task_for_each_image_with_a_signed_address(self, lake):
        report = lake.push()
        assert (report.pushed, report.waiting, report.images) == (6, 6, 6)
        place = lake.studio.tool.project(report.tool_project)
        assert place.overlap == 1
        assert "RectangleLabels" in place.configuration
        assert 'value="red"' in place.configuration
        for _, data in lake.studio.tool.task_data(report.tool_project):
            assert data.keys() == {"image", "image_id", "batch"}
            shown = ImageAddresses(cv_home()).read(data["image"])
            assert (shown.base, shown.project) == ("http://127.0.0.1:8000", lake.name)
            assert (shown.batch, shown.image_id) == ("first", data["image_id"])
            assert timedelta(days=30) < shown.until - datetime.now(UTC) <= timedelta(days=31)
        assert declared_batches(lake.catalog)["first"].state == "pushed"

    def test_again_changes_nothing(self, lake):
        first = lake.push()
        before = lake.content()
        again = lake.push()
        assert (again.pushed, again.found, again.waiting) == (0, 0, 6)
        assert again.tool_project == first.tool_project
        assert lake.content() == before

    @pytest.mark.parametrize("place", ["project", "chunk", "written"])
    def test_killed_anywhere_and_run_again_is_the_same(self, lake, monkeypatch, place):
        monkeypatch.setattr(task_drafts, "CHUNK", 2)

        class Dying(Tool):
            chunks = 0

            def make_project(self, *args, **more):
                made = super().make_project(*args, **more)
                if place == "project":
                    raise Killed
                return made

            def add_tasks(self, number, tasks):
                self.chunks += 1
                if place == "written" and self.chunks == 3:
                    raise Killed
                ids = super().add_tasks(number, tasks)
                if place == "chunk" and self.chunks == 2:
                    raise Killed
                return ids

        with pytest.raises(Killed):
            lake.push(tool=Dying(lake.studio.tool.connection))
        report = lake.push()
        assert report.waiting == 6
        assert report.found == (2 if place == "chunk" else 0)
        there = in_tool(lake, report.tool_project)
        assert sorted(there) == lake.image_ids
        assert {image: [task] for image, task in lake.tasks().items()} == there
        mine = [p for p in lake.studio.tool.projects() if f" {lake.name}/first]" in p.description]
        assert len(mine) == 1

    def test_an_answer_that_is_cut_off_is_looked_into(self, lake):
        lake.push()
        with cutting_proxy(lake.studio.server.port) as proxy:
            lake.set_aside("second", lake.image_ids[:3])

            class Cut(Tool):
                def add_tasks(self, number, tasks):
                    proxy.cut, proxy.times = 0, 1  # it arrives, and its answer does not
                    return super().add_tasks(number, tasks)

            tool = Cut(lake.studio.through(proxy.url))
            report = lake.push("second", tool=tool)
        assert (report.pushed, report.found, report.waiting) == (0, 3, 3)
        assert all(len(tasks) == 1 for tasks in in_tool(lake, report.tool_project).values())

    def test_what_was_made_late_is_not_doubled(self, lake):
        report = lake.push()
        doubled = lake.studio.tool.task_data(report.tool_project)
        data = next(data for _, data in doubled)
        lake.studio.tool.add_tasks(report.tool_project, [{"data": data}])
        gone = lake.tasks()[lake.image_ids[5]]
        lake.studio.of("admin@localhost").send("DELETE", f"/api/tasks/{gone}/", None)
        lake.pull()
        again = lake.push(again=True)
        assert (again.pushed, again.doubled, again.waiting) == (1, 1, 6)
        assert all(len(tasks) == 1 for tasks in in_tool(lake, report.tool_project).values())

    def test_batches_have_projects_and_settings_of_their_own(self, lake):
        lake.set_aside("second", lake.image_ids[:2])
        declare(lake.catalog, "second", task_type="detection", overlap=3)
        first, second = lake.push(), lake.push("second")
        assert first.tool_project != second.tool_project
        assert lake.studio.tool.project(second.tool_project).overlap == 3
        declare(lake.catalog, "second", task_type="detection", overlap=2)
        lake.push("second")
        assert lake.studio.tool.project(second.tool_project).overlap == 2

    def test_a_batch_that_is_paused_is_not_pushed(self, lake):
        lake.push()
        change_state(lake.catalog, "first", "paused")
        with pytest.raises(LabelingError, match="'first' is paused"):
            lake.push()

    def test_refused_with_everything_that_is_missing(self, lake):
        gated = lake.project.labeling.model_copy(
            update={"hand_off": lake.project.labeling.hand_off.model_copy(update={"enforce": True})}
        )
        lake.project = lake.project.model_copy(update={"labeling": gated})
        with pytest.raises(PushRefused, match=r"(?s)may not be pushed yet; \d+ missing:.*\n  - "):
            lake.push()
        assert lake.catalog.table("labeling_tasks").version == 0


class TestVersions:
    def test_a_push_records_what_its_versions_stand_for(self, lake):
        guidelines = lake.folder / "projects" / lake.name / "guidelines"
        guidelines.mkdir()
        (guidelines / "1.md").write_text("Draw <b>tight</b> boxes.")
        report = lake.push()
        shown = lake.studio.tool.project(report.tool_project).instructions
        assert "Draw &lt;b&gt;tight&lt;/b&gt; boxes." in shown
        assert [v.version for v in ontology_versions(lake.catalog)] == ["1"]
        (guidelines / "1.md").write_text("Draw other boxes.")
        with pytest.raises(OntologyError, match=r"1\.md has changed"):
            lake.push()

    def test_the_server_takes_whatever_names_there_are(self, lake):
        names = ('a"b<c>&d', "x" * 300, "$image", "Red", "red", "7", "true", "two\tparts")
        ontology = Ontology(
            labels=names,
            attributes=dict.fromkeys(names, ("yes", "no")),
            tags=names,
            geometry=("rotated_box", "polygon", "mask", "keypoints", "class"),
            keypoints={"red": names},
        )
        text = labelling_configuration(ontology, task="detection")
        made = lake.studio.tool.make_project(
            lake.name, description="", configuration=text, overlap=1, instructions=""
        )
        parsed = lake.studio.of(ADMIN).get(f"/api/projects/{made.id}")["parsed_label_config"]
        for control in ("label", "polygon", "brush", "keypoints", "class", "tags"):
            assert parsed[control]["labels"] == list(names)


class TestPull:
    def test_what_five_people_did_with_its_history(self, lake):
        lake.push()
        tasks = list(lake.tasks().values())
        made = [lake.studio.label(name, task, box()) for task in tasks for name in NAMES]
        report = lake.pull()
        assert (report.states, report.tasks, report.deleted_annotations) == (30, 6, 0)
        rows = current_annotations(lake.catalog)
        assert rows["annotation"].to_pylist() == sorted(made)
        assert len(set(rows["annotator"].to_pylist())) == 5
        assert set(rows["lead_time"].to_pylist()) == {3.5}
        assert not any("@" in name for name in rows["annotator"].to_pylist())
        lake.studio.edit("ann", made[0], box("blue"), lead_time=9.0)
        lake.studio.delete("bob", made[1])
        report = lake.pull()
        assert (report.states, report.tasks, report.deleted_annotations) == (2, 1, 1)
        of_first = [s for s in lake.states() if s["annotation"] == made[0]]
        assert [s["lead_time"] for s in of_first] == [3.5, 9.0]
        assert [json.loads(s["result"])[0]["value"]["rectanglelabels"] for s in of_first] == [
            ["red"],
            ["blue"],
        ]
        of_second = [s for s in lake.states() if s["annotation"] == made[1]]
        assert [s["deleted"] for s in of_second] == [False, True]
        assert of_second[0]["result"] == of_second[1]["result"]

    def test_nothing_new_writes_nothing(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        lake.pull()
        before = lake.content()
        report = lake.pull()
        assert (report.states, report.tasks) == (0, 0)
        assert lake.pull(whole=True).states == 0
        assert {k: v for k, v in lake.content().items() if k == "tool_annotations"} == {
            "tool_annotations": before["tool_annotations"]
        }

    def test_what_was_read_is_frozen_without_addresses(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        report = lake.pull()
        listed = json.loads(lake.store.read(report.batches[0].frozen))
        page = lake.store.read(listed["pages"][0])
        assert page.count(b'"annotations"') == 6
        assert b"@" not in page
        assert b"http" not in page

    def test_deleted_tasks_and_tasks_of_others(self, lake):
        report = lake.push()
        tasks = lake.tasks()
        lake.studio.label("ann", tasks[lake.image_ids[0]], box())
        lake.pull()
        admin = lake.studio.of("admin@localhost")
        admin.send("DELETE", f"/api/tasks/{tasks[lake.image_ids[0]]}/", None)
        # as many as before: their number alone tells nothing
        (foreign,) = lake.studio.tool.add_tasks(
            report.tool_project, [{"data": {"image": "https://x.example/a.png"}}]
        )
        pulled = lake.pull()
        assert (pulled.deleted_tasks, pulled.deleted_annotations) == (1, 1)
        assert lake.refused() == {f"tasks/{foreign}": "unknown_task"}
        assert lake.push().deleted == 1, "what was deleted there is not pushed again by itself"
        admin.send("DELETE", f"/api/tasks/{foreign}/", None)
        assert lake.pull().deleted_tasks == 0
        assert lake.refused() == {}
        assert lake.push(again=True).pushed == 1
        assert lake.pull().deleted_tasks == 0

    def test_a_project_that_was_deleted(self, lake):
        lake.set_aside("second", lake.image_ids[:2])
        first, second = lake.push(), lake.push("second")
        lake.studio.label("ann", lake.tasks("second")[lake.image_ids[0]], box())
        lake.pull()
        admin = lake.studio.of("admin@localhost")
        admin.send("DELETE", f"/api/projects/{second.tool_project}/", None)
        pulled = lake.pull()
        assert (pulled.deleted_tasks, pulled.deleted_annotations) == (2, 1)
        admin.send("DELETE", f"/api/projects/{first.tool_project}/", None)
        with pytest.raises(ToolUnavailable, match="looks like another Label Studio"):
            lake.pull()
        assert lake.pull(lost=True).deleted_tasks == 6
        with pytest.raises(LabelingError, match="was pushed before"):
            lake.push()

    def test_a_project_of_somebody_else_under_its_number(self, lake):
        lake.set_aside("second", lake.image_ids[:2])
        first, second = lake.push(), lake.push("second")
        lake.studio.label("ann", lake.tasks("second")[lake.image_ids[0]], box())
        # as another server would have it
        for task, data in list(lake.studio.tool.task_data(first.tool_project)):
            lake.studio.of("admin@localhost").send(
                "PATCH", f"/api/tasks/{task}/", {"data": {**data, "image_id": "0" * 64}}
            )
        report = lake.pull()
        assert list(report.failed) == ["first"]
        assert "is not the one that batch 'first' was pushed to" in report.failed["first"]
        assert report.states == 1, "the other batch is pulled all the same"
        assert second.tool_project in {b.tool_project for b in report.batches}


class TestBadInput:
    def test_each_is_found_and_told(self, lake):
        lake.push()
        tasks = [lake.tasks()[image] for image in lake.image_ids]
        studio = lake.studio
        right = studio.label("ann", tasks[0], box())
        forged = studio.label("bob", tasks[0], box("blue"), completed_by=studio.id_of("ann"))
        cancelled = studio.label("cem", tasks[0], was_cancelled=True)
        earlier, later = studio.label("dee", tasks[1], box()), studio.label("dee", tasks[1], box())
        taken_over = studio.label("eve", tasks[2], box())
        data = dict(studio.tool.task_data(lake.push().tool_project))[tasks[3]]
        other = {**data, "image_id": "0" * 64}
        studio.of("admin@localhost").send("PATCH", f"/api/tasks/{tasks[3]}/", {"data": other})
        lake.pull()
        studio.edit("bob", taken_over, box(), completed_by=studio.id_of("bob"))
        report = lake.pull()
        assert lake.refused() == {
            f"tasks/{tasks[0]}/annotations/{forged}": "forged_annotator",
            f"tasks/{tasks[0]}/annotations/{cancelled}": "cancelled_annotation",
            f"tasks/{tasks[1]}/annotations/{earlier}": "second_annotation",
            f"tasks/{tasks[2]}/annotations/{taken_over}": "forged_annotator",
            f"tasks/{tasks[3]}": "changed_image",
        }
        assert report.quarantined == {
            "cancelled_annotation": 1,
            "changed_image": 1,
            "forged_annotator": 2,
            "second_annotation": 1,
        }
        assert {right, later}.isdisjoint(
            int(place.rpartition("/")[2]) for place in lake.refused() if "annotations" in place
        )

    def test_what_was_mended_is_released(self, lake):
        lake.push()
        task = lake.tasks()[lake.image_ids[0]]
        forged = lake.studio.label("bob", task, box(), completed_by=lake.studio.id_of("ann"))
        lake.pull()
        assert set(lake.refused().values()) == {"forged_annotator"}
        lake.studio.edit("ann", forged, box())
        lake.pull()
        assert lake.refused() == {}, "she stands by it now"

    def test_a_correction_by_somebody_else_is_no_forgery(self, lake):
        lake.push()
        made = lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        lake.pull()
        lake.studio.edit("admin@localhost", made, box("blue"))
        assert lake.pull().states == 1
        assert lake.refused() == {}
        assert current_annotations(lake.catalog)["annotator"].to_pylist() == [
            f"studio-{lake.studio.id_of('ann')}"
        ]


class TestFailures:
    def test_an_answer_cut_in_the_middle(self, lake):
        lake.push()
        for image in lake.image_ids:
            lake.studio.label("ann", lake.tasks()[image], box())
        with cutting_proxy(lake.studio.server.port) as proxy:

            class Cut(Tool):
                times = 2

                def tasks(self, number, ids):
                    proxy.cut, proxy.times = 300, self.times
                    self._read_at_once = 2
                    yield from super().tasks(number, ids)

            patient = Cut(lake.studio.through(proxy.url))
            assert lake.pull(tool=patient).states == 6, "it is asked again"
            for image in lake.image_ids:
                lake.studio.label("bob", lake.tasks()[image], box())
            patient.times = 100
            with pytest.raises(ToolUnavailable, match="cut off"):
                lake.pull(tool=patient)
        assert lake.pull().states == 6
        assert len(lake.states()) == 12

    def test_killed_between_any_two_writes(self, lake, monkeypatch):
        lake.push()
        made = [lake.studio.label("ann", lake.tasks()[image], box()) for image in lake.image_ids]
        kills = 0
        for point in range(12):
            with monkeypatch.context() as patch:
                _die_at_write(patch, point)
                try:
                    lake.pull()
                except Killed:
                    kills += 1
                else:
                    break
        assert kills >= 2
        assert sorted(s["annotation"] for s in lake.states()) == sorted(made)

    def test_a_dead_server_and_a_restart(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        before = lake.content()
        lake.studio.server.kill()
        try:
            with pytest.raises(ToolUnavailable, match="cannot be reached"):
                lake.pull()
            lake.set_aside("second", lake.image_ids[:2])
            with pytest.raises(ToolUnavailable, match="cannot be reached"):
                lake.push("second")
            assert lake.content() == before
        finally:
            lake.studio.server.start()
        assert lake.pull().states == 1
        assert lake.push("second").pushed == 2

    def test_a_token_that_expires_on_the_way_is_renewed(self, lake):
        connection = lake.studio.through(lake.studio.url)
        connection._access = "expired"
        assert Tool(connection).members()

    def test_a_token_that_is_not_accepted(self, lake):
        lake.push()
        before = lake.content()
        for token in ("a.b.c", "0" * 40):
            with pytest.raises(ToolDenied, match="does not accept the token") as told:
                lake.pull(tool=Tool(lake.studio.through(lake.studio.url, token)))
            assert token not in str(told.value)
        assert lake.content() == before
