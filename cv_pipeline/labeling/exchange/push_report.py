"""What a push did, for whoever called it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unsure:
    """An image that the model is unsure of.

    Attributes:
        image_id: the image.
        uncertainty: how unsure, from the pre-labels.
    """

    image_id: str
    uncertainty: float


@dataclass(frozen=True)
class PushReport:
    """What a push did.

    Attributes:
        project: name of our project.
        batch: name of the batch.
        tool_project: id of the tool's project.
        url: address of it.
        images: images of the batch.
        pushed: tasks that this push made.
        found: tasks that an earlier push made, broken off before it could write them down.
        waiting: tasks that are in the tool now.
        deleted: images whose tasks were deleted in the tool, and that were left so.
        taken_out: images of the batch that were taken out, and so are shown to nobody.
        doubled: tasks of an image that has one already, removed again.
        kept: tasks of an image that has one already, left because somebody worked on them; they
            make no label.
        renewed: tasks whose address of the image was renewed.
        not_renewed: tasks whose address should have been, and that the next push renews.
        images_at: where annotators' browsers fetch the images.
        model: digest of the model that pre-labels; empty for none.
        prelabelled: of the tasks that this push made, those that begin with something.
        unsure: images that the model is least sure of, the most unsure first.
        prelabels: digest of a model to how many tasks that are in the tool now begin with
            pre-labels of it, whichever push made them.
        stopped: paused or cancelled, where somebody did that meanwhile, and the rest was not made.
    """

    project: str
    batch: str
    tool_project: int
    url: str
    images: int
    pushed: int
    found: int
    waiting: int
    deleted: int
    taken_out: int
    doubled: int
    kept: int
    renewed: int
    not_renewed: int
    images_at: str
    model: str
    prelabelled: int
    unsure: tuple[Unsure, ...]
    prelabels: dict[str, int]
    stopped: str = ""
