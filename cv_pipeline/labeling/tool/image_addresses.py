"""Addresses by which an annotator's browser fetches an image from the inspector.

An address is good for one image in one batch of one project, only while that batch is neither
paused nor cancelled, and only until a day; it is signed with a key that never leaves ``CV_HOME``,
and no other can be made from it. All before the image is the same for a whole batch, so that a
batch is renewed by replacing one text by another.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from cv_pipeline.errors import SettingsError

ROUTE = "/labeling/images/{project}/{batch}/{until}/{image_id}/{signature}"
FIRST_ROUTE = "/labeling/images/{project}/{batch}/{image_id}/{signature}"
"""As the first release pushed them, good for ever; they show nothing any more."""
_IMAGE = "cv_pipeline labeling image 1"
_UNTIL = "cv_pipeline labeling until 1"
_BYTES = 32
_PARTS = re.compile(
    r"(?P<base>.+?)/labeling/images/(?P<project>[^/?#]+)/(?P<batch>[^/?#]+)/"
    r"(?:(?P<until>[0-9]+\.[\w-]+)/)?(?P<image_id>[0-9a-f]+)/(?P<signature>[\w-]+)"
)


@dataclass(frozen=True)
class Address:
    """An address that was signed here.

    Attributes:
        base: address of the inspector.
        project: name of the project.
        batch: name of the batch.
        image_id: the image.
        until: when it stops being good; None where the first release made it.
    """

    base: str
    project: str
    batch: str
    image_id: str
    until: datetime | None


class ImageAddresses:
    """Makes and checks addresses.

    Args:
        home: ``CV_HOME``; its key is made with the first address.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "labeling" / "image.key"

    def address(
        self, base: str, *, project: str, batch: str, image_id: str, until: datetime
    ) -> str:
        """The address of an image in a batch.

        Args:
            base: address of the inspector, as the annotators' browsers reach it.
            project: name of the project.
            batch: name of the batch.
            image_id: the image.
            until: when it stops being good.
        """
        start = self.start(base, project=project, batch=batch, until=until)
        return f"{start}{image_id}/{self.signature(project, batch, image_id)}"

    def start(self, base: str, *, project: str, batch: str, until: datetime) -> str:
        """What all addresses of a batch begin with, up to the image."""
        seconds = str(int(until.timestamp()))
        last = f"{seconds}.{self._signed(_UNTIL, project, batch, seconds)}"
        path = ROUTE.partition("{image_id}")[0].format(
            project=quote(project, safe=""), batch=quote(batch, safe=""), until=last
        )
        return f"{base.rstrip('/')}{path}"

    def signature(self, project: str, batch: str, image_id: str) -> str:
        """What shows that an address of an image was made here."""
        return self._signed(_IMAGE, project, batch, image_id)

    def is_signed(self, project: str, batch: str, image_id: str, signature: str) -> bool:
        """Whether an address was made here, found out in a time that does not tell how near."""
        right = self.signature(project, batch, image_id)
        return hmac.compare_digest(right.encode(), signature.encode())

    def good_until(self, project: str, batch: str, until: str) -> datetime | None:
        """When an address stops being good; None where that was not signed here."""
        seconds, _, signature = until.partition(".")
        right = self._signed(_UNTIL, project, batch, seconds)
        if not hmac.compare_digest(right.encode(), signature.encode()):
            return None
        return datetime.fromtimestamp(int(seconds), UTC)

    def read(self, address: str) -> Address | None:
        """What an address shows; None for one that was not signed here."""
        found = _PARTS.fullmatch(address)
        if found is None:
            return None
        project, batch = unquote(found["project"]), unquote(found["batch"])
        until = None
        if found["until"] is not None:
            until = self.good_until(project, batch, found["until"])
            if until is None:
                return None
        if not self.is_signed(project, batch, found["image_id"], found["signature"]):
            return None
        return Address(found["base"], project, batch, found["image_id"], until)

    def _signed(self, *parts: str) -> str:
        # a length before each part: no two different lists give one text
        text = "".join(f"{len(part)}:{part}" for part in parts)
        digest = hmac.new(self._key(), text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _key(self) -> bytes:
        """The key, made by whoever needs it first."""
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            self._make()
            key = self._path.read_bytes()
        if len(key) != _BYTES:
            raise SettingsError(
                f"{self._path} is no key of {_BYTES} bytes.",
                do="Delete it and push the batches again; their images then have new addresses.",
            )
        return key

    def _make(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was first
                self._path.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)
