"""What a picture file says of itself before any pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageInfo:
    """A picture as decoding gives it.

    Attributes:
        format: container format by content: JPEG, PNG, TIFF, WEBP, GIF, BMP, PPM or DICOM.
        width: pixels, after EXIF orientation.
        height: pixels, after EXIF orientation.
        bands: samples per pixel; transparency is one.
        dtype: NumPy name of one sample's type, such as ``uint8``, ``uint16``, ``float32``.
    """

    format: str
    width: int
    height: int
    bands: int
    dtype: str


@dataclass(frozen=True)
class Header:
    """A picture as it is stored.

    Attributes:
        format: as in ``ImageInfo``.
        width: stored pixels.
        height: stored pixels.
        bands: samples per pixel of the decoded array.
        dtype: NumPy name of a sample's type in the decoded array.
        orientation: EXIF orientation, 1 to 8; 1 when the file says nothing.
    """

    format: str
    width: int
    height: int
    bands: int
    dtype: str
    orientation: int = 1

    def info(self) -> ImageInfo:
        """The picture after its orientation is applied."""
        turned = self.orientation >= 5
        return ImageInfo(
            format=self.format,
            width=self.height if turned else self.width,
            height=self.width if turned else self.height,
            bands=self.bands,
            dtype=self.dtype,
        )
