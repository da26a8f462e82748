"""A CSV file from outside, as an Arrow table of texts.

Cells are trimmed and empty ones are null. A row with too many or too few cells is refused by its
number and the others stay; only a file that is no CSV at all is an error.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.errors import SourceError, nearest
from cv_pipeline.settings import expand
from cv_pipeline.storage import open_source

_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class CsvTable:
    """What a CSV file says.

    Attributes:
        rows: a string column for each named column of the file.
        numbers: int64, number of each row; the header is row 1 and blank lines do not count.
        refusals: the rows that could not be read.
    """

    rows: pa.Table
    numbers: pa.Array
    refusals: list[Refusal]


def read_one_file(url: str) -> bytes:
    """Bytes of the one file that a URL of ``project.yaml`` names; ``${NAME}`` expands.

    Raises:
        SourceError: there is no such file, or the URL names several.
        SettingsError: a name in it is not set in the environment.
    """
    source = open_source(expand(url))
    entries = source.list()
    if len(entries) != 1:
        raise SourceError(
            f"{url} holds {len(entries)} files, and one is expected.", do="Name the file itself."
        )
    return source.read(entries[0].path)


def parse_csv(data: bytes, *, file: str, required: Sequence[str]) -> CsvTable:
    """Read a CSV file with a header: comma-separated UTF-8.

    Args:
        data: the file's bytes.
        file: its name, for messages and refusals.
        required: columns that it must have.

    Raises:
        SourceError: it is empty or not UTF-8 text, or lacks a column; the message names it.
    """
    data = data.removeprefix(codecs.BOM_UTF8).lstrip()
    names = _header(data, file)
    for name in required:
        if name not in names:
            raise SourceError(
                f"{file} has no column {name!r}: its header is {', '.join(names)!r}.",
                do=nearest(name, names),
            )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise SourceError(f"{file} has several columns {twice[0]!r}.", do="Rename all but one.")
    malformed: list[pacsv.InvalidRow] = []

    def skip(row: pacsv.InvalidRow) -> str:
        malformed.append(row)
        return "skip"

    try:
        table = pacsv.read_csv(
            pa.BufferReader(data),
            # one thread: only then are the numbers of malformed rows known
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=names, skip_rows_after_names=1
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"{file} cannot be read as CSV: {error}.", do="Save it as comma-separated UTF-8 text."
        ) from error
    bad = np.array([row.number for row in malformed], dtype=np.int64)
    numbers = np.setdiff1d(np.arange(2, 2 + table.num_rows + len(bad)), bad)
    columns = {name: _cells(table[name]) for name in names if name}
    return CsvTable(
        rows=pa.table(columns),
        numbers=pa.array(numbers, pa.int64()),
        refusals=[
            Refusal(
                file,
                f"row {row.number}",
                "malformed_row",
                f"Expected {len(names)} cells, found {row.actual_columns}.",
            )
            for row in malformed
        ],
    )


def _header(data: bytes, file: str) -> list[str]:
    text = data[:_HEAD_BYTES].decode(errors="replace")
    try:
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error as error:
        raise SourceError(f"{file} has no readable header: {error}.") from error
    names = [name.strip() for name in header]
    if not any(names):
        raise SourceError(f"{file} is empty.", do="Give it a header, such as path,captured_at.")
    if "\ufffd" in "".join(names):
        raise SourceError(f"{file} is not UTF-8 text.", do="Save it as comma-separated UTF-8.")
    return names


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
