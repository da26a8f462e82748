"""Pulls after pulls: what may be left unasked, and that nothing stays hidden by it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from cv_pipeline.catalog.tables import CatalogTable
from cv_pipeline.errors import ToolUnavailable
from cv_pipeline.labeling.batches.declared import change_state, labeling_batch
from cv_pipeline.labeling.exchange import pull as pulls
from cv_pipeline.labeling.tool.changes import changes_in_tool
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.labeling.tool.label_studio import Counts, Tool
from cv_pipeline.labeling.tool.local_server import ADMIN
from cv_pipeline.settings import cv_home
from tests.labeling.studio import box


class Killed(BaseException):
    """The process ends here."""


class Listening(Tool):
    """Label Studio, and what it was asked."""

    def __init__(self, connection):
        super().__init__(connection)
        self.asked = Counter()

    def stubs(self, number, *, since=None):
        self.asked["listed" if since is None else "changed", number] += 1
        return super().stubs(number, since=since)

    def project(self, number):
        self.asked["project", number] += 1
        return super().project(number)


@pytest.fixture
def listening(lake):
    return Listening(lake.studio.tool.connection)


def age(lake, **ago):
    """Have every pull so far be as long ago."""
    table = lake.catalog.table("labeling_pulls")
    rows = table.read()
    at = pa.array([when - timedelta(**ago) for when in rows["at"].to_pylist()], rows["at"].type)
    table.replace(rows.set_column(rows.schema.get_field_index("at"), rows.field("at"), at))


def as_admin(lake, method, path, body=None):
    return lake.studio.of(ADMIN).send(method, path, body)


def cancelled_batch(lake):
    """A batch that is pushed, labelled once, pulled and then cancelled."""
    number = lake.push().tool_project
    lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
    lake.pull()
    change_state(lake.catalog, "first", "cancelled")
    return number


class TestAPushThatWasKilled:
    def test_labels_of_before_it_was_mended_come_with_the_next_pull(self, lake, monkeypatch):
        lake.push()
        lake.pull()
        gone = lake.tasks()[lake.image_ids[0]]
        as_admin(lake, "DELETE", f"/api/tasks/{gone}/")
        lake.pull()

        class Dying(Tool):
            def add_tasks(self, number, tasks):
                super().add_tasks(number, tasks)
                raise Killed

        with pytest.raises(Killed):
            lake.push(tool=Dying(lake.studio.tool.connection), again=True)
        task = max(task for task, _ in lake.studio.tool.task_data(lake.tool_project()))
        made = lake.studio.label("ann", task, box())
        lake.pull()
        assert lake.refused() == {f"tasks/{task}": "unknown_task"}
        # its changes are long over when it is known at last
        table = lake.catalog.table("labeling_pulls")
        rows = table.read()
        later = pa.array([datetime.now(UTC) + timedelta(hours=1)] * len(rows), rows["cursor"].type)
        place = rows.schema.get_field_index("cursor")
        table.replace(rows.set_column(place, rows.field("cursor"), later))
        monkeypatch.setattr(Tool, "clock", lambda self: None)
        assert lake.push(again=True).found == 1
        assert changes_in_tool(lake.catalog, lake.studio.tool)
        assert lake.pull().states == 1
        assert [state["annotation"] for state in lake.states()] == [made]
        assert lake.refused() == {}
        assert changes_in_tool(lake.catalog, lake.studio.tool) == ""


def test_tasks_of_others_are_told_and_make_no_pull_slower(lake, listening):
    number = lake.push().tool_project
    lake.pull()
    tasks = lake.tasks()
    other, another = (
        lake.studio.tool.add_tasks(number, [{"data": {"image": "https://x.example/a.png"}}])[0]
        for _ in range(2)
    )
    lake.pull()
    assert lake.refused() == {f"tasks/{t}": "unknown_task" for t in (other, another)}
    lake.studio.label("ann", other, box())
    report = lake.pull(tool=listening)
    assert (report.states, report.batches[0].whole) == (0, False)
    assert not listening.asked["listed", number]
    as_admin(lake, "DELETE", f"/api/tasks/{tasks[lake.image_ids[0]]}/")
    lake.studio.tool.add_tasks(number, [{"data": {"image": "https://x.example/a.png"}}])
    assert lake.pull().deleted_tasks == 1, "one more hides none that is gone"
    as_admin(lake, "DELETE", f"/api/tasks/{another}/")
    lake.pull()
    assert len(lake.refused()) == 2


class TestBatchesAtRest:
    def test_their_counts_are_asked_and_more_once_a_day(self, lake, listening, monkeypatch):
        monkeypatch.setattr(pulls, "SWEEP_SECONDS", -1.0)  # one at least, however long it takes
        first = cancelled_batch(lake)
        before = lake.content()
        report = lake.pull(tool=listening)
        assert (report.at_rest, report.batches) == (1, ())
        assert changes_in_tool(lake.catalog, listening, now=at_minute(first + 1)) == ""
        assert not listening.asked
        assert lake.content() == before
        # an edit leaves the counts as they are
        lake.studio.edit("ann", lake.states()[0]["annotation"], box("blue"))
        assert lake.pull().states == 0
        assert changes_in_tool(lake.catalog, listening, now=at_minute(first)) == ""
        lake.set_aside("second", lake.image_ids[:2])
        second = lake.push("second").tool_project
        lake.pull()
        change_state(lake.catalog, "second", "cancelled")
        age(lake, hours=25)
        assert changes_in_tool(lake.catalog, listening, now=at_minute(first + 1)) == ""
        assert changes_in_tool(lake.catalog, listening, now=at_minute(first))
        # the longest unseen come first, and what takes too long waits
        report = lake.pull(tool=listening)
        assert ([b.tool_project for b in report.batches], report.states) == ([first], 1)
        assert listening.asked["listed", first] == 1, "the edit is read"
        assert [b.tool_project for b in lake.pull(tool=listening).batches] == [second]
        assert lake.pull(tool=listening).at_rest == 2, "and then not for another day"

    def test_what_changes_the_counts_is_seen_at_once(self, lake):
        cancelled_batch(lake)
        task, other = (lake.tasks()[image] for image in lake.image_ids[:2])
        made = lake.studio.label("bob", task, box())
        assert lake.pull().states == 1
        lake.studio.delete("bob", made)
        assert lake.pull().deleted_annotations == 1
        lake.studio.label("bob", other, was_cancelled=True)
        assert lake.pull().states == 1
        as_admin(lake, "DELETE", f"/api/tasks/{task}/")
        assert changes_in_tool(lake.catalog, lake.studio.tool)
        report = lake.pull()
        assert (report.deleted_tasks, report.deleted_annotations) == (1, 1)


def at_minute(number):
    """The minute, of those around now, in which a batch at rest is asked."""
    hour, minute = divmod(number % (24 * 60), 60)
    now = datetime.now(UTC)
    then = now.replace(hour=hour, minute=minute)
    return then if then >= now else then + timedelta(days=1)


class TestClocks:
    def test_what_a_clock_that_goes_wrong_hides_is_found(self, lake):
        lake.push()
        lake.pull()
        tasks = lake.tasks()
        made = lake.studio.label("ann", tasks[lake.image_ids[0]], box())

        class Behind(Tool):
            """One whose filter sees nothing that is new, as when its clock was set back."""

            def stubs(self, number, *, since=None):
                return iter(()) if since is not None else super().stubs(number)

        behind = Behind(lake.studio.tool.connection)
        assert lake.pull(tool=behind).states == 1, "there is one more annotation than is known"
        lake.studio.edit("ann", made, box("blue"))
        assert lake.pull(tool=behind).states == 0
        behind.clock = lambda: datetime.now(UTC) - timedelta(hours=1)
        assert lake.pull(tool=behind).states == 1, "it says that it was set back"
        lake.studio.delete("ann", made)
        del behind.clock
        assert lake.pull(tool=behind).states == 0
        age(lake, hours=25)
        assert lake.pull(tool=behind).deleted_annotations == 1

    def test_the_tool_says_what_time_it_has(self, lake):
        lake.studio.tool.version()
        assert abs(lake.studio.tool.clock() - datetime.now(UTC)) < timedelta(seconds=60)


class TestOthersAtWork:
    def test_work_given_out_while_a_pull_runs_stays_given_out(self, lake):
        lake.push()
        image = lake.image_ids[0]

        class Meanwhile(Tool):
            def tasks(self, number, ids):
                table = lake.catalog.table("labeling_tasks")
                rows = table.read()
                given = pa.array(["studio-7"] * len(rows), pa.string())
                place = rows.schema.get_field_index("assignee")
                table.merge(rows.set_column(place, rows.field("assignee"), given), on=table.key)
                yield from super().tasks(number, ids)

        lake.pull(tool=Meanwhile(lake.studio.tool.connection))
        rows = lake.catalog.table("labeling_tasks").read().to_pylist()
        assert {row["assignee"] for row in rows} == {"studio-7"}
        assert all(row["changed_at"] for row in rows), image

    def test_what_is_labelled_between_a_look_and_the_reading_is_read_once(self, lake):
        lake.push()
        lake.pull()
        first, second = (lake.tasks()[image] for image in lake.image_ids[:2])
        lake.studio.label("ann", first, box())

        class Meanwhile(Tool):
            def tasks(self, number, ids):
                lake.studio.label("bob", first, box())
                lake.studio.label("bob", second, box())
                as_admin(lake, "DELETE", f"/api/tasks/{lake.tasks()[lake.image_ids[5]]}/")
                yield from super().tasks(number, ids)

        assert lake.pull(tool=Meanwhile(lake.studio.tool.connection)).states == 2
        report = lake.pull()
        assert (report.states, report.deleted_tasks) == (1, 1)
        assert lake.pull().states == 0
        assert len({state["annotation"] for state in lake.states()}) == len(lake.states()) == 3

    def test_a_project_that_a_list_leaves_out_is_not_gone(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())

        class Paged(Tool):
            def counts(self):
                return {}

        paged = Paged(lake.studio.tool.connection)
        report = lake.pull(tool=paged)
        assert (report.states, report.deleted_tasks) == (1, 0)
        assert changes_in_tool(lake.catalog, paged) == ""

    def test_projects_are_counted_page_by_page(self, lake):
        numbers = [lake.push().tool_project]
        lake.set_aside("second", lake.image_ids[:2])
        numbers.append(lake.push("second").tool_project)
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        lake.studio.label("bob", lake.tasks()[lake.image_ids[0]], was_cancelled=True)
        connection = lake.studio.tool.connection

        class Short(Tool):
            class connection:  # noqa: N801 - as the attribute is called
                @staticmethod
                def get(path, parameters):
                    return connection.get(path, {**parameters, "page_size": 1})

            def __init__(self):
                pass

        counts = Short().counts()
        assert [counts[n] for n in numbers] == [Counts(6, 2), Counts(2, 0)]

    def test_an_answer_without_annotations_deletes_nothing(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())
        lake.pull()

        class Other(Tool):
            def tasks(self, number, ids):
                for page in super().tasks(number, ids):
                    yield [{k: v for k, v in task.items() if k != "annotations"} for task in page]

        report = lake.pull(tool=Other(lake.studio.tool.connection), whole=True)
        assert "says nothing of the annotations" in report.failed["first"]
        assert [state["deleted"] for state in lake.states()] == [False]

    def test_what_is_nested_too_deeply_fails_its_batch_alone(self, lake):
        number = lake.push().tool_project
        lake.set_aside("second", lake.image_ids[:1])
        lake.push("second")
        (task,) = lake.tasks("second").values()
        for one in (lake.tasks()[lake.image_ids[0]], task):
            lake.studio.label("ann", one, box())

        class Deep(Tool):
            def tasks(self, of, ids):
                for page in super().tasks(of, ids):
                    for annotation in page[0]["annotations"] if of == number else ():
                        for _ in range(100_000):
                            annotation["result"] = [annotation["result"]]
                    yield page

        report = lake.pull(tool=Deep(lake.studio.tool.connection))
        assert "nested too deeply" in report.failed["first"]
        assert [state["batch"] for state in lake.states()] == ["second"]

    def test_an_account_that_is_told_whole_is_known_by_its_id(self, lake):
        lake.push()
        lake.studio.label("ann", lake.tasks()[lake.image_ids[0]], box())

        class Whole(Tool):
            def tasks(self, number, ids):
                for page in super().tasks(number, ids):
                    for annotation in page[0]["annotations"]:
                        annotation["completed_by"] = {"id": annotation["completed_by"]}
                    yield page

        lake.pull(tool=Whole(lake.studio.tool.connection))
        assert lake.refused() == {}
        assert [state["completed_by"] for state in lake.states()] == [lake.studio.id_of("ann")]


def test_whose_an_address_is(lake):
    lake.push()
    lake.pull()
    image, task = lake.image_ids[0], lake.tasks()[lake.image_ids[0]]
    before = dict(lake.studio.tool.task_data(lake.tool_project()))[task]

    def reasons(address):
        """The reasons of a pull after the first task shows another address."""
        as_admin(lake, "PATCH", f"/api/tasks/{task}/", {"data": {**before, "image": address}})
        lake.pull()
        return set(lake.refused().values())

    here, elsewhere = "http://127.0.0.1:8000", "https://inspector.example"
    addresses = ImageAddresses(cv_home())

    def signed(base, batch="first"):
        until = datetime.now(UTC) + timedelta(days=9)
        return addresses.address(base, project=lake.name, batch=batch, image_id=image, until=until)

    assert reasons(before["image"].replace(here, "https://evil.example")) == {"changed_image"}
    assert reasons(before["image"]) == set(), "it was mended"
    assert reasons(signed(here, batch="other")) == {"changed_image"}
    assert reasons(before["image"][:-3] + "abc") == {"changed_image"}
    assert reasons(signed(here)) == set(), "it was renewed"
    assert reasons(signed(elsewhere)) == {"changed_image"}
    labeling = lake.project.labeling.model_copy(update={"images": f"{elsewhere}/"})
    lake.project = lake.project.model_copy(update={"labeling": labeling})
    lake.pull(whole=True)
    assert lake.refused() == {}, "the inspector is there now"


class TestRefusals:
    def test_an_account_that_is_unknown_and_one_that_left(self, lake):
        lake.push()
        first, second = (lake.tasks()[image] for image in lake.image_ids[:2])
        left = lake.studio.label("ann", first, box())
        lake.pull()
        stranger = lake.studio.label("eve", second, box())
        away = {lake.studio.id_of("ann"), lake.studio.id_of("eve")}

        class Fewer(Tool):
            def members(self):
                return {n: mail for n, mail in super().members().items() if n not in away}

        # nobody has ever seen eve's account here
        people = lake.catalog.table("tool_people")
        people.delete(f"account = {lake.studio.id_of('eve')}")
        fewer = Fewer(lake.studio.tool.connection)
        lake.pull(tool=fewer, whole=True)
        place = f"tasks/{second}/annotations/{stranger}"
        assert lake.refused() == {place: "unknown_account"}
        lake.studio.edit("ann", left, box("blue"))
        # it stays so when it is edited by somebody else as well, and under no other reason
        lake.studio.edit("bob", stranger, box("blue"))
        report = lake.pull(tool=fewer)
        assert (report.states, lake.refused()) == (2, {place: "unknown_account"})
        away.clear()
        lake.studio.edit("eve", stranger, box())
        lake.pull(tool=fewer)
        assert lake.refused() == {}

    def test_it_is_refused_although_the_pull_that_saw_it_first_was_killed(self, lake, monkeypatch):
        lake.push()
        lake.pull()
        task = lake.tasks()[lake.image_ids[0]]
        made = lake.studio.label("eve", task, box())
        eve = lake.studio.id_of("eve")
        lake.catalog.table("tool_people").delete(f"account = {eve}")

        class Fewer(Tool):
            def members(self):
                return {n: mail for n, mail in super().members().items() if n != eve}

        fewer = Fewer(lake.studio.tool.connection)
        real = {name: getattr(CatalogTable, name) for name in ("append", "merge")}
        for point in range(9):
            done = [0]

            def dying(name, point=point, done=done):
                def write(*args, **more):
                    if done[0] == point:
                        raise Killed
                    done[0] += 1
                    return real[name](*args, **more)

                return write

            with monkeypatch.context() as patch:
                for name in real:
                    patch.setattr(CatalogTable, name, dying(name))
                try:
                    lake.pull(tool=fewer)
                except Killed:
                    continue
            break
        assert point >= 3
        assert lake.refused() == {f"tasks/{task}/annotations/{made}": "unknown_account"}

    def test_what_cannot_be_read_takes_no_other_s_place_and_is_released(self, lake):
        lake.push()
        task = lake.tasks()[lake.image_ids[0]]
        first, second = lake.studio.label("ann", task, box()), lake.studio.label("ann", task, box())
        lake.pull()
        places = {a: f"tasks/{task}/annotations/{a}" for a in (first, second)}
        assert lake.refused() == {places[first]: "second_annotation"}

        class Other(Tool):
            def tasks(self, number, ids):
                for page in super().tasks(number, ids):
                    for told in page[0]["annotations"]:
                        if told["id"] == second:
                            told["result"] = None
                    yield page

        report = lake.pull(tool=Other(lake.studio.tool.connection), whole=True)
        assert report.states == 0
        assert lake.refused() == {places[second]: "bad_annotation"}
        lake.pull(whole=True)
        assert lake.refused() == {places[first]: "second_annotation"}

    def test_a_skip_on_a_task_that_shows_another_image_has_one_reason(self, lake):
        lake.push()
        task = lake.tasks()[lake.image_ids[0]]
        lake.studio.label("ann", task, was_cancelled=True)
        lake.pull()
        as_admin(lake, "PATCH", f"/api/tasks/{task}/", {"data": {"image": "x", "image_id": "y"}})
        lake.pull()
        assert lake.refused() == {f"tasks/{task}": "changed_image"}
        assert labeling_batch(lake.catalog, "first").skipped == 0


def test_whoever_lost_all_projects_once_is_not_told_again(lake):
    number = lake.push().tool_project
    lake.pull()
    as_admin(lake, "DELETE", f"/api/projects/{number}/")
    with pytest.raises(ToolUnavailable, match="looks like another Label Studio"):
        lake.pull()
    assert lake.pull(lost=True).deleted_tasks == 6
    before = lake.content()
    assert lake.pull().at_rest == 1
    assert lake.content() == before
