"""CSV of labels: a row is one image's label, or one object, by one annotator.

Columns are ``image`` and ``label``, and where there are any ``kind``, ``geometry``, ``attributes``,
``annotator``, ``role``, ``seconds``, ``x_min``, ``y_min``, ``x_max``, ``y_max``, ``width``,
``height``, ``created_at``, ``updated_at``, and of the image ``captured_at`` and ``split``; their
usual other names are known too. Rows are read by column; shapes and attributes alone one by one.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from cv_pipeline.annotations.content import Content, Target, copy_images, split_folders
from cv_pipeline.annotations.geometry import BadShape, read_shape
from cv_pipeline.annotations.raw import (
    RAW_ANNOTATIONS,
    UNKNOWN_ANNOTATOR,
    ExportBuilder,
    FieldNames,
    ParsedExport,
    RawImage,
)
from cv_pipeline.annotations.values import as_role, as_split, attributes_json, pseudonym
from cv_pipeline.catalog.schemas.annotations import KINDS, SHAPE_KINDS

COLUMNS = {
    "image": ("image", "image_path", "filename", "file_name", "path"),
    "label": ("label", "class"),
    "kind": ("kind",),
    "geometry": ("geometry",),
    "attributes": ("attributes",),
    "annotator": ("annotator",),
    "role": ("role",),
    "seconds": ("seconds", "lead_time"),
    "x_min": ("x_min", "xmin"),
    "y_min": ("y_min", "ymin"),
    "x_max": ("x_max", "xmax"),
    "y_max": ("y_max", "ymax"),
    "width": ("width",),
    "height": ("height",),
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
    "captured_at": ("captured_at",),
    "split": ("split", "subset"),
}
"""Column to the names it goes by."""

FIELDS = FieldNames(image="{object}: image", label="{object}: label", box="{object}: x_min…y_max")
_BOX = ("x_min", "y_min", "x_max", "y_max")
_NUMBER = r"^[+-]?(\d{1,18}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?$"
_TIME = "%Y-%m-%dT%H:%M:%SZ"  # seconds with their decimals


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like a CSV of labels: a header with image and label."""
    for path in _csv_files(files):
        _, names = _header(files[path].decode(_encoding(files[path]), "replace"))
        if {"image", "label"} <= set(names):
            return True
    return False


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the CSV files of an export.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("csv", FIELDS)
    for path in _csv_files(files):
        export.files.add(path)
        cells = _read_cells(export, path, files[path])
        if cells is not None:
            export.tables.append(_Rows(export, path, cells).table())
    return export.build()


def _csv_files(files: Mapping[str, bytes]) -> list[str]:
    return sorted(p for p in files if p.lower().endswith(".csv"))


def _encoding(data: bytes) -> str:
    """The encoding that a mark at the beginning names, as spreadsheets write it; else UTF-8."""
    wide = (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)
    return "utf-16" if data.startswith(wide) else "utf-8-sig"


def _header(text: str) -> tuple[str, list[str]]:
    """Delimiter, and the columns' names; unknown columns keep their own, blanks stripped."""
    canonical = {other: name for name, others in COLUMNS.items() for other in others}
    line = text.split("\n", 1)[0].split("\r", 1)[0]
    best: tuple[str, list[str]] = (",", [])
    for delimiter in (",", ";", "\t"):
        try:
            cells = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
        except csv.Error:
            continue
        names = [canonical.get(c.strip().lower(), c.strip()) for c in cells]
        if len(names) > len(best[1]):
            best = (delimiter, names)
    return best


