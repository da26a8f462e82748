"""DICOM files that tests make."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


def dicom_file(
    stored: np.ndarray,
    *,
    photometric: str = "MONOCHROME2",
    syntax: str = ExplicitVRLittleEndian,
    frames: list[bytes] | None = None,
    bits_stored: int | None = None,
    preamble: bytes = b"\0" * 128,
    **elements: Any,
) -> bytes:
    """A DICOM file of (frames, H, W) or (H, W) numbers, or (H, W, 3) colours.

    ``frames`` are the compressed pixels of a compressed transfer syntax.
    """
    color = photometric in ("RGB", "YBR_FULL")
    many = stored.ndim == (4 if color else 3)
    shape = stored.shape[1:] if many else stored.shape
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    meta.TransferSyntaxUID = syntax
    file = FileDataset(
        "",
        {},
        file_meta=meta,
        preamble=preamble,
        is_implicit_VR=syntax == ImplicitVRLittleEndian,
        is_little_endian=syntax != ExplicitVRBigEndian,
    )
    file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    file.Modality = elements.pop("Modality", "CT")
    file.PhotometricInterpretation = photometric
    file.Rows, file.Columns = shape[:2]
    file.SamplesPerPixel = 3 if color else 1
    if color:
        file.PlanarConfiguration = 0
    if many:
        file.NumberOfFrames = stored.shape[0]
    bits = stored.dtype.itemsize * 8
    file.BitsAllocated, file.BitsStored = bits, bits_stored or bits
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in elements.items():
        setattr(file, name, value)
    if frames is not None:
        file.PixelData = encapsulate(frames)
    else:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        data = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
        file.PixelData = data + b"\0" * (len(data) % 2)
    file["PixelData"].VR = "OW" if bits > 8 and frames is None else "OB"
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()
