"""Reading every kind of picture; what a damaged, hostile or misnamed file may not do."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import ImageInfo, decode, inspect
from cv_pipeline.storage import open_source

LIMIT = 1_000_000


def noise(*shape: int, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def smooth(height: int = 40, width: int = 56) -> np.ndarray:
    """A picture that JPEG keeps well."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 4, y * 5, 255 - x * 2 - y], axis=2).clip(0, 255).astype(np.uint8)


def encoded(image: np.ndarray | Image.Image, format_: str, **options) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def tiff(image: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, **options)
    return buffer.getvalue()


def bands_tiff(image: np.ndarray, **options) -> bytes:
    """A TIFF of (H, W, C) without a colour space."""
    if image.shape[2] == 1:
        return tiff(image[..., 0], photometric="minisblack", **options)
    return tiff(image, photometric="minisblack", planarconfig="contig", **options)


def read(data: bytes) -> np.ndarray:
    """Decode, and hold the header to it."""
    info = inspect(data, max_pixels=LIMIT, max_bytes=LIMIT)
    image = decode(data, max_pixels=LIMIT)
    assert image.shape == (info.height, info.width, info.bands)
    assert image.dtype.name == info.dtype
    assert image.flags.c_contiguous
    return image


def refused(data: bytes, reason: str, match: str) -> None:
    """Both ways of reading refuse, for the same reason."""
    for attempt in (
        lambda: inspect(data, max_pixels=LIMIT, max_bytes=LIMIT),
        lambda: decode(data, max_pixels=LIMIT),
    ):
        with pytest.raises(ImageError, match=match) as caught:
            attempt()
        assert caught.value.reason == reason


def outcome(data: bytes) -> np.ndarray | str:
    """The picture, or the reason why there is none."""
    try:
        return decode(data, max_pixels=LIMIT)
    except ImageError as error:
        return error.reason


REASONS = {"empty_file", "not_an_image", "too_many_pixels", "corrupt_image"}

RGB = noise(20, 24, 3)
GREY = RGB[..., :1]
RGBA = noise(20, 24, 4)


# ------------------------------------------------------------ what comes out is what went in


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_png_keeps_depth_and_bands(dtype: str, bands: int) -> None:
    image = noise(7, 9, bands, dtype=dtype)
    assert np.array_equal(read(imagecodecs.png_encode(image)), image)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"],
)
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 13])
def test_tiff_keeps_depth_and_bands(dtype: str, bands: int) -> None:
    image = noise(7, 9, bands, dtype=dtype)
    assert np.array_equal(read(bands_tiff(image)), image)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib", "predictor": 2},
        {"compression": "lzw"},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"compression": "lzma"},
        {"rowsperstrip": 3},
        {"rowsperstrip": 3, "compression": "zlib"},
        {"tile": (16, 32)},
        {"tile": (16, 32), "compression": "lzw"},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "zlib"},
    ],
    ids=str,
)
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_layouts(options: dict, planar: str) -> None:
    image = noise(40, 50, 4, dtype="uint16")
    stored = np.moveaxis(image, 2, 0) if planar == "separate" else image
    data = tiff(stored, photometric="minisblack", planarconfig=planar, **options)
    assert np.array_equal(read(data), image)


def test_four_bands_of_8_bits_are_not_taken_for_rgb() -> None:
    data = tiff(RGBA, photometric="rgb", extrasamples=["unspecified"])
    assert np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).shape[2] == 3
    assert np.array_equal(read(data), RGBA)


