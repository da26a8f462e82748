"""Pairs of image files that show one picture, between and within folders; no project is needed.

Files are compared by content first, and each content once, whatever number of files have it; then
contents by the same search as in a catalogue. Files that are no images by their suffix are left
alone; an image that cannot be read is told, and the rest goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from pathlib import Path

import numpy as np
import pyarrow as pa

from cv_pipeline.catalog.engine import map_batches
from cv_pipeline.catalog.image_features import FeatureExtractor, Features, Unmeasurable
from cv_pipeline.catalog.ingest.plan import list_images
from cv_pipeline.catalog.ingest.read import Progress
from cv_pipeline.datasets.duplicates.near_duplicates import near_duplicate_pairs
from cv_pipeline.errors import SourceError
from cv_pipeline.imaging.perceptual import SIDE
from cv_pipeline.storage import ImageSource, image_id_of, open_source
from cv_pipeline.storage.archive_source import ARCHIVE_SUFFIXES

FOLDER_PAIRS = pa.schema(
    [
        # one file: the folder as it was given, and the path in it
        pa.field("a", pa.string(), nullable=False),
        # the other, of a later folder or path
        pa.field("b", pa.string(), nullable=False),
        # exact (the same bytes), same (re-encoded, resized), mirrored, cropped or cropped_mirrored
        pa.field("kind", pa.string(), nullable=False),
        # bits in which the hashes differ that led to the pair; 0 for exact
        pa.field("distance", pa.int32(), nullable=False),
        # whether both are in one folder
        pa.field("within", pa.bool_(), nullable=False),
    ]
)

LARGEST_GROUP = 32
"""Files of one content that are all paired with each other. Of more, each is paired with the first
of every folder, which names every file that leaks, and no more than files times folders."""

_MAX_PIXELS = 200_000_000
_MAX_BYTES = 500_000_000
_CALL_FILES = 64
_CALL_BYTES = 16 << 20
_TOO_LARGE = Unmeasurable("too_large", f"The file has more than {_MAX_BYTES:,} bytes.")
_GONE = Unmeasurable(
    "unreadable_file", "The file is listed, but it could not be read: gone or not permitted."
)
_CRASHED = Unmeasurable(
    "decoder_crash", "The decoder broke down over the image, or ran out of memory."
)


@dataclass(frozen=True, order=True)
class Unreadable:
    """An image that could not be compared.

    Attributes:
        file: the folder as it was given, and the path in it.
        reason: machine-readable kind, such as ``corrupt_image``.
        detail: a sentence for people.
    """

    file: str
    reason: str
    detail: str


@dataclass(frozen=True, eq=False)
class FolderLeakage:
    """What was found.

    Attributes:
        pairs: ``FOLDER_PAIRS``, those between folders first, then by both files.
        images: image files that were compared.
        unreadable: those that could not be, sorted.
    """

    pairs: pa.Table
    images: int
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, order=True)
class _File:
    """A file: in the order of the folders, then by path."""

    folder: int
    path: str
    name: str


_Pair = tuple[_File, _File, str, int]


def find_leakage(
    folders: Sequence[str], *, threshold: int, between_only: bool, progress: Progress
) -> FolderLeakage:
    """Find the pairs of image files that show one picture.

    Of files with the same bytes more than ``LARGEST_GROUP``, each is paired with the first of each
    folder; of other pairs, the first file of each folder is named for either content.

    Args:
        folders: folders, archives or parts of them, or ``s3://`` prefixes, one or more.
        threshold: most bits in which the hashes of a pair may differ, 0 to 16.
        between_only: leave out the pairs within a folder.
        progress: called with files done and files to do.

    Raises:
        SourceError: a folder is not there, cannot be listed, has no image, or lies in another one.
    """
    sources = [open_source(folder) for folder in folders]
    _refuse_overlaps(folders, sources)
    reader = _Reader(folders, sources)
    _require_images(folders, [len(listed) for listed in reader.listed])
    extractor = FeatureExtractor(max_pixels=_MAX_PIXELS)
    features: dict[str, Features] = {}
    progress(0, reader.total, "images read")
    for portion, found in map_batches(extractor, reader.contents(), size=lambda i: len(i[1])):
        for (content, _), made in zip(portion, found, strict=True):
            if isinstance(made, Features):
                features[content] = made
            else:
                reader.refuse(content, made or _CRASHED)
        progress(reader.done, reader.total, "images read")
    _require_images(folders, reader.usable())
    pairs = [*_exact(reader.files), *_near(reader.files, features, threshold)]
    return FolderLeakage(
        pairs=_table(pairs, between_only=between_only),
        images=sum(map(len, reader.files.values())),
        unreadable=tuple(sorted(reader.unreadable)),
    )


class _Reader:
    """Reads files, and hands on each content once.

    Args:
        folders: as they were given.
        sources: where they are.

    Attributes:
        files: content to the files that have it, of those that are not refused.
        unreadable: what was refused.
        listed: files of each folder that may be images.
        total: number of files that may be images.
        done: number of those that were read or refused.
    """

    def __init__(self, folders: Sequence[str], sources: Sequence[ImageSource]) -> None:
        self.files: dict[str, list[_File]] = {}
        self.unreadable: list[Unreadable] = []
        self.done = 0
        self._folders = folders
        self._sources = sources
        self._refused: dict[str, Unmeasurable] = {}
        self.listed = [list_images(source.list()) for source in sources]
        self.total = sum(map(len, self.listed))

    def contents(self) -> Iterator[list[tuple[str, bytes]]]:
        """Contents with their SHA-256, in the portions that the engine is called with."""
        portion: list[tuple[str, bytes]] = []
        size = 0
        for file, data in self._read():
            content = image_id_of(data)
            if content in self._refused:
                self._tell(file, self._refused[content])
            elif content in self.files:
                self.files[content].append(file)
            else:
                self.files[content] = [file]
                portion.append((content, data))
                size += len(data)
            if portion and (len(portion) == _CALL_FILES or size >= _CALL_BYTES):
                yield portion
                portion, size = [], 0
        if portion:
            yield portion

    def refuse(self, content: str, why: Unmeasurable) -> None:
        """Count the files of a content as unreadable."""
        self._refused[content] = why
        for file in self.files.pop(content):
            self._tell(file, why)

    def usable(self) -> list[int]:
        """Number of files of each folder that are not refused."""
        found = Counter(file.folder for files in self.files.values() for file in files)
        return [found[number] for number in range(len(self._folders))]

    def _read(self) -> Iterator[tuple[_File, bytes]]:
        for number, source in enumerate(self._sources):
            left: dict[str, _File] = {}
            for entry in self.listed[number]:
                file = _File(number, entry.path, _name(self._folders[number], entry.path))
                if entry.size > _MAX_BYTES:
                    self._tell(file, _TOO_LARGE)
                    self.done += 1
                else:
                    left[entry.path] = file
            for path, data in source.read_many(list(left)):
                self.done += 1
                yield left.pop(path), data
            for file in left.values():
                self._tell(file, _GONE)
                self.done += 1

    def _tell(self, file: _File, why: Unmeasurable) -> None:
        self.unreadable.append(Unreadable(file.name, why.reason, why.detail))


def _name(folder: str, path: str) -> str:
    """A file as a person would name it who named its folder so."""
    if Path(folder).is_dir():
        return str(Path(folder) / path)
    if folder == path or folder.endswith((f"/{path}", f"!{path}")):
        return folder  # it is that file itself
    if folder.lower().endswith(ARCHIVE_SUFFIXES):
        return f"{folder}!{path}"
    return f"{folder.rstrip('/')}/{path}"


def _refuse_overlaps(folders: Sequence[str], sources: Sequence[ImageSource]) -> None:
    """Refuse a folder that is in another one: its files would be copies of themselves."""
    places = []
    for source in sources:
        path, mark, inner = source.url.partition("!")
        local = "://" not in path
        places.append(f"{Path(path).resolve() if local else path.rstrip('/')}{mark}{inner}")
    for (one, folder), (other, parent) in permutations(zip(places, folders, strict=True), 2):
        if one == other or one.startswith((f"{other}/", f"{other}!")):
            where = f"{folder} is named twice" if one == other else f"{folder} lies in {parent}"
            raise SourceError(
                f"{where}, so each of its images would be a copy of itself.",
                do="Name folders that have no file in common.",
            )


def _require_images(folders: Sequence[str], counts: Sequence[int]) -> None:
    for folder, count in zip(folders, counts, strict=True):
        if not count:
            raise SourceError(
                f"There is no readable image in {folder}.",
                do="Check the path; JPEG, PNG, TIFF, WebP, GIF, BMP and PNM are read.",
            )


def _exact(files: dict[str, list[_File]]) -> Iterator[_Pair]:
    """Pairs of files with the same bytes."""
    for group in files.values():
        firsts = group if len(group) <= LARGEST_GROUP else _firsts(group)
        yield from (_pair(one, other, "exact", 0) for one, other in combinations(firsts, 2))
        others = sorted(set(group) - set(firsts))
        yield from (_pair(first, file, "exact", 0) for file in others for first in firsts)


def _firsts(group: Sequence[_File]) -> list[_File]:
    """The first file of each folder."""
    return list({file.folder: file for file in sorted(group, reverse=True)}.values())


def _near(
    files: dict[str, list[_File]], features: dict[str, Features], threshold: int
) -> Iterator[_Pair]:
    """Pairs of files whose pictures are the same and whose bytes are not."""
    contents = sorted(features)
    octets = b"".join(features[content].thumbnail for content in contents)
    pairs = near_duplicate_pairs(
        hashes=np.array([features[c].phash for c in contents], np.uint64),
        mirrored=np.array([features[c].phash_mirrored for c in contents], np.uint64),
        thumbnails=np.frombuffer(octets, np.uint8).reshape(-1, SIDE, SIDE),
        max_distance=threshold,
    )
    for pair in pairs.to_pylist():
        groups = (_firsts(files[contents[pair[end]]]) for end in ("i", "j"))
        for one, other in product(*groups):
            yield _pair(one, other, pair["kind"], pair["distance"])


def _pair(a: _File, b: _File, kind: str, distance: int) -> _Pair:
    one, other = sorted((a, b))
    return one, other, kind, distance


def _table(rows: list[_Pair], *, between_only: bool) -> pa.Table:
    """``FOLDER_PAIRS``, sorted."""
    kept = [row for row in rows if not between_only or row[0].folder != row[1].folder]
    kept.sort(key=lambda row: (row[0].folder == row[1].folder, row[0], row[1]))
    columns = [
        [one.name for one, _, _, _ in kept],
        [other.name for _, other, _, _ in kept],
        [kind for _, _, kind, _ in kept],
        [distance for _, _, _, distance in kept],
        [one.folder == other.folder for one, other, _, _ in kept],
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, FOLDER_PAIRS, strict=True)]
    return pa.table(arrays, schema=FOLDER_PAIRS)
