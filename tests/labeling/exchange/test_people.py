"""Accounts of the tool are other people than those of files, until the project says otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import declared_batches
from cv_pipeline.labeling.exchange.counted import counted_annotations
from cv_pipeline.labeling.exchange.findings import quarantine_annotations
from cv_pipeline.labeling.exchange.history import current_annotations
from cv_pipeline.labeling.exchange.people import record_people, with_account
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.workload.labels_made import labels_made
from cv_pipeline.labeling.workload.workforce import workforce_of
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import START, annotate, image_ids, push, set_aside, table_of

IMAGES = image_ids(2)
SAME = Labeling.model_validate({"people": {"studio-7": "annotator-3"}})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A batch in which account 7 labelled an image, as the first release wrote it down."""
    made = Catalog(open_store(str(tmp_path)), "p")
    set_aside(made, "one", IMAGES)
    push(made, "one", IMAGES)
    annotate(made, "one", IMAGES[:1], "annotator-7", completed_by=7)
    return made


def of_file(catalog: Catalog, annotator: str, *, source: str = "labels.csv") -> None:
    """Write a label of somebody's, as an import does."""
    row = table_of(
        ANNOTATIONS,
        1,
        annotation_id=f"{annotator}{source}",
        image_id=IMAGES[:1],
        annotator=annotator,
        role="annotator",
        source=source,
        kind="class",
        attributes="{}",
    )
    catalog.table("annotations").merge(row, on=["annotation_id"])


def labellers(catalog: Catalog) -> list[str]:
    return sorted(labels_made(catalog, declared_batches(catalog))["annotator"].to_pylist())


def test_rows_of_the_first_release_read_as_accounts_of_the_tool(catalog: Catalog) -> None:
    assert current_annotations(catalog)["annotator"].to_pylist() == ["studio-7"]
    assert counted_annotations(catalog)["annotator"].to_pylist() == ["studio-7"]


def test_annotator_7_of_a_file_is_somebody_else(catalog: Catalog) -> None:
    of_file(catalog, "annotator-7")
    assert labellers(catalog) == ["annotator-7", "studio-7"]


def test_labels_of_the_tool_that_were_imported_under_the_old_name_count_once(
    catalog: Catalog,
) -> None:
    of_file(catalog, "annotator-7", source="one.ontology-1.guideline-1.json")
    assert labellers(catalog) == ["studio-7"]


def test_a_project_says_who_is_the_same_and_takes_it_back(catalog: Catalog) -> None:
    of_file(catalog, "annotator-3")
    record_people(catalog, SAME)
    assert labellers(catalog) == ["annotator-3"], "one person's label of one image"
    record_people(catalog, Labeling())
    assert labellers(catalog) == ["annotator-3", "studio-7"]


def test_the_same_person_s_earlier_annotation_of_another_account_counts_no_second_time(
    catalog: Catalog,
) -> None:
    later = {"at": START + timedelta(hours=2), "updated_by": 8, "completed_by": 8}
    annotate(catalog, "one", IMAGES[:1], "studio-8", **later)
    assert quarantine_annotations(catalog) == {}
    same = Labeling.model_validate({"people": {"studio-7": "ann", "studio-8": "ann"}})
    record_people(catalog, same)
    assert quarantine_annotations(catalog) == {"second_annotation": 1}
    (counts,) = counted_annotations(catalog, columns=("annotator", "updated_at")).to_pylist()
    assert counts == {"annotator": "ann", "updated_at": later["at"]}


def test_the_same_people_again_write_nothing(catalog: Catalog) -> None:
    record_people(catalog, SAME, {1, 7})
    before = catalog.table("tool_people").version
    record_people(catalog, SAME, {1, 7})
    record_people(catalog, SAME)
    assert catalog.table("tool_people").version == before


def test_only_who_has_an_account_can_be_given_work(catalog: Catalog) -> None:
    names = ["annotator-3", "annotator-4", "studio-1", "studio-7", "studio-9"]
    assert with_account(catalog, names) == {"studio-1", "studio-7", "studio-9"}, "nobody was asked"
    record_people(catalog, SAME, {1, 7})
    assert with_account(catalog, names) == {"annotator-3", "studio-1"}
    record_people(catalog, SAME, {1})
    assert with_account(catalog, names) == {"studio-1"}, "account 7 was deleted"


def test_before_anything_is_pushed_nobody_needs_one(tmp_path: Path) -> None:
    empty = Catalog(open_store(str(tmp_path / "empty")), "p")
    assert with_account(empty, ["annotator-3"]) == {"annotator-3"}


def test_people_of_files_get_nothing_and_are_named(catalog: Catalog) -> None:
    of_file(catalog, "annotator-3")
    record_people(catalog, Labeling(), {7})
    force = workforce_of(catalog, Labeling(), declared_batches(catalog))
    assert [worker.name for worker in force.present] == ["studio-7"]
    assert force.without_account == ("annotator-3",)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"people": {"anna": "annotator-3"}}, "people.anna is no account of the tool"),
        ({"people": {"studio-7": "studio-8"}}, "is an account of the tool"),
        ({"people": {"studio-7": "gold"}}, "nobody's name"),
        ({"people": {"studio-7": "ann@example.org"}}, "not how annotators are called"),
        (
            {"people": {"studio-7": "ann"}, "annotators": {"studio-7": {}}},
            "annotators.studio-7 is ann by people",
        ),
        (
            {"annotators": {"studio-7": {"account": "anna"}, "ann": {"account": "anna"}}},
            "both account 'anna'",
        ),
    ],
)
def test_what_cannot_be_said_of_people(declared: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Labeling.model_validate(declared)
