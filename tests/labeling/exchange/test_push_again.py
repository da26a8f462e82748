"""A push of what was pushed: doubles go, addresses are renewed, and people may intervene."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cv_pipeline.errors import LabelingError, PushRefused
from cv_pipeline.labeling.batches import gate_facts
from cv_pipeline.labeling.batches.declared import change_state, declared_batches
from cv_pipeline.labeling.exchange import push as pushing
from cv_pipeline.labeling.exchange import renewal, task_drafts
from cv_pipeline.labeling.exchange.waiting import push_waiting
from cv_pipeline.labeling.tool import connection as connections
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.labeling.tool.inspector_address import tell_address
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.settings import cv_home
from tests.labeling.studio import box


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(connections, "_FIRST_WAIT", 0.01)


def shown(lake, number):
    """Task to what it shows, as the tool has it."""
    return dict(lake.studio.tool.task_data(number))


def bases(lake, number):
    addresses = ImageAddresses(cv_home())
    return {addresses.read(data["image"]).base for data in shown(lake, number).values()}


def with_labeling(lake, **changes):
    labeling = lake.project.labeling.model_copy(update=changes)
    lake.project = lake.project.model_copy(update={"labeling": labeling})


class TestDoubles:
    def double(self, lake, number, place=0):
        """A task of an image that has one, as a request that is carried out late leaves it."""
        task = lake.tasks()[lake.image_ids[place]]
        (late,) = lake.studio.tool.add_tasks(number, [{"data": shown(lake, number)[task]}])
        return late

    def test_one_that_was_made_late_goes_though_nothing_is_left_to_push(self, lake):
        number = lake.push().tool_project
        late = self.double(lake, number)
        again = lake.push()
        assert (again.pushed, again.doubled, again.kept) == (0, 1, 0)
        assert late not in shown(lake, number)
        assert lake.studio.tool.project(number).tasks == 6

    def test_one_that_somebody_works_on_is_kept_and_told(self, lake):
        number = lake.push().tool_project
        late = self.double(lake, number)
        lake.studio.label("ann", late, box())
        again = lake.push()
        assert (again.doubled, again.kept) == (0, 1)
        assert late in shown(lake, number)

    def test_what_is_labelled_while_it_is_looked_at_is_not_lost(self, lake):
        number = lake.push().tool_project
        late = self.double(lake, number)
        tool = lake.studio.tool
        real = tool.connection.found

        def label_after_the_look(path, parameters=None):
            found = real(path, parameters)
            if path == f"/api/tasks/{late}/" and not found["annotations"]:
                lake.studio.label("ann", late, box())
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tool.connection, "found", label_after_the_look)
            assert tool.remove_unlabelled(late) is None
        assert len(real(f"/api/tasks/{late}/")["annotations"]) == 1


class TestPeopleIntervene:
    @pytest.mark.parametrize("state", ["paused", "cancelled"])
    def test_a_batch_that_is_stopped_while_it_is_pushed(self, lake, monkeypatch, state):
        monkeypatch.setattr(task_drafts, "CHUNK", 2)

        class Stopping(Tool):
            chunks = 0

            def add_tasks(self, number, tasks):
                self.chunks += 1
                if self.chunks == 2:
                    change_state(lake.catalog, "first", state)
                return super().add_tasks(number, tasks)

        report = lake.push(tool=Stopping(lake.studio.tool.connection))
        assert (report.pushed, report.stopped) == (4, state)
        assert declared_batches(lake.catalog)["first"].state == state
        with pytest.raises(LabelingError, match=f"'first' is {state}"):
            lake.push()

    def test_stopped_at_the_last_moment(self, lake, monkeypatch):
        real = change_state

        def just_before(catalog, batch, state):
            real(catalog, batch, "cancelled")
            return real(catalog, batch, state)

        monkeypatch.setattr(pushing, "change_state", just_before)
        report = lake.push()
        assert (report.pushed, report.stopped) == (6, "cancelled")


class TestAddresses:
    def test_an_inspector_that_moved_is_found_again(self, lake):
        tell_address("0.0.0.0", 8123)
        number = lake.push().tool_project
        task = lake.tasks()[lake.image_ids[0]]
        made = lake.studio.label("ann", task, box())
        assert lake.pull().moved == ()
        assert bases(lake, number) == {"http://127.0.0.1:8123"}
        tell_address("127.0.0.1", 9321)
        moved = lake.pull()
        assert (moved.moved, moved.images_at) == (("first",), "http://127.0.0.1:9321")
        again = lake.push()
        assert (again.renewed, again.not_renewed, again.pushed) == (6, 0, 0)
        assert again.images_at == "http://127.0.0.1:9321"
        assert bases(lake, number) == {"http://127.0.0.1:9321"}
        pulled = lake.pull(whole=True)
        assert pulled.quarantined == {}, "no image is taken for another"
        assert pulled.moved == ()
        assert [s["annotation"] for s in lake.states()] == [made]
        before = lake.content()
        assert lake.push().renewed == 0
        assert lake.content() == before

    def test_those_that_are_half_through_are_renewed_also_where_the_gate_refuses(self, lake):
        with_labeling(lake, image_days=2)
        number = lake.push().tool_project
        with_labeling(
            lake,
            image_days=30,
            hand_off=lake.project.labeling.hand_off.model_copy(update={"enforce": True}),
        )
        before = shown(lake, number)
        with pytest.raises(PushRefused, match=r"\n6 tasks that are there have a new address of"):
            lake.push()
        after = shown(lake, number)
        with pytest.raises(PushRefused) as refused:
            lake.push()
        assert "new address" not in str(refused.value), "there was nothing left to renew"
        read = ImageAddresses(cv_home()).read
        for task, data in before.items():
            old, new = read(data["image"]), read(after[task]["image"])
            assert (new.image_id, new.batch) == (old.image_id, old.batch)
            assert (new.until - old.until).days == 28

    def test_one_by_one_where_the_tool_cannot_and_never_too_many(self, lake, monkeypatch):
        monkeypatch.setattr(renewal, "ONE_BY_ONE", 4)

        class Older(Tool):
            def replace_in_images(self, number, tasks, old, new):
                raise LabelingError("No such action.")

        number = lake.push().tool_project
        tell_address("127.0.0.1", 9321)
        tool = Older(lake.studio.tool.connection)
        again = lake.push(tool=tool)
        assert (again.renewed, again.not_renewed) == (4, 2)
        assert lake.push(tool=tool).renewed == 2
        assert bases(lake, number) == {"http://127.0.0.1:9321"}

    def test_of_a_key_that_was_lost(self, lake):
        lake.push()
        (cv_home() / "labeling" / "image.key").unlink()
        again = lake.push()
        assert again.renewed == 6
        assert lake.pull(whole=True).quarantined == {}

    def test_what_somebody_else_wrote_there_stays_for_the_pull_to_find(self, lake):
        number = lake.push().tool_project
        task = lake.tasks()[lake.image_ids[0]]
        data = shown(lake, number)[task]
        evil = {**data, "image": data["image"].replace("http://127.0.0.1:8000", "http://evil")}
        lake.studio.tool.change_data(task, evil)
        tell_address("127.0.0.1", 9321)
        again = lake.push()
        assert (again.renewed, again.not_renewed) == (5, 1)
        assert shown(lake, number)[task] == evil
        lake.pull()
        assert lake.refused() == {f"tasks/{task}": "changed_image"}

    def test_work_given_out_while_they_are_renewed_stays_given_out(self, lake):
        lake.push()
        tell_address("127.0.0.1", 9321)

        class Meanwhile(Tool):
            def replace_in_images(self, number, tasks, old, new):
                table = lake.catalog.table("labeling_tasks")
                rows = table.read()
                given = pa.array(["studio-7"] * len(rows), pa.string())
                place = rows.schema.get_field_index("assignee")
                table.merge(rows.set_column(place, rows.field("assignee"), given), on=table.key)
                super().replace_in_images(number, tasks, old, new)

        assert lake.push(tool=Meanwhile(lake.studio.tool.connection)).renewed == 6
        rows = lake.catalog.table("labeling_tasks").read().to_pylist()
        assert {row["assignee"] for row in rows} == {"studio-7"}
        assert all(row["address"].startswith("http://127.0.0.1:9321/") for row in rows)

    def test_killed_between_the_tool_and_what_is_written_down(self, lake, monkeypatch):
        number = lake.push().tool_project
        tell_address("127.0.0.1", 9321)

        class Killed(BaseException):
            pass

        def dying(*_):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(renewal._Renewal, "_write_down", dying)
            with pytest.raises(Killed):
                lake.push()
        assert bases(lake, number) == {"http://127.0.0.1:9321"}
        assert lake.pull(whole=True).quarantined == {}
        assert lake.push().renewed == 6
        assert lake.push().renewed == 0


def test_what_all_batches_have_in_common_is_found_out_once(lake, monkeypatch):
    counted = {}

    def counting(module, name):
        real = getattr(module, name)

        def call(*args, **more):
            counted[name] = counted.get(name, 0) + 1
            return real(*args, **more)

        monkeypatch.setattr(module, name, call)

    counting(gate_facts, "gold_counts")
    counting(gate_facts, "pilot_rounds")
    counting(gate_facts, "list_labeling_batches")
    counting(pushing, "model_to_push")
    counting(Tool, "projects")
    counting(Tool, "members")
    for name in ("second", "third"):
        lake.set_aside(name, lake.image_ids[:1])
    both = {"catalog": lake.catalog, "store": lake.store, "tool": lake.studio.tool}
    assert len(push_waiting(lake.project, **both).pushed) == 3
    assert counted == {
        "list_labeling_batches": 1, "model_to_push": 1, "projects": 1, "members": 1,
    }  # fmt: skip
    counted.clear()
    with_labeling(
        lake, hand_off=lake.project.labeling.hand_off.model_copy(update={"enforce": True})
    )
    assert len(push_waiting(lake.project, **both).refused) == 3
    assert counted == {"list_labeling_batches": 1, "gold_counts": 1, "pilot_rounds": 1}