def _read_cells(export: ExportBuilder, path: str, data: bytes) -> pa.Table | None:
    """Every cell as text without outer blanks, and the column ``row``; None when unreadable.

    Rows are counted from 1, the header's, as a spreadsheet does.
    """
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        where = f"byte {error.start}"
        export.refuse(path, where, "not_utf8", f"Not UTF-8 text, {where}. Save it as CSV UTF-8.")
        return None
    delimiter, names = _header(text)
    missing = [n for n in ("image", "label") if n not in names]
    if missing:
        found = ", ".join(names) or "nothing"
        export.refuse(
            path,
            "header",
            "missing_column",
            f"Expected the columns image and label, found {found[:200]}.",
        )
        return None
    bad: list[int] = []

    def on_bad_row(row: pa_csv.InvalidRow) -> str:
        bad.append(row.number)
        export.refuse(
            path,
            f"row {row.number}",
            "wrong_columns",
            f"Expected {row.expected_columns} cells, found {row.actual_columns}:"
            f" {row.text[:80]!r}.",
        )
        return "skip"

    columns = [f"{i}" for i in range(len(names))]  # names may be repeated, numbers are not
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(text.encode()),
            # one block and one thread, so that rows are counted
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                block_size=min(max(len(data), 1), 2**31 - 1),
                column_names=columns,
                skip_rows=1,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=on_bad_row
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        export.refuse(path, "", "not_csv", f"Not valid CSV: {str(error)[:200]}.")
        return None
    known = {name: names.index(name) for name in COLUMNS if name in names}
    for i, name in enumerate(names):
        if i not in known.values():
            export.not_imported[f"column {name}"] += len(table)
    cells = {name: pc.utf8_trim_whitespace(table.column(i)) for name, i in known.items()}
    total = len(table) + len(bad)
    kept = np.setdiff1d(np.arange(2, total + 2), np.array(bad, dtype=np.int64))
    return _without_blank_rows(pa.table({**cells, "row": kept}))


def _without_blank_rows(cells: pa.Table) -> pa.Table:
    blank = np.ones(len(cells), dtype=bool)
    for name in cells.column_names:
        if name != "row":
            blank &= _mask(pc.equal(cells[name], ""))
    return cells.filter(pa.array(~blank))


def _mask(values: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)


