"""Addresses by which an annotator's browser fetches an image from the inspector.

An address is good for one image in one batch of one project, and only while that batch is being
labelled; it is signed with a key that never leaves ``CV_HOME``, and no other can be made from it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from urllib.parse import quote

from cv_pipeline.errors import SettingsError

ROUTE = "/labeling/images/{project}/{batch}/{image_id}/{signature}"
_PURPOSE = "cv_pipeline labeling image 1"
_BYTES = 32


class ImageAddresses:
    """Makes and checks addresses.

    Args:
        home: ``CV_HOME``; its key is made with the first address.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "labeling" / "image.key"

    def address(self, base: str, *, project: str, batch: str, image_id: str) -> str:
        """The address of an image in a batch.

        Args:
            base: address of the inspector, as the annotators' browsers reach it.
            project: name of the project.
            batch: name of the batch.
            image_id: the image.
        """
        signature = self.signature(project, batch, image_id)
        path = ROUTE.format(
            project=quote(project, safe=""),
            batch=quote(batch, safe=""),
            image_id=image_id,
            signature=signature,
        )
        return f"{base.rstrip('/')}{path}"

    def signature(self, project: str, batch: str, image_id: str) -> str:
        """What shows that an address was made here."""
        # a length before each part: no two different triples give one text
        parts = (_PURPOSE, project, batch, image_id)
        text = "".join(f"{len(part)}:{part}" for part in parts)
        digest = hmac.new(self._key(), text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def is_signed(self, project: str, batch: str, image_id: str, signature: str) -> bool:
        """Whether an address was made here, found out in a time that does not tell how near."""
        right = self.signature(project, batch, image_id)
        return hmac.compare_digest(right.encode(), signature.encode())

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
