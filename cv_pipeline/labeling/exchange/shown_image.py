"""Which image a task shows: what its data say, and what the address does that the tool fetches.

An address is ours only as a whole. Its path must be signed here, for the project, the batch and
the image; and it must be at the inspector that the task was pushed with, or at that of today, for
whoever has seen an address can write its path behind another host and show another picture there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cv_pipeline.labeling.tool.image_addresses import ImageAddresses


class ShownImages:
    """Tells which image tasks of one batch show.

    Args:
        addresses: which are signed here.
        project: name of our project.
        batch: name of the batch.
        base: address of the inspector of today; None when it is not known.
    """

    def __init__(
        self, addresses: ImageAddresses, *, project: str, batch: str, base: str | None
    ) -> None:
        self._addresses = addresses
        self._project = project
        self._batch = batch
        self._base = base

    def of(self, task: Mapping[str, Any], *, pushed: str | None) -> object:
        """Id of the image that a task shows; what it shows instead where that is none of ours.

        Args:
            task: as the tool has it.
            pushed: address of the image that the tool was given last. Where that is not known, as
                of tasks that an earlier release pushed, what is signed here is ours at any host.
        """
        data = task.get("data")
        if not isinstance(data, dict):
            return None
        image_id, address = data.get("image_id"), data.get("image")
        if not isinstance(image_id, str) or not isinstance(address, str):
            return None
        if address == pushed:
            return image_id if f"/{image_id}/" in address else address
        found = self._addresses.read(address)
        if found is None:
            return address
        if (found.project, found.batch, found.image_id) != (self._project, self._batch, image_id):
            return address
        return image_id if pushed is None or found.base in self._bases(pushed) else address

    def _bases(self, pushed: str) -> set[str]:
        known = self._addresses.read(pushed)
        bases = {known.base} if known else set()
        return bases | ({self._base.rstrip("/")} if self._base else set())