class _Rows:
    """The rows of one file on their way to ``RAW_ANNOTATIONS``."""

    def __init__(self, export: ExportBuilder, path: str, cells: pa.Table) -> None:
        self._export = export
        self._path = path
        self._cells = cells
        self._kept = np.ones(len(cells), dtype=bool)

    def table(self) -> pa.Table:
        """Return the rows that can be used; the export records the others."""
        image, label = self._cells["image"], self._cells["label"]
        for name in ("image", "label"):
            broken = _mask(pc.match_substring_regex(self._cells[name], r"[\r\n]"))
            self._drop(broken, name, "unclosed_quote", "A quote that is not closed: {}.")
        self._drop(_mask(pc.equal(image, "")), "image", "missing_image", "No image is named.")
        box = {n: self._numbers(n, keep_row=False) for n in _BOX if n in self._cells.column_names}
        given = [_mask(pc.is_valid(v)) for v in box.values()]
        n = len(self._cells)
        any_edge = np.any(given, axis=0) if given else np.zeros(n, dtype=bool)
        whole_box = np.all(given, axis=0) if len(given) == len(_BOX) else np.zeros(n, dtype=bool)
        unlabelled = _mask(pc.equal(label, ""))
        nothing = unlabelled & ~any_edge & bool(given) & self._kept
        described = pc.unique(image.filter(pa.array(self._kept))).to_pylist()
        self._export.images.update(described)
        labelled = pc.unique(image.filter(pa.array(self._kept & ~nothing))).to_pylist()
        self._export.empty.update(set(described) - set(labelled))
        self._read_facts(image)
        self._kept &= ~nothing
        self._drop(unlabelled, "label", "missing_label", "No label is given.")
        self._drop(any_edge & ~whole_box, "x_min…y_max", "bad_box", "An edge is missing.")
        kinds = self._kinds(whole_box)
        columns = {
            "image_path": image,
            "label": label,
            "kind": kinds,
            "geometry": self._geometry(kinds),
            "source": pa.repeat(self._path, n),
            "object": pc.binary_join_element_wise(
                "row", pc.cast(self._cells["row"], pa.string()), " "
            ),
            "original_id": _occurrence(image),
            **box,
            "normalized": pa.repeat(False, n),
            "attributes": self._attributes(),
            "annotator": self._annotators(),
            "role": self._roles(),
            "lead_time": self._numbers("seconds", keep_row=True),
            "created_at": self._times("created_at"),
            "updated_at": self._times("updated_at"),
            "width": _sizes(self._numbers("width", keep_row=True)),
            "height": _sizes(self._numbers("height", keep_row=True)),
        }
        arrays = [columns.get(f.name, pa.nulls(n, f.type)) for f in RAW_ANNOTATIONS]
        table = pa.table(arrays, names=RAW_ANNOTATIONS.names).cast(RAW_ANNOTATIONS)
        return table.filter(pa.array(self._kept))

    def _kinds(self, whole_box: np.ndarray) -> pa.Array:
        """Kind of each row: as it says, else a box or the class of its image."""
        plain = pc.if_else(pa.array(whole_box), "bbox", "class")
        if "kind" not in self._cells.column_names:
            return plain
        told = self._cells["kind"].combine_chunks()
        known = _mask(pc.is_in(told, value_set=pa.array(KINDS)))
        self._drop(~known & ~_mask(pc.equal(told, "")), "kind", "unknown_kind", "No kind: {}.")
        boxed = _mask(pc.equal(told, "bbox")) & ~whole_box
        self._drop(boxed, "x_min…y_max", "bad_box", "A box without edges.")
        return pc.if_else(pa.array(known), told, plain)

    def _geometry(self, kinds: pa.Array) -> pa.Array:
        """Shapes, as canonical JSON."""
        found: list[str | None] = [None] * len(kinds)
        cells = self._cells
        shaped = _mask(pc.is_in(kinds, value_set=pa.array(SHAPE_KINDS))) & self._kept
        texts = cells["geometry"] if "geometry" in cells.column_names else None
        for place in np.flatnonzero(shaped).tolist():
            text = texts[place].as_py() if texts is not None else ""
            try:
                found[place] = read_shape(kinds[place].as_py(), text).text
            except BadShape as error:
                where = f"row {cells['row'][place].as_py()}: geometry"
                self._export.refuse(self._path, where, error.reason, error.detail)
                self._kept[place] = False
        return pa.array(found, pa.string())

    def _attributes(self) -> pa.Array:
        """Attributes as canonical JSON; what is no JSON object is refused, its row kept."""
        if "attributes" not in self._cells.column_names:
            return pa.repeat("{}", len(self._cells))
        encoded = self._cells["attributes"].combine_chunks().dictionary_encode()
        texts = [_json_object(text) for text in encoded.dictionary.to_pylist()]
        bad = np.array([text is None for text in texts], dtype=bool)
        unread = bad[encoded.indices.to_numpy()] if len(texts) else np.zeros(0, dtype=bool)
        self._report(
            unread & self._kept, "attributes", "bad_attributes", "Expected a JSON object, found {}."
        )
        return pa.array([text or "{}" for text in texts], pa.string()).take(encoded.indices)

    def _roles(self) -> pa.Array:
        if "role" not in self._cells.column_names:
            return pa.repeat("annotator", len(self._cells))
        encoded = self._cells["role"].combine_chunks().dictionary_encode()
        roles = [as_role(text) for text in encoded.dictionary.to_pylist()]
        return pa.array(roles, pa.string()).take(encoded.indices)

    def _drop(self, bad: np.ndarray, column: str, reason: str, detail: str) -> None:
        """Refuse the rows of ``bad`` that were not refused before."""
        self._report(bad & self._kept, column, reason, detail)
        self._kept &= ~bad

    def _report(self, bad: np.ndarray, column: str, reason: str, detail: str) -> None:
        refused = self._cells.filter(pa.array(bad))
        values = refused[column] if column in refused.column_names else refused["image"]
        for row, value in zip(refused["row"].to_pylist(), values.to_pylist(), strict=True):
            text = detail.format(repr(value[:60]))
            self._export.refuse(self._path, f"row {row}: {column}", reason, text)

    def _numbers(self, name: str, *, keep_row: bool) -> pa.ChunkedArray | pa.Array:
        """A column as float64, null where it is empty; what is no number is refused."""
        if name not in self._cells.column_names:
            return pa.nulls(len(self._cells), pa.float64())
        text = self._cells[name]
        numeric = pc.match_substring_regex(text, _NUMBER)
        bad = ~_mask(numeric) & ~_mask(pc.equal(text, ""))
        detail = "Expected a number, found {}."
        if keep_row:
            self._report(bad & self._kept, name, "bad_number", detail)
        else:
            self._drop(bad, name, "bad_box", detail)
        return pc.cast(pc.if_else(numeric, text, pa.scalar(None, pa.string())), pa.float64())

    def _read_facts(self, image: pa.ChunkedArray) -> None:
        """Record what the rows say of their images."""
        known = [name for name in ("captured_at", "split") if name in self._cells.column_names]
        if not known:
            return
        n = len(self._cells)
        splits = self._cells["split"] if "split" in known else pa.repeat("", n)
        named = {text: as_split(text) for text in pc.unique(splits).to_pylist()}
        bad = pc.is_in(
            splits, value_set=pa.array([t for t in named if t and not named[t]], pa.string())
        )
        self._report(_mask(bad) & self._kept, "split", "unknown_split", "No name of a split: {}.")
        facts = pa.table({"image": image, "split": splits, "at": self._times("captured_at")})
        facts = facts.filter(pa.array(self._kept))
        distinct = facts.group_by(facts.column_names).aggregate([])
        columns = (distinct[name].to_pylist() for name in facts.column_names)
        self._export.facts += [
            RawImage(path, named[split], at) for path, split, at in zip(*columns, strict=True)
        ]

    def _times(self, name: str) -> pa.Array:
        """A column of times; one without a zone is taken to be in UTC."""
        kind = pa.timestamp("us", tz="UTC")
        if name not in self._cells.column_names:
            return pa.nulls(len(self._cells), kind)
        import pandas as pd

        text = self._cells[name]
        times = pd.to_datetime(text.to_pandas(), format="ISO8601", errors="coerce", utc=True)
        bad = times.isna().to_numpy() & ~_mask(pc.equal(text, ""))
        detail = "Expected an ISO 8601 time, found {}."
        self._report(bad & self._kept, name, "bad_time", detail)
        naive = times.dt.tz_convert(None).to_numpy().astype("datetime64[us]")
        return pa.array(naive, pa.timestamp("us")).cast(kind)

    def _annotators(self) -> pa.Array:
        if "annotator" not in self._cells.column_names:
            return pa.repeat(UNKNOWN_ANNOTATOR, len(self._cells))
        encoded = self._cells["annotator"].combine_chunks().dictionary_encode()
        names = [pseudonym(name) for name in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.string()).take(encoded.indices)


