"""The finder on worlds whose faults are known, and on worlds without any."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog.query.nodes import Field
from cv_pipeline.catalog.schemas.matches import MATCHES
from cv_pipeline.catalog.schemas.worst_slices import WORST_SLICES
from cv_pipeline.evaluation.measure import Counts
from cv_pipeline.evaluation.slicing.facts import Fact, of_column
from cv_pipeline.evaluation.slicing.finder import Setting, find_slices

LABELS = ("apple", "orange", "tomato")
NO_MATCHES = pa.schema([("image", pa.int64()), *list(MATCHES)[2:]]).empty_table()


class World:
    """Images of known facts; every class is found with a rate that a test may lower."""

    def __init__(self, images: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.size = images
        self.columns = {
            "lighting": self.rng.choice(["bright", "dim", "normal"], images),
            "camera": self.rng.choice(["left", "right"], images),
            "depth": self.rng.random(images),
            "shift": self.rng.choice(list("abcd"), images),
        }
        self.rate = np.full((images, len(LABELS)), 0.85)
        self.objects = self.rng.poisson(0.8, self.rate.shape)
        self.matches = NO_MATCHES

    def find(self, least: int = 10) -> list[dict]:
        found = self.rng.binomial(self.objects, self.rate)
        image, label = np.nonzero(self.objects)
        held, right = self.objects[image, label], found[image, label]
        setting = Setting(
            split="test",
            image_ids=pa.array([f"{n:06}" for n in range(self.size)]),
            counts=Counts(image, label, held, right, held),
            labels=LABELS,
            overall="recall",
            least=least,
            matches=self.matches,
        )
        made = find_slices(setting, self.facts(least))
        assert made.schema.equals(WORST_SLICES)
        return made.to_pylist()

    def facts(self, least: int) -> list[Fact]:
        made = [
            of_column(key, pa.array(values), Field("metadata", key=key), least=least)
            for key, values in self.columns.items()
        ]
        return [fact for fact in made if fact is not None]


def slice_of(row: dict) -> tuple:
    return (row["label"], row["slice_key"], row["slice_value"], row["second_key"])


def test_a_class_in_one_light_is_found_and_nothing_else():
    world = World(600)
    dim = world.columns["lighting"] == "dim"
    world.rate[dim, 2] = 0.35
    (worst,) = world.find()
    assert slice_of(worst) == ("tomato", "lighting", "dim", None)
    held = world.objects[dim, 2]
    assert (worst["objects"], worst["images"]) == (held.sum(), (held > 0).sum())
    assert worst["query"] == "metadata.lighting = 'dim'"
    assert worst["difference"] == pytest.approx(worst["value"] - worst["rest"])
    assert worst["score"] == pytest.approx(worst["shortfall"] * np.sqrt(worst["objects"]))
    assert worst["sentence"].startswith(
        f"tomato in images with lighting = dim: recall {worst['value']:.2f} against"
        f" {worst['rest']:.2f} elsewhere ({worst['objects']} objects on {worst['images']} images, p"
    )


def test_all_classes_are_found_together():
    world = World(600)
    world.rate[world.columns["camera"] == "left"] = 0.6
    assert [slice_of(r) for r in world.find()] == [(None, "camera", "left", None)]


def test_a_pair_is_found_where_neither_value_is_bad_by_itself():
    world = World(2000)
    both = (world.columns["lighting"] == "dim") & (world.columns["camera"] == "left")
    world.rate[both, 0] = 0.4
    (worst,) = world.find()
    assert slice_of(worst) == ("apple", "lighting", "dim", "camera")
    assert worst["second_value"] == "left"
    assert worst["query"] == "metadata.lighting = 'dim' and metadata.camera = 'left'"


def test_of_two_names_for_the_same_images_one_is_told():
    world = World(600)
    world.columns["lamp"] = np.where(world.columns["lighting"] == "dim", "off", "on")
    world.rate[world.columns["lighting"] == "dim", 2] = 0.35
    assert len(world.find()) == 1


def test_two_causes_are_both_told():
    world = World(1500)
    world.rate[world.columns["lighting"] == "dim", 2] = 0.35
    world.rate[world.columns["shift"] == "c", 0] = 0.5
    assert [slice_of(r)[:3] for r in world.find()] == [
        ("tomato", "lighting", "dim"),
        ("apple", "shift", "c"),
    ]


def test_what_missed_ones_were_called():
    world = World(300)
    world.rate[world.columns["lighting"] == "dim", 2] = 0.2
    dim = np.flatnonzero((world.columns["lighting"] == "dim") & (world.objects[:, 2] > 0))
    rows = [("orange", "classification")] * 5 + [("apple", "classification"), (None, "missed")]
    world.matches = pa.Table.from_pylist(
        [
            {
                "image": int(i),
                "annotation_id": f"a{n}",
                "truth": "tomato",
                "predicted": p,
                "kind": k,
            }
            for n, (i, (p, k)) in enumerate(zip(dim, rows, strict=False))
        ]
        # one that was found, and also called something else; one in other light
        + [
            {
                "image": int(dim[9]),
                "annotation_id": "f",
                "truth": "tomato",
                "predicted": p,
                "kind": k,
            }
            for p, k in (("tomato", "correct"), ("apple", "classification"))
        ],
        schema=NO_MATCHES.schema,
    )
    (worst,) = world.find()
    assert (worst["taken_for"], worst["taken_for_count"]) == ("orange", 5)
    assert worst["sentence"].endswith(f"; 5 of {worst['missed']} missed ones were called orange")


def test_slices_of_few_images_are_not_looked_at():
    world = World(600)
    few = np.flatnonzero((world.columns["lighting"] == "dim") & (world.objects[:, 2] > 0))[:9]
    world.columns["lighting"][few] = "dark"
    world.rate[few, 2] = 0.0
    assert all(r["slice_value"] != "dark" for r in world.find())


def test_chance_alone_is_seldom_told():
    told = [len(World(300, seed).find()) for seed in range(60)]
    # a family of true null hypotheses: at most 5 % of worlds, give or take two standard errors
    assert np.mean(np.array(told) > 0) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)


def test_nothing_known_and_nothing_there():
    world = World(50)
    world.columns = {}
    assert world.find() == []
    empty = World(0)
    empty.columns = {}
    assert empty.find() == []
