"""How far a run is, from the events and lines that Dagster keeps."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster import DagsterInstance

from cv_pipeline.inspector.run_page.follow import Follower
from cv_pipeline.inspector.run_page.progress import Reader

LINES = [
    "training fcos_resnet18 on cpu, 2 threads: 599 images, validating on 124",
    "epoch 1/4, step 5/10, loss 2.774, 5 min 57 s left",
    "epoch 1/4 took 26 s: loss 2.311, validation AP50 0.072",
    "epoch 2/4 took 1 min 02 s: loss 1.420, validation AP50 0.162",
    "epoch 3/4 took 26 s: loss nan",
    "epoch 4/4, step 1/10, loss 1.1, 20 s left",
]


@dg.op
def raw_images(context: dg.OpExecutionContext) -> int:
    context.log.info("files checked: 250 of 1,000 in 2 s")
    return 1


@dg.op
def trained_model(context: dg.OpExecutionContext, before: int) -> int:
    for line in LINES:
        context.log.info(line)
    return before


@dg.op
def predictions(context: dg.OpExecutionContext, before: int) -> None:
    raise ValueError("the disk is full") from None


@dg.job(executor_def=dg.in_process_executor)
def fails() -> None:
    predictions(trained_model(raw_images()))


@pytest.fixture(scope="module")
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def test_a_run_is_told_from_its_events(instance: DagsterInstance) -> None:
    done = fails.execute_in_process(instance=instance, raise_on_error=False)
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    follower = Follower(instance, run)
    told = follower.progress()
    assert [(s.name, s.state) for s in told.steps] == [
        ("raw_images", "done"),
        ("trained_model", "done"),
        ("predictions", "failed"),
    ]
    [failure] = told.failures
    assert failure.step == "predictions"
    assert failure.what == "ValueError: the disk is full"
    training = told.training
    assert training is not None
    assert [(e.epoch, e.loss, e.value) for e in training.epochs] == [
        (1, 2.311, 0.072),
        (2, 1.42, 0.162),
        (3, None, None),
    ]
    assert (training.of, training.metric, training.left) == (4, "AP50", "20 s")
    assert training.share == pytest.approx((3 + 0.1) / 4)
    assert told.lines[-1].text == LINES[-1]
    again = follower.progress()  # nothing is counted twice
    assert again.training == training
    assert again.lines == told.lines
    assert len(again.failures) == 1


def test_before_anything_happens_every_step_waits() -> None:
    told = Reader(["a", "b"]).progress(now=0.0)
    assert [(s.name, s.state, s.seconds) for s in told.steps] == [
        ("a", "waiting", None),
        ("b", "waiting", None),
    ]
    assert told.training is None
