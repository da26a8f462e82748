"""The example of docs/labeling/algorithms.md, installed and used from end to end."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cv_pipeline.errors import PluginError
from cv_pipeline.labeling.sampling.selection import arms_of, select_batch
from cv_pipeline.project import load_project
from tests.catalog.datalake_world import write_signatures

PAGE = Path(__file__).resolve().parents[2] / "docs" / "labeling" / "algorithms.md"


def example(name: str) -> str:
    found = re.search(rf"<!-- {re.escape(name)} -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def typical(install):
    """The distribution that the page describes, by its own pyproject.toml."""
    project = tomllib.loads(example("pyproject.toml"))
    (module,) = project["tool"]["setuptools"]["py-modules"]
    groups = project["project"]["entry-points"]
    points = {group.removeprefix("cv_pipeline."): names for group, names in groups.items()}
    install(module, example("typical.py"), **points)


@pytest.mark.usefixtures("typical")
def test_the_example_chooses_images_beside_a_control_arm(lake_world):
    # 2 and 3 are alike, 0 and 4 are like nothing; 1 and 5 have labels
    write_signatures(
        lake_world, {0: [1, 0, 0], 2: [0, 1, 0.1], 3: [0, 1, 0], 4: [0, 0, 1], 1: [1, 1], 5: [1]}
    )
    made = select_batch(lake_world.open(), "next", algorithms=["typical"], images=2)
    assert made.arms == {"random": 1, "typical": 1}
    arms = arms_of(lake_world.catalog, "next")
    by_arm = {row["arm"]: lake_world.ids.index(row["image_id"]) for row in arms.to_pylist()}
    assert by_arm["typical"] in ({2, 3} - {by_arm["random"]})


@pytest.mark.usefixtures("typical")
def test_its_name_may_stand_in_a_project(lake_world):
    path = lake_world.folder / "projects" / "fruit" / "project.yaml"
    text = path.read_text()
    path.write_text(f"{text}labeling: {{sampling: {{algorithms: [typical], images: 2}}}}\n")
    write_signatures(lake_world, {n: [1, n] for n in range(6)})
    assert select_batch(lake_world.open(), "next").arms == {"random": 1, "typical": 1}
    path.write_text(f"{text}labeling: {{sampling: {{algorithms: [tipical]}}}}\n")
    with pytest.raises(Exception, match="'tipical'; Did you mean 'typical'"):
        load_project(path)


def test_one_that_fails_is_named_and_nothing_is_set_aside(lake_world, install):
    source = """
class Raises:
    needs = ()
    def __call__(self, pool, *, budget, seed):
        raise ZeroDivisionError("of all things")
"""
    install("faulty", source, sample={"faulty": "faulty:Raises"})
    with pytest.raises(PluginError, match="'faulty' failed: ZeroDivisionError: of all things"):
        select_batch(lake_world.open(), "next", algorithms=["faulty"], images=2)
    assert lake_world.open().batches() == []
