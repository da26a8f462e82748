from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.ingest.csv_table import parse_csv, read_one_file
from cv_pipeline.catalog.ingest.known_files import KnownFiles
from cv_pipeline.catalog.ingest.sidecar import parse_sidecar, parse_times
from cv_pipeline.errors import SettingsError, SourceError

FILES = KnownFiles(
    listed=pa.array(
        ["a.jpg", "deep/b.jpg", "deep/frame_0.5.jpg", "one/same.jpg", "two/same.jpg", "new/m.jpg"]
    ),
    vanished=pa.array(["old/m.jpg", "old/gone.jpg"]),
)


class TestCsv:
    def test_cells_are_trimmed_and_empty_ones_null(self) -> None:
        table = parse_csv(
            b'\xef\xbb\xbfpath, scene ,\r\n a.jpg ,"x, y",1\r\nb.jpg,  ,\r\n',
            file="m.csv",
            required=["path"],
        )
        assert table.rows.to_pylist() == [
            {"path": "a.jpg", "scene": "x, y"},
            {"path": "b.jpg", "scene": None},
        ]
        assert table.refusals == []

    def test_a_malformed_row_is_refused_by_its_number(self) -> None:
        data = b'path,scene\na,1\nb\n\n"c\nc",3\nd,4,5\ne,6\n'
        table = parse_csv(data, file="m.csv", required=["path"])
        assert table.rows["path"].to_pylist() == ["a", "c\nc", "e"]
        assert table.numbers.to_pylist() == [2, 4, 6]
        assert [(r.file, r.field, r.reason) for r in table.refusals] == [
            ("m.csv", "row 3", "malformed_row"),
            ("m.csv", "row 5", "malformed_row"),
        ]
        assert table.refusals[0].detail == "Expected 2 cells, found 1."

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "m.csv is empty"),
            (b"\n\n", "m.csv is empty"),
            (b"Path,scene\na,b\n", "has no column 'path'.*Did you mean 'Path'"),
            (b"path;scene\na;b\n", "has no column 'path': its header is 'path;scene'"),
            (b"path,scene,scene\n", "several columns 'scene'"),
            ("path,größe\na,b\n".encode("latin-1"), "not UTF-8"),
            (b"path,scene\na,\xff\xfe\n", "cannot be read as CSV"),
        ],
    )
    def test_what_is_no_csv_is_an_error(self, data: bytes, message: str) -> None:
        with pytest.raises(SourceError, match=message):
            parse_csv(data, file="m.csv", required=["path"])

    def test_the_file_must_be_one(self, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "m.csv").write_bytes(b"path\n")
        monkeypatch.setenv("HERE", str(tmp_path))
        assert read_one_file("${HERE}/m.csv") == b"path\n"
        (tmp_path / "n.csv").write_bytes(b"path\n")
        with pytest.raises(SourceError, match="holds 2 files, and one is expected"):
            read_one_file("${HERE}")
        with pytest.raises(SettingsError, match="NOT_SET_ANYWHERE"):
            read_one_file("${NOT_SET_ANYWHERE}/m.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-03", dt.datetime(2025, 11, 3)),
        ("2025-11-03T08:30", dt.datetime(2025, 11, 3, 8, 30)),
        ("2025-11-03 08:30:15", dt.datetime(2025, 11, 3, 8, 30, 15)),
        ("2025-11-03T08:30:15.123456Z", dt.datetime(2025, 11, 3, 8, 30, 15, 123456)),
        ("2025-11-03T08:30:15+02:00", dt.datetime(2025, 11, 3, 6, 30, 15)),
        ("2025-11-03T08:30:15-0530", dt.datetime(2025, 11, 3, 14, 0, 15)),
        ("2025-02-30", None),
        ("2025-13-01", None),
        ("03.11.2025", None),
        ("11/03/2025", None),
        ("2025-11", None),
        ("yesterday", None),
        ("2025-11-03T08:30:15 Europe/Berlin", None),
        (None, None),
    ],
)
def test_times(text: str | None, expected: dt.datetime | None) -> None:
    found = parse_times(pa.array([text], pa.string()))
    assert found.type == pa.timestamp("us", tz="UTC")
    assert found.to_pylist() == [expected.replace(tzinfo=dt.UTC) if expected else None]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)), min_size=1))
def test_any_time_that_is_written_is_read(moments: list[dt.datetime]) -> None:
    texts = [m.replace(tzinfo=dt.UTC).isoformat() for m in moments]
    expected = pa.array([m.replace(tzinfo=dt.UTC) for m in moments], pa.timestamp("us", tz="UTC"))
    assert parse_times(pa.array(texts)).equals(expected)


class TestSidecar:
    def test_known_columns_and_keys(self) -> None:
        data = b"path,captured_at,tags,split,scene,line\na.jpg,2025-11-03,x; y;x;,test,yard,\n"
        sidecar = parse_sidecar(data, file="m.csv", known=FILES)
        assert sidecar.files.to_pylist() == [
            {
                "path": "a.jpg",
                "captured_at": dt.datetime(2025, 11, 3, tzinfo=dt.UTC),
                "split": "test",
                "tags": ["x", "y"],
            }
        ]
        assert sidecar.values.to_pylist() == [
            {"path": "a.jpg", "key": "line", "value": None},
            {"path": "a.jpg", "key": "scene", "value": "yard"},
        ]
        assert sidecar.refusals == []

    def test_a_path_column_alone(self) -> None:
        sidecar = parse_sidecar(b"path\na.jpg\n", file="m.csv", known=FILES)
        assert sidecar.files.to_pylist() == [
            {"path": "a.jpg", "captured_at": None, "split": None, "tags": None}
        ]
        assert sidecar.values.num_rows == 0

    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("a.jpg", "a.jpg"),
            ("./a.jpg", "a.jpg"),
            ("b.jpg", "deep/b.jpg"),
            ("elsewhere/deep/b.jpg", "deep/b.jpg"),
            ("b", "deep/b.jpg"),
            ("frame_0.5", "deep/frame_0.5.jpg"),  # a stem with a dot in it
            ("two/same.jpg", "two/same.jpg"),
            ("same.jpg", None),  # there are two
            ("gone", "old/gone.jpg"),  # was ingested, and stays in the lake
            ("m.jpg", "new/m.jpg"),  # has moved
            ("c.jpg", None),
            ("", None),
        ],
    )
    def test_what_a_name_means(self, name: str, path: str | None) -> None:
        data = f"path,scene\n{name},x\n".encode()
        sidecar = parse_sidecar(data, file="m.csv", known=FILES)
        assert sidecar.files["path"].to_pylist() == ([path] if path else [])
        assert [r.reason for r in sidecar.refusals] == ([] if path else ["unknown_image"])

    def test_a_bad_cell_is_refused_and_its_row_stays(self) -> None:
        data = (
            b"path,captured_at,split,scene\na.jpg,03.11.2025,dev,yard\nzzz.jpg,,,\na.jpg,,,belt\n"
        )
        sidecar = parse_sidecar(data, file="m.csv", known=FILES)
        assert sidecar.values["value"].to_pylist() == ["yard"]
        assert sidecar.files["captured_at"].to_pylist() == [None]
        assert sorted((r.field, r.reason) for r in sidecar.refusals) == [
            ("row 2: captured_at", "bad_timestamp"),
            ("row 2: split", "unknown_split"),
            ("row 3: path", "unknown_image"),
            ("row 4: path", "duplicate_row"),
        ]
        details = " ".join(r.detail for r in sidecar.refusals)
        assert "'03.11.2025' is no ISO 8601" in details
        assert "'dev' is none of train, val, test" in details
