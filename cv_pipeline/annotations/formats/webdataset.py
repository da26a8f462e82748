"""WebDataset: tar files of samples, each an image ``key.jpg`` with ``key.json`` or ``key.cls``.

The shards are read as one source, ``FOLDER/*.tar``, in which ``shard.tar`` is a folder. The JSON of
a sample has ``annotations`` with ``category`` and ``bbox`` (x, y, width, height in pixels); where
there is only a ``.cls``, its number is the class. A shard ``…-train-000000.tar`` states the split.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from cv_pipeline.annotations.content import Content, Target, require_images
from cv_pipeline.annotations.formats.json_file import read_json
from cv_pipeline.annotations.formats.sample import Samples
from cv_pipeline.annotations.raw import ExportBuilder, FieldNames, ParsedExport
from cv_pipeline.annotations.values import as_split
from cv_pipeline.project import SplitName

FIELDS = FieldNames(image="", label="{object}.category", box="{object}.bbox")
SHARD_BYTES = 256 << 20
"""Size of a shard, at most, unless one sample alone is larger."""

_ROOM = SHARD_BYTES - tarfile.RECORDSIZE
_SPLIT = re.compile(r"(?:^|[_-])(train|val|valid|validation|test)[_-]\d+(?:\.tar)?$")
_SAMPLES = """
SELECT to_json({
    'image_id': i.image_id,
    'path': i.path,
    'split': i.split,
    'width': i.width,
    'height': i.height,
    'captured_at': strftime(i.captured_at, '%Y-%m-%dT%H:%M:%S.%fZ'),
    'metadata': i.metadata::JSON,
    'fold': i.fold,
    'annotations': coalesce(o.objects, [])
}) FROM (
    SELECT image, list({
        'category': label,
        'category_id': category,
        'bbox': CASE WHEN x_min IS NULL THEN NULL ELSE [x_min, y_min, width, height] END,
        'edges': CASE WHEN x_min IS NULL THEN NULL ELSE [x_min, y_min, x_max, y_max] END,
        'attributes': attributes::JSON,
        'kind': kind,
        'geometry': geometry::JSON,
        'annotator': annotator,
        'role': role,
        'annotation_id': annotation_id,
        'lead_time': lead_time,
        'created_at': strftime(created_at, '%Y-%m-%dT%H:%M:%S.%fZ'),
        'updated_at': strftime(updated_at, '%Y-%m-%dT%H:%M:%S.%fZ'),
        'ontology_version': ontology_version,
        'guideline_version': guideline_version
    } ORDER BY number) AS objects FROM annotations GROUP BY image
) AS o RIGHT JOIN images AS i ON o.image = i.number
ORDER BY i.number
"""
_CLASSES = """
SELECT coalesce(CAST(min(a.category) AS VARCHAR), '')
FROM images AS i LEFT JOIN annotations AS a ON a.image = i.number
GROUP BY i.number ORDER BY i.number
"""


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether files look like samples: a ``.cls``, or a JSON object with annotations alone."""
    return any(
        path.lower().endswith(".cls")
        or (
            path.lower().endswith(".json")
            and data.lstrip().startswith(b"{")
            and b'"annotations"' in data
            and b'"category"' in data
            and b'"images"' not in data
        )
        for path, data in files.items()
    )


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the samples of a WebDataset.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("webdataset", FIELDS)
    samples = Samples(export)
    described = [p for p in sorted(files) if p.lower().endswith(".json")]
    keys = {_key(path) for path in described}
    for path in described:
        export.files.add(path)
        document = read_json(export, path, files[path])
        if not isinstance(document, dict) or not isinstance(document.get("annotations"), list):
            if document is not None:
                export.refuse(path, "annotations", "not_a_sample", "It has no list annotations.")
            continue
        samples.read(
            document,
            source=path,
            where="annotations",
            image=f"{_key(path)}.*",
            split=_split(path),
            objects=document["annotations"],
        )
    for path in (p for p in sorted(files) if p.lower().endswith(".cls")):
        if _key(path) in keys:
            continue  # the JSON says more
        export.files.add(path)
        label = files[path].decode(errors="replace").strip()
        samples.read(
            {},
            source=path,
            where="class",
            image=f"{_key(path)}.*",
            split=_split(path),
            objects=[{"category": label}],
        )
    samples.finish()
    return export.build()


def write(content: Content, target: Target) -> None:
    """Write ``dataset-<split>-<number>.tar``, each of ``SHARD_BYTES`` at most.

    Samples are in order of the images' hashes, which is no order of content; a sample has ``.json``
    and, for classification, ``.cls``.
    """
    require_images(content, "webdataset")
    for split in content.splits:
        shards = _Shards(_samples(content.of_split(split), target))
        while shards.more:
            target.write(f"dataset-{split}-{shards.number:06d}.tar", shards.next_shard())


def _samples(content: Content, target: Target) -> Iterator[bytes]:
    """Each sample as members of a tar."""
    for chunk in content.chunks():
        texts = chunk.texts(_SAMPLES)
        classes = chunk.texts(_CLASSES) if content.task == "classification" else [""] * len(texts)
        names, stems = (chunk.images[name].to_pylist() for name in ("file_name", "stem"))
        for row, data in target.images(chunk):
            members = [(names[row], data), (f"{stems[row]}.json", texts[row].encode())]
            if classes[row]:
                members.append((f"{stems[row]}.cls", classes[row].encode()))
            yield b"".join(_member(name, content) for name, content in sorted(members))


class _Shards:
    """Cuts a row of samples into tar files."""

    def __init__(self, samples: Iterator[bytes]) -> None:
        self._samples = samples
        self._next = next(samples, None)
        self.number = 0

    @property
    def more(self) -> bool:
        """Whether a sample is left."""
        return self._next is not None

    def next_shard(self) -> Iterator[bytes]:
        """Yield the parts of the next shard."""
        size = 0
        while self._next is not None and (not size or size + len(self._next) <= _ROOM):
            yield self._next
            size += len(self._next)
            self._next = next(self._samples, None)
        # two empty blocks end a tar, which is made of whole records
        end = 2 * tarfile.BLOCKSIZE
        yield tarfile.NUL * (end + -(size + end) % tarfile.RECORDSIZE)
        self.number += 1


def _member(name: str, data: bytes) -> bytes:
    """Header and content of a file: no time, no owner, so that equal files give equal bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    padding = tarfile.NUL * (-len(data) % tarfile.BLOCKSIZE)
    return info.tobuf(format=tarfile.PAX_FORMAT) + data + padding


def _key(path: str) -> str:
    """``shard/a.seg.json`` → ``shard/a``: WebDataset's key ends at the first dot of the name."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"


def _split(path: str) -> SplitName | None:
    for part in PurePosixPath(path).parts[:-1]:
        found = _SPLIT.search(part)
        if found:
            return as_split(found[1])
    return None