IMAGE = Image.fromarray(RGB)
PALETTE = IMAGE.convert("P")
EXPANDED = np.asarray(PALETTE.convert("RGB"))
BILEVEL = IMAGE.convert("1")
BLACK_OR_WHITE = np.asarray(BILEVEL, dtype=np.uint8)[..., None] * 255
CMYK = IMAGE.convert("CMYK")
LA = np.dstack([GREY, RGBA[..., 3]])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded(PALETTE, "PNG"), EXPANDED, id="PNG palette"),
        pytest.param(encoded(PALETTE, "TIFF"), EXPANDED, id="TIFF palette"),
        pytest.param(encoded(PALETTE, "GIF"), EXPANDED, id="GIF palette"),
        pytest.param(encoded(PALETTE, "BMP"), EXPANDED, id="BMP palette"),
        pytest.param(encoded(BILEVEL, "PNG"), BLACK_OR_WHITE, id="PNG 1-bit"),
        pytest.param(encoded(BILEVEL, "TIFF"), BLACK_OR_WHITE, id="TIFF 1-bit"),
        pytest.param(encoded(BILEVEL, "TIFF", compression="group4"), BLACK_OR_WHITE, id="TIFF fax"),
        pytest.param(encoded(BILEVEL, "BMP"), BLACK_OR_WHITE, id="BMP 1-bit"),
        pytest.param(encoded(BILEVEL, "PPM"), BLACK_OR_WHITE, id="PBM"),
        pytest.param(encoded(GREY[..., 0], "PPM"), GREY, id="PGM"),
        pytest.param(encoded(RGB, "PPM"), RGB, id="PPM"),
        pytest.param(encoded(RGB, "BMP"), RGB, id="BMP"),
        pytest.param(encoded(GREY[..., 0], "GIF"), GREY.repeat(3, axis=2), id="GIF grey"),
        pytest.param(encoded(RGB, "WEBP", lossless=True), RGB, id="WebP"),
        pytest.param(encoded(RGBA, "WEBP", lossless=True, exact=True), RGBA, id="WebP transparent"),
        pytest.param(encoded(Image.fromarray(LA, "LA"), "PNG"), LA, id="PNG grey and alpha"),
        pytest.param(encoded(CMYK, "TIFF"), np.asarray(CMYK.convert("RGB")), id="TIFF CMYK"),
        pytest.param(
            tiff(255 - GREY[..., 0], photometric="miniswhite"), GREY, id="TIFF zero is white"
        ),
        pytest.param(
            encoded(noise(5, 6, dtype="uint16"), "PPM"),
            noise(5, 6, 1, dtype="uint16"),
            id="PGM 16-bit",
        ),
        pytest.param(
            encoded(noise(5, 6, dtype="float32"), "PPM"), noise(5, 6, 1, dtype="float32"), id="PFM"
        ),
    ],
)
def test_odd_kinds(data: bytes, expected: np.ndarray) -> None:
    assert np.array_equal(read(data), expected)


def test_transparent_palettes_and_colours_become_bands() -> None:
    indices = np.asarray(PALETTE)
    chosen = int(indices[0, 0])
    for kind in ("PNG", "GIF"):
        image = read(encoded(PALETTE, kind, transparency=chosen))
        assert image.shape[2] == 4
        assert np.array_equal(image[..., 3] == 0, indices == chosen)
        assert np.array_equal(image[..., :3][indices != chosen], EXPANDED[indices != chosen])
    assert read(encoded(GREY[..., 0], "PNG", transparency=7)).shape[2] == 2
    assert read(encoded(RGB, "PNG", transparency=(1, 2, 3))).shape[2] == 4


def test_jpeg_is_what_libjpeg_makes_of_it() -> None:
    for mode in ("RGB", "L"):
        data = encoded(Image.fromarray(smooth()).convert(mode), "JPEG", quality=90)
        reference = np.asarray(Image.open(io.BytesIO(data)))
        assert np.array_equal(read(data).squeeze(), reference)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_kinds(subsampling: str, progressive: bool) -> None:
    data = encoded(smooth(), "JPEG", quality=95, subsampling=subsampling, progressive=progressive)
    assert np.abs(read(data).astype(int) - smooth()).mean() < 2


