"""What is left of an image that was taken out: a tombstone that says who, when and why.

A tombstone is written before anything is removed, and from then on the image is not kept again,
whoever brings it. It stays for ever: with it, what older versions and models used can be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cv_pipeline.errors import ObjectNotFound, ObjectTakenOut, StorageError
from cv_pipeline.storage.object_store import ObjectStore

PREFIX = "tombstones/"


class Use(BaseModel):
    """One thing that had used an image.

    Attributes:
        kind: dataset, model, predictions, evaluation, …
        key: its asset key, such as ``fruit/trained_model``.
        version: its digest.
        storage_id: its event in the event log.
        split: split that the image has in the dataset version that it is, or was made from.
        metrics: of an evaluation, what it measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    key: str
    version: str
    storage_id: int
    split: str
    metrics: dict[str, float] = Field(default_factory=dict)

    @property
    def project(self) -> str:
        """First part of the key."""
        return self.key.split("/")[0]


class Tombstone(BaseModel):
    """An image that was taken out.

    Attributes:
        image_id: the image.
        reason: why, for people.
        actor: who asked for it.
        at: when, UTC.
        paths: project to the path that the image has in its source.
        bytes: size of the file; None when no catalogue knew it.
        used_by: what had used it.
        completed_at: when everything that can be removed was; None while something is left to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_id: str
    reason: str
    actor: str
    at: datetime
    paths: dict[str, str]
    bytes: int | None
    used_by: tuple[Use, ...]
    completed_at: datetime | None = None

    def error(self) -> ObjectTakenOut:
        """What whoever asks for the pixels is told."""
        return ObjectTakenOut(
            f"Image {self.image_id} was taken out on {self.at:%Y-%m-%d} by {self.actor}:"
            f" {self.reason}",
            do="Its pixels are gone for good; make a new dataset version, which leaves it out.",
        )


class Tombstones:
    """The tombstones of an object store, shared by all its projects.

    Args:
        store: where they are kept, under ``tombstones/<2>/<image id>.json``.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def get(self, image_id: str) -> Tombstone | None:
        """The tombstone of an image, or None when it was not taken out.

        Raises:
            StorageError: it is damaged.
        """
        key = _key(image_id)
        try:
            data = self._store.read(key)
        except ObjectNotFound:
            return None
        try:
            return Tombstone.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                f"The tombstone {key!r} in {self._store.url} is damaged:"
                f" {error.errors()[0]['msg']}.",
                do="Restore that object from a backup.",
            ) from error

    def create(self, tombstone: Tombstone) -> Tombstone:
        """Record that an image was taken out.

        Returns:
            The tombstone that stands: the first of an image counts.
        """
        self._store.create(_key(tombstone.image_id), _bytes(tombstone))
        standing = self.get(tombstone.image_id)
        assert standing is not None
        return standing

    def replace(self, tombstone: Tombstone) -> None:
        """Say more of an image that was taken out."""
        self._store.write(_key(tombstone.image_id), _bytes(tombstone))

    def image_ids(self) -> list[str]:
        """Ids of all images that were taken out, sorted; one listing of the store."""
        names = (info.key.rpartition("/")[2] for info in self._store.list(PREFIX))
        return [name.removesuffix(".json") for name in names]

    def __iter__(self) -> Iterator[Tombstone]:
        """All tombstones, by image."""
        for image_id in self.image_ids():
            tombstone = self.get(image_id)
            assert tombstone is not None  # they are never removed
            yield tombstone


def _key(image_id: str) -> str:
    return f"{PREFIX}{image_id[:2]}/{image_id}.json"


def _bytes(tombstone: Tombstone) -> bytes:
    return (tombstone.model_dump_json(indent=1) + "\n").encode()
