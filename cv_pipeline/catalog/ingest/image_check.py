"""Whether a file is a usable image: looks at its header and decodes every pixel once.

Pure: bytes in, verdicts out, so that any process can do it. Imports nothing that is not needed to
decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cv_pipeline.catalog.ingest.exif import capture_time
from cv_pipeline.errors import ImageError
from cv_pipeline.imaging.read import ImageInfo, decode, inspect


@dataclass(frozen=True)
class Verdict:
    """What was found in one file.

    Attributes:
        info: the image; None when it is refused.
        captured_at: time that the camera wrote, UTC; None when it did not.
        reason: machine-readable kind of the refusal; empty when there is none.
        detail: the refusal, as a sentence for people.
    """

    info: ImageInfo | None = None
    captured_at: datetime | None = None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class ImageCheck:
    """Checks files against the limits of a project.

    Attributes:
        max_pixels: largest allowed width × height.
        max_bytes: largest allowed size of a file.
    """

    max_pixels: int
    max_bytes: int

    def __call__(self, files: Sequence[tuple[str, bytes]]) -> list[Verdict]:
        """A verdict for each path and bytes, in order."""
        return [self._check(data) for _, data in files]

    def too_large(self, size: int) -> Verdict:
        """The verdict on a file that is not even read, for its size in bytes."""
        return Verdict(
            reason="too_large",
            detail=f"The file has {size} bytes; at most {self.max_bytes} are allowed."
            " Raise source.max_bytes if it is meant to be this large.",
        )

    def _check(self, data: bytes) -> Verdict:
        try:
            info = inspect(data, max_pixels=self.max_pixels, max_bytes=self.max_bytes)
            decode(data, max_pixels=self.max_pixels)
        except ImageError as error:
            return Verdict(reason=error.reason, detail=str(error))
        return Verdict(info=info, captured_at=capture_time(data))