def test_jpeg_of_inks_becomes_rgb() -> None:
    cmyk = Image.fromarray(smooth()).convert("CMYK")
    image = read(encoded(cmyk, "JPEG", quality=95))
    assert np.abs(image.astype(int) - smooth()).mean() < 2


def oddly_sampled_jpeg() -> bytes:
    """Flat grey of 16 × 8, its colour bands sampled unlike each other (2×1, 1×1, 2×1)."""
    data = bytearray(encoded(np.full((8, 16, 3), 128, np.uint8), "JPEG", subsampling="4:4:4"))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    data[frame + 11], data[frame + 17] = 0x21, 0x21
    data[scan + 6 : scan + 11 : 2] = b"\0\0\0"  # one Huffman table for all
    blocks = "001010" * 5 + "11"  # no difference, end of block; then padding
    return bytes(data[: scan + 14]) + int(blocks, 2).to_bytes(4, "big") + b"\xff\xd9"


def test_jpeg_of_a_sampling_that_turbojpeg_does_not_know() -> None:
    data = oddly_sampled_jpeg()
    assert np.array_equal(read(data), np.full((8, 16, 3), 128))
    with pytest.raises(ImageError, match="JPEG is damaged"):
        decode(data[:-4], max_pixels=LIMIT)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied(orientation: int, format_: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"exif": exif.tobytes()} if format_ != "TIFF" else {"tiffinfo": {274: orientation}}
    if format_ == "WEBP":
        options["lossless"] = True
    data = encoded(smooth(), format_, **options)
    plain = Image.fromarray(decode(encoded(smooth(), format_), max_pixels=LIMIT))
    plain.getexif()[274] = orientation
    transpose = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    expected = plain.transpose(transpose[orientation]) if orientation > 1 else plain
    difference = read(data).astype(int) - np.asarray(expected)
    assert np.abs(difference).mean() < 2  # WebP and JPEG encode the same pixels alike


@pytest.mark.parametrize("bad", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"nonsense"])
def test_damaged_exif_leaves_the_picture_as_it_is(bad: bytes) -> None:
    data = encoded(smooth(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(bad) + 2) + bad
    assert np.array_equal(read(data[:2] + segment + data[2:]), read(data))


def test_of_several_frames_the_first_is_read() -> None:
    frames = [Image.fromarray(noise(20, 24, seed=n)) for n in range(3)]
    for kind in ("GIF", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert np.array_equal(read(data)[..., 0], np.asarray(frames[0]))
    data = encoded(RGB, "WEBP", lossless=True, save_all=True, append_images=[IMAGE.rotate(90)])
    assert np.array_equal(read(data), RGB)
    pages = noise(3, 20, 24, dtype="uint16")
    assert np.array_equal(read(tiff(pages, imagej=True))[..., 0], pages[0])


def test_info_is_that_of_the_content() -> None:
    data = encoded(RGB, "PNG")
    info = inspect(data, max_pixels=LIMIT, max_bytes=LIMIT)
    assert info == ImageInfo(format="PNG", width=24, height=20, bands=3, dtype="uint8")


# ------------------------------------------------------------ what is refused


def test_an_empty_file() -> None:
    refused(b"", "empty_file", "is empty")


@pytest.mark.parametrize(
    "data", [b"x", b"hello, world", b"%PDF-1.7", b"<svg/>", b"\0" * 100, b"RIFF\0\0\0\0WAVE"]
)
def test_what_is_no_image(data: bytes) -> None:
    refused(data, "not_an_image", "JPEG, PNG, TIFF")


def test_a_file_that_is_too_large() -> None:
    with pytest.raises(ImageError, match=r"has 101 bytes.*source\.max_bytes") as caught:
        inspect(b"\xff\xd8\xff" + bytes(98), max_pixels=1, max_bytes=100)
    assert caught.value.reason == "too_large"


def png_header(width: int, height: int, depth: int = 8, color: int = 2) -> bytes:
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    checked = struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))
    return b"\x89PNG\r\n\x1a\n" + checked + struct.pack(">I4sI", 0, b"IDAT", 0)


