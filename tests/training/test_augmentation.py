from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.project import Augmentation
from cv_pipeline.training.augmentation import (
    AUGMENTATIONS,
    draw_batches,
    draw_parameters,
    split_batches,
)

IDS = pa.array([f"{i:064x}" for i in range(500)])
ALL = Augmentation(flip=0.5, crop=0.3, brightness=0.2, contrast=0.4, saturation=0.6)


def draw(*, augmentation: Augmentation = ALL, seed: int = 0, epoch: int = 1) -> pa.Table:
    return draw_parameters(IDS, augmentation=augmentation, seed=seed, epoch=epoch)


def test_every_parameter_stays_in_its_range():
    table = draw()
    assert table.schema == AUGMENTATIONS
    column = {name: table[name].to_numpy() for name in table.schema.names}
    assert 0.4 < column["flip"].mean() < 0.6
    for side, offset in (("crop_width", "crop_x"), ("crop_height", "crop_y")):
        assert column[side].min() >= 0.7
        assert column[side].max() <= 1.0
        assert (column[offset] >= 0).all()
        assert (column[offset] + column[side]).max() <= 1.0 + 1e-6
    for name, spread in (("brightness", 0.2), ("contrast", 0.4), ("saturation", 0.6)):
        assert abs(column[name] - 1).max() <= spread + 1e-6
        assert np.ptp(column[name]) > 1.8 * spread  # the whole range is used


def test_nothing_is_drawn_from_empty_ranges():
    table = draw(augmentation=Augmentation(flip=0.0))
    assert not table["flip"].to_numpy().any()
    for name in ("crop_width", "crop_height", "brightness", "contrast", "saturation"):
        assert (table[name].to_numpy() == 1).all()


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 2}])
def test_seed_and_epoch_alone_decide(change: dict[str, int]):
    assert draw() == draw()
    assert draw(**change).drop_columns("epoch") != draw().drop_columns("epoch")


@settings(max_examples=50, deadline=None)
@given(n=st.integers(0, 300), batch_size=st.integers(1, 64), epoch=st.integers(1, 5))
def test_an_epoch_holds_every_image_once_in_nearly_equal_batches(n, batch_size, epoch):
    batches = draw_batches(n, batch_size=batch_size, seed=0, epoch=epoch)
    assert sorted(int(row) for batch in batches for row in batch) == list(range(n))
    sizes = {len(batch) for batch in batches}
    assert not sizes or (max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1)
    assert len(batches) == -(-n // batch_size)


def test_each_epoch_has_its_own_order():
    first, second = (draw_batches(50, batch_size=50, seed=0, epoch=e)[0] for e in (1, 2))
    assert not np.array_equal(first, second)


def test_split_batches_keeps_the_order():
    batches = split_batches(np.arange(10), batch_size=4)
    assert [b.tolist() for b in batches] == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
