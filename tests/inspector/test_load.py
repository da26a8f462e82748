"""Twenty people at once, by a real load tool against a real server."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.worlds.serving import people, served

PEOPLE = 20


def check(home, seconds):
    with served(home) as server:
        rows = people(server, project="large", users=PEOPLE, seconds=seconds)
    for row in rows:
        print(row["Name"], row["Request Count"], row["Failure Count"], row["95%"])
    total = rows[-1]
    assert total["Name"] == "Aggregated"
    assert int(total["Request Count"]) > PEOPLE
    assert int(total["Failure Count"]) == 0, rows


def test_twenty_people_for_a_minute_without_an_error(inspected_home, tmp_path):
    check(shutil.copytree(inspected_home, tmp_path / "home"), 60)


@pytest.mark.soak
def test_twenty_people_for_five_minutes_without_an_error(inspected_home, tmp_path):
    check(shutil.copytree(inspected_home, tmp_path / "home"), 300)