def _json_object(text: str) -> str | None:
    """An object as canonical JSON, and none for an empty cell; None when it is something else."""
    if not text:
        return "{}"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return attributes_json(found) if isinstance(found, dict) else None


def write(content: Content, target: Target) -> None:
    """Write ``labels_<split>.csv`` beside ``images/<split>/``, a row a label.

    An image without a label has a row too, with nothing but its facts.
    """
    content = copy_images(content, target, split_folders(content, "images"))
    for split in content.splits:
        target.write(f"labels_{split}.csv", _parts(content.of_split(split)))


def _parts(content: Content) -> Iterator[bytes]:
    for place, chunk in enumerate(content.chunks()):
        text = io.BytesIO()
        options = pa_csv.WriteOptions(include_header=place == 0)
        pa_csv.write_csv(_written(chunk), text, options)
        yield text.getvalue()


def _written(content: Content) -> pa.Table:
    images, labels = content.images, content.annotations
    numbers = images["number"].to_numpy()
    on = labels["image"].to_numpy()
    blank = numbers[~np.isin(numbers, on)]
    of_image = np.concatenate([on, blank])
    order = np.argsort(of_image, kind="stable")
    rows = pa.array(order, mask=order >= len(on))
    labels = labels.take(rows)
    images = images.take(pa.array(np.searchsorted(numbers, of_image[order])))
    names = images["path"]
    if content.with_images:
        names = pc.binary_join_element_wise("images", images["split"], images["file_name"], "/")
    return pa.table(
        {
            "image": names,
            **{name: labels[name] for name in ("label", "kind", *_BOX, "geometry")},
            **{name: labels[name] for name in ("attributes", "annotator", "role")},
            "seconds": labels["lead_time"],
            "width": images["width"],
            "height": images["height"],
            **{n: pc.strftime(labels[n], format=_TIME) for n in ("created_at", "updated_at")},
            "captured_at": pc.strftime(images["captured_at"], format=_TIME),
            "split": images["split"],
        }
    )


def _occurrence(image: pa.ChunkedArray) -> pa.Array:
    """The how-manieth row of its image each row is, as text: an id that other images leave be."""
    codes = image.combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(codes) else codes
    lengths = np.diff(np.r_[starts, len(codes)])
    within = np.empty(len(codes), dtype=np.int64)
    within[order] = np.arange(len(codes)) - np.repeat(starts, lengths)
    return pc.cast(pa.array(within), pa.string())


def _sizes(numbers: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Sides in pixels; 0 and what no image has mean that the size is not declared."""
    plausible = pc.and_(pc.greater_equal(numbers, 1.0), pc.less(numbers, 2.0**31))
    kept = pc.if_else(plausible, numbers, pa.scalar(None, pa.float64()))
    return pc.cast(pc.floor(kept), pa.int32())