def tiff_with(tags: dict[int, int]) -> bytes:
    """A small TIFF with the values of some of its tags replaced."""
    data = bytearray(tiff(noise(16, 16), tile=(16, 16), metadata=None, software=""))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for code, value in tags.items():
            tag = file.pages.first.tags[code]
            assert tag.dtype in (3, 4)
            struct.pack_into("<H" if tag.dtype == 3 else "<I", data, tag.valueoffset, value)
    return bytes(data)


BOMBS = {
    "PNG": png_header(50_000, 50_000),
    "PNG of 2³¹": png_header(2**31 - 1, 2**31 - 1),
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"\x2c" + bytes(20),
    "BMP": b"BM" + struct.pack("<IIIIiiHH", 100, 0, 54, 40, 50_000, 50_000, 1, 24) + bytes(60),
    "WebP": b"RIFF\0\1\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\xff" * 2,
    "WebP lossless": b"RIFF\0\1\0\0WEBPVP8L\x05\0\0\0\x2f\xff\xff\xff\x0f",
    "PPM": b"P6 50000 50000 255\n",
    "TIFF": tiff_with({256: 60_000, 257: 60_000}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_their_header(name: str) -> None:
    refused(BOMBS[name], "too_many_pixels", "pixels are allowed|too large|exceeds")


def test_one_pixel_of_very_many_bands_is_refused_too() -> None:
    data = bands_tiff(noise(1, 1, 60_000))
    with pytest.raises(ImageError, match="60000 uint8 bands") as caught:
        decode(data, max_pixels=100)
    assert caught.value.reason == "too_many_pixels"


def test_jpeg_bomb() -> None:
    data = bytearray(encoded(smooth(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, 65000, 65000)
    refused(bytes(data), "too_many_pixels", "65000 × 65000")


def test_tiff_with_monstrous_tiles() -> None:
    refused(tiff_with({322: 65520, 323: 65520}), "corrupt_image", "declares tiles of")


@pytest.mark.parametrize(
    ("compression", "content"),
    [
        (7, encoded(np.zeros((99, 99), np.uint8), "JPEG")),
        (34712, imagecodecs.jpeg2k_encode(np.zeros((99, 99), np.uint8))),
        (50001, encoded(np.zeros((99, 99, 3), np.uint8), "WEBP")),
    ],
    ids=["JPEG", "JPEG 2000", "WebP"],
)
def test_tiff_whose_tiles_are_larger_inside(compression: int, content: bytes) -> None:
    samples = 3 if compression == 50001 else 1
    tags = [(256, 16), (257, 16), (258, 8), (259, compression), (262, 2 if samples == 3 else 1)]
    tags += [(273, 8), (277, samples), (278, 16), (279, len(content))]
    content += bytes(len(content) % 2)
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags
    )
    data = b"II*\0" + struct.pack("<I", 8 + len(content)) + content + directory + bytes(4)
    with pytest.raises(ImageError, match=r"a tile of 16 × 16 holds one of \(99, 99\)"):
        decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "webp"])
def test_tiff_of_pictures(compression: str) -> None:
    data = tiff(smooth(64, 80), photometric="rgb", compression=compression, tile=(32, 32))
    assert np.abs(read(data).astype(int) - smooth(64, 80)).mean() < 3
    cut = data[: len(data) // 2]
    assert isinstance(outcome(cut), str)


def test_as_many_pixels_as_are_allowed_are_read() -> None:
    data = encoded(RGB, "PNG")
    assert decode(data, max_pixels=20 * 24).shape == RGB.shape
    with pytest.raises(ImageError, match=r"24 × 20 .*source\.max_pixels") as caught:
        decode(data, max_pixels=20 * 24 - 1)
    assert caught.value.reason == "too_many_pixels"


def test_pictures_without_pixels() -> None:
    refused(png_header(0, 10), "corrupt_image", "declares 0 × 10")
    refused(b"P6 0 5 255\n", "corrupt_image", "damaged")


KINDS = {
    "JPEG": encoded(smooth(), "JPEG"),
    "JPEG grey": encoded(Image.fromarray(smooth()).convert("L"), "JPEG"),
    "JPEG CMYK": encoded(Image.fromarray(smooth()).convert("CMYK"), "JPEG"),
    "JPEG progressive": encoded(smooth(), "JPEG", progressive=True),
    "JPEG restarts": encoded(smooth(), "JPEG", restart_marker_rows=1),
    "PNG": encoded(RGB, "PNG"),
    "PNG 16-bit": imagecodecs.png_encode(noise(12, 10, 3, dtype="uint16")),
    "PNG palette": encoded(PALETTE, "PNG", transparency=1),
    "TIFF": tiff(noise(12, 10, 4)),
    "TIFF deflate": tiff(noise(12, 10, 4, dtype="uint16"), compression="zlib", rowsperstrip=4),
    "TIFF LZW tiles": tiff(noise(33, 20), compression="lzw", tile=(16, 16)),
    "TIFF JPEG": encoded(smooth(), "TIFF", compression="jpeg"),
    "TIFF planar": tiff(noise(4, 12, 10), photometric="minisblack", planarconfig="separate"),
    "BigTIFF": tiff(noise(12, 10, dtype="float32"), bigtiff=True),
    "GIF": encoded(PALETTE, "GIF"),
    "BMP": encoded(RGB, "BMP"),
    "BMP 1-bit": encoded(BILEVEL, "BMP"),
    "WebP": encoded(smooth(), "WEBP"),
    "WebP transparent": encoded(RGBA, "WEBP", lossless=True),
    "PPM": encoded(RGB, "PPM"),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_truncation_is_noticed_or_harmless(name: str) -> None:
    """Cut anywhere, a file is refused, or what is cut off does not matter to the picture."""
    whole = KINDS[name]
    expected = decode(whole, max_pixels=LIMIT)
    for length in range(len(whole)):
        image = outcome(whole[:length])
        if isinstance(image, str):
            assert image in {"corrupt_image", "empty_file", "not_an_image"}
        else:
            assert np.array_equal(image, expected)
            assert length >= len(whole) - 16, "more than an end mark was missing"


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF deflate", "GIF", "WebP"])
def test_bytes_after_the_end_are_let_pass(name: str) -> None:
    assert np.array_equal(read(KINDS[name] + b"trailing"), read(KINDS[name]))


@pytest.mark.parametrize("name", ["PNG", "PNG 16-bit"])
def test_any_changed_byte_of_pixels_in_a_png_is_noticed(name: str) -> None:
    whole = KINDS[name]
    for at in range(8, len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        with pytest.raises(ImageError, match=r"PNG is damaged|pixels are allowed"):
            decode(bytes(damaged), max_pixels=LIMIT)


def test_damage_in_the_middle_of_a_jpeg() -> None:
    whole = KINDS["JPEG"]
    scan = whole.index(b"\xff\xda")
    middle = (scan + len(whole)) // 2
    for damaged in (
        whole[:middle] + bytes(len(whole) - middle),  # a disk that was full
        whole[:middle] + b"\xff\xd9",  # an encoder that gave up
        whole[: scan + 20] + whole[middle:],
    ):
        with pytest.raises(ImageError, match="JPEG is damaged"):
            decode(damaged, max_pixels=LIMIT)


@pytest.mark.parametrize("stray", [b"\0", b"\0\0\0", b"abc"])
def test_harmless_oddities_of_a_jpeg_are_let_pass(stray: bytes) -> None:
    whole = KINDS["JPEG"]
    scan = whole.index(b"\xff\xda")
    assert np.array_equal(read(whole[:scan] + stray + whole[scan:]), read(whole))
    odd_version = bytearray(whole)
    odd_version[11] = 9
    assert np.array_equal(read(bytes(odd_version)), read(whole))


def test_padding_before_the_end_of_a_jpeg_is_let_pass() -> None:
    whole = KINDS["JPEG"]
    assert np.array_equal(read(whole[:-2] + bytes(40) + whole[-2:]), read(whole))


def test_kinds_that_are_not_read_say_so() -> None:
    refused(tiff(np.zeros((4, 5), np.complex64)), "corrupt_image", "64 bits .* are not read")
    volume = tiff(noise(16, 16, 16), volumetric=True, tile=(16, 16, 16))
    refused(volume, "corrupt_image", "volumes are not read")
    lab = encoded(IMAGE.convert("LAB"), "TIFF")
    refused(lab, "corrupt_image", "colours of kind .* are not read")
    refused(encoded(IMAGE.convert("YCbCr"), "TIFF"), "corrupt_image", "colours of kind")
    refused(b"P6 1 1 65535\n" + bytes(6), "corrupt_image", "16-bit colour PNM is not read")
    twelve = imagecodecs.jpeg_encode(noise(8, 8, dtype="uint16") >> 4, bitspersample=12)
    refused(twelve, "corrupt_image", "of 12 bits are not read")


# ------------------------------------------------------------ properties

IMAGES = st.tuples(
    st.sampled_from(["uint8", "uint16"]),
    st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 4)),
).flatmap(lambda drawn: hnp.arrays(drawn[0], drawn[1]))


@settings(deadline=None)
@given(image=IMAGES)
def test_png_round_trip(image: np.ndarray) -> None:
    assert np.array_equal(read(imagecodecs.png_encode(image)), image)


@settings(deadline=None)
@given(image=IMAGES, compression=st.sampled_from([None, "zlib", "lzw", "packbits"]))
def test_tiff_round_trip(image: np.ndarray, compression: str | None) -> None:
    assert np.array_equal(read(bands_tiff(image, compression=compression)), image)


STARTS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBP",
    b"P6",
    b"P2\n",
    b"Pf\n",
]


@settings(deadline=None, max_examples=300)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=300))
def test_any_bytes_are_an_image_or_an_image_error(start: bytes, rest: bytes) -> None:
    image = outcome(start + rest)
    assert image in REASONS if isinstance(image, str) else image.ndim == 3


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_any_damage_is_an_image_or_an_image_error(data: st.DataObject) -> None:
    whole = bytearray(KINDS[data.draw(st.sampled_from(sorted(KINDS)))])
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    image = outcome(bytes(whole))
    assert image in REASONS if isinstance(image, str) else image.ndim == 3


# ------------------------------------------------------------ real pictures


def test_real_bands(real_data: Path) -> None:
    source = open_source(f"{real_data}/bands.tar.gz!bands")
    images = {path: read(data) for path, data in source.read_many(e.path for e in source.list())}
    kinds = {path.split("/")[0]: (i.shape, i.dtype.name) for path, i in images.items()}
    assert kinds == {
        "landsat8": ((169, 186, 1), "uint16"),
        "naip": ((300, 300, 4), "uint8"),
        "thermal": ((512, 640, 1), "uint16"),
    }
    assert len(images) == 12
    assert all(image.std() > 0 for image in images.values())


def test_real_photographs(real_data: Path) -> None:
    source = open_source(f"{real_data}/bccd.tar.gz!BCCD/JPEGImages")
    paths = [e.path for e in source.list()][::8]
    for _, data in source.read_many(paths):
        image = read(data)
        assert image.shape == (480, 640, 3)
        with pytest.raises(ImageError, match="JPEG is damaged"):
            decode(data[: len(data) // 2], max_pixels=LIMIT)
