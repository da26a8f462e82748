"""Image files: encoded byte for byte the same everywhere, and broken in known ways.

JPEG is libjpeg-turbo's through Pillow. PNG and TIFF are written here, stored rather than
compressed: compressors differ in their bytes from version to version, and Pillow cannot write
16-bit colour or four bands.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from cv_pipeline.samples.fruit.noise import Paint

SUFFIXES = {
    "jpg": ".jpg",
    "png": ".png",
    "png16": ".png",
    "png_named_jpg": ".jpg",
    "tif": ".tif",
    "tif16": ".tif",
    "tif4": ".tif",
}
# form to (bands, dtype) of the forms that a careless reader spoils
UNUSUAL_FORMS = {"png16": (3, "uint16"), "tif16": (3, "uint16"), "tif4": (4, "uint8")}


def encode(pixels: Paint, form: str) -> bytes:
    """Encode an image.

    Args:
        pixels: (height, width, 3), 0 to 1.
        form: ``jpg``; ``png`` and ``tif`` with 8 bits a band; ``png16`` and ``tif16`` with 16;
            ``tif4`` with near infrared as a fourth band; ``png_named_jpg``.
    """
    if form in ("png16", "tif16"):
        deep = np.rint(pixels * np.float32(65535)).astype(np.uint16)
        return png(deep) if form == "png16" else tiff(deep)
    shown = to_8_bit(pixels)
    if form == "tif4":
        # leaves and fruit reflect near infrared about as they reflect red and green
        infrared = shown[..., :2].astype(np.uint16).sum(axis=2) // 2
        shown = np.dstack([shown, infrared.astype(np.uint8)])
    if form == "jpg":
        return jpeg(shown, quality=92)
    return png(shown) if form.startswith("png") else tiff(shown)


def to_8_bit(pixels: Paint) -> npt.NDArray[np.uint8]:
    """Pixels of 0 to 1 as 8-bit."""
    shown: npt.NDArray[np.uint8] = np.rint(pixels * np.float32(255)).astype(np.uint8)
    return shown


def jpeg(pixels: npt.NDArray[np.uint8], *, quality: int) -> bytes:
    """Encode (height, width, 3) uint8 as JPEG with full colour resolution."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def png(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """Encode (height, width, 3) uint8 or uint16 as PNG, stored."""
    height, width, _ = pixels.shape
    depth = pixels.dtype.itemsize
    rows = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"))).view(np.uint8)
    rows = rows.reshape(height, width * 3 * depth)
    raw = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # filter 0 before each row
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, 2, 0, 0, 0)
    return _png_file(header, _stored(raw))


def _png_file(header: bytes, data: bytes) -> bytes:
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _stored(raw: bytes) -> bytes:
    """A zlib stream of stored blocks."""
    blocks = [raw[i : i + 65535] for i in range(0, len(raw), 65535)]
    body = b"".join(
        struct.pack("<BHH", i == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
        for i, block in enumerate(blocks)
    )
    return b"\x78\x01" + body + struct.pack(">I", zlib.adler32(raw))


def tiff(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """Encode (height, width, bands) uint8 or uint16 as an uncompressed little-endian TIFF."""
    height, width, bands = pixels.shape
    depth = pixels.dtype.itemsize
    data = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"))).tobytes()
    bits_at = 8 + len(data)
    bits = struct.pack(f"<{bands}H", *[8 * depth] * bands)
    bits += b"\0" * (-len(bits) % 4)
    short, long = 3, 4
    tags = [
        (256, long, 1, width),
        (257, long, 1, height),
        (258, short, bands, bits_at),
        (259, short, 1, 1),  # not compressed
        (262, short, 1, 2),  # RGB
        (273, long, 1, 8),
        (277, short, 1, bands),
        (278, long, 1, height),
        (279, long, 1, len(data)),
        (284, short, 1, 1),  # bands interleaved
    ]
    if bands > 3:
        tags.append((338, short, 1, 0))  # an extra band, not transparency
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, bits_at + len(bits)) + data + bits + directory


# kind of broken file to its suffix and the reason that a reader should give
BROKEN = {
    "damaged_tables": (".jpg", "corrupt_image"),
    "damaged_pixels": (".png", "corrupt_image"),
    "cut_short": (".jpg", "corrupt_image"),
    "cut_to_its_header": (".jpg", "corrupt_image"),
    "cut_short_tiff": (".tif", "corrupt_image"),
    "empty": (".jpg", "empty_file"),
    "note": (".jpg", "not_an_image"),
    "error_page": (".png", "not_an_image"),
    "bomb": (".png", "too_many_pixels"),
}


def broken(kind: str, pixels: Paint) -> bytes:
    """A file that is broken in one of the ways of ``BROKEN``, made from an image."""
    if kind == "empty":
        return b""
    if kind == "note":
        return b"Camera offline from 02:10 to 02:40, lens cleaned. No picture was taken.\n"
    if kind == "error_page":
        return b"<!DOCTYPE html><html><body><h1>504 Gateway Time-out</h1></body></html>\n"
    if kind == "bomb":
        # 60,000 x 60,000 pixels declared by a file of a hundred bytes
        header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
        return _png_file(header, zlib.compress(bytes(1000)))
    if kind == "damaged_pixels":
        data = bytearray(encode(pixels, "png"))
        middle = len(data) // 2
        data[middle : middle + 64] = bytes(64)
        return bytes(data)
    if kind == "cut_short_tiff":
        return encode(pixels, "tif")[:9000]
    data = bytearray(encode(pixels, "jpg"))
    if kind == "damaged_tables":
        tables = data.index(b"\xff\xc4") + 4  # the first Huffman table, behind its length
        data[tables : tables + 17] = b"\xff" * 17
        return bytes(data)
    return bytes(data[: len(data) // 2] if kind == "cut_short" else data[:700])
