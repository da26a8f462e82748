"""Radiometric JPEGs that tests make, laid out as a FLIR camera's."""

from __future__ import annotations

import struct

import numpy as np
import simplejpeg

CAMERA = {
    0x20: 0.95,  # emissivity
    0x24: 1.0,  # distance, m
    0x28: 293.15,  # reflected temperature, K
    0x2C: 293.15,  # of the air
    0x30: 293.15,  # of the window
    0x34: 0.96,  # transmission of the window
    0x3C: 0.5,  # humidity
    0x58: 21106.77,  # Planck's R1
    0x5C: 1501.0,  # B
    0x60: 1.0,  # F
    0x70: 0.006569,  # of the air: alpha 1, alpha 2, beta 1, beta 2, X
    0x74: 0.01262,
    0x78: -0.002276,
    0x7C: -0.00667,
    0x80: 1.9,
    0x30C: 0.012545258,  # R2
}


def flir_jpeg(
    raw: np.ndarray,
    picture: np.ndarray,
    *,
    camera: dict[int, float] | None = None,
    piece: int = 60_000,
) -> bytes:
    """A JPEG of ``picture`` with the sensor's numbers ``raw`` in segments of ``piece`` bytes."""
    record = bytearray(0x400)
    struct.pack_into("<H", record, 0, 2)
    for at, value in (CAMERA | (camera or {})).items():
        struct.pack_into("<f", record, at, value)
    struct.pack_into("<i", record, 0x308, -7340)
    height, width = raw.shape
    pixels = struct.pack("<HHH", 2, width, height).ljust(0x20, b"\0") + raw.astype("<u2").tobytes()
    start, directory = 0x40, bytearray()
    for kind, content in ((0x01, pixels), (0x20, bytes(record))):
        at = start + 64 + (0 if kind == 0x01 else len(pixels))
        directory += struct.pack("<HHIIII", kind, 0, 100, 0, at, len(content)).ljust(32, b"\0")
    header = b"FFF\0" + b"test".ljust(16, b"\0") + struct.pack("<III", 100, start, 2)
    records = header.ljust(start, b"\0") + bytes(directory) + pixels + bytes(record)
    pieces = [records[n : n + piece] for n in range(0, len(records), piece)]
    segments = b"".join(
        b"\xff\xe1"
        + struct.pack(">H", len(p) + 10)
        + b"FLIR\0\x01"
        + bytes([n, len(pieces) - 1])
        + p
        for n, p in enumerate(pieces)
    )
    encoded = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), 95)
    return encoded[:2] + segments + encoded[2:]
