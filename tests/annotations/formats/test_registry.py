from __future__ import annotations

import pytest

from cv_pipeline.annotations.formats import (
    ExportFiles,
    detect_format,
    parse_export,
    read_export,
)
from cv_pipeline.annotations.raw import UnusableExport
from cv_pipeline.errors import AnnotationError
from cv_pipeline.storage import SourceEntry, open_source

CSV = "image,label\na.jpg,pear\n"


@pytest.fixture
def write(tmp_path):
    def write(**files: str):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return open_source(str(tmp_path))

    return write


def test_images_and_other_files_are_not_read(write):
    export = read_export(write(a_dot_csv=CSV, b_dot_jpg="x", c_dot_md="x", no_suffix="x"))

    assert list(export.files) == ["a.csv"]
    assert dict(export.listed) == {".csv": 1, ".jpg": 1, ".md": 1, "no suffix": 1}
    assert list(export.fingerprints) == ["a.csv"]


def test_unknown_format_says_what_was_looked_for_and_found(write):
    source = write(a_dot_jpg="x", b_dot_jpg="x", readme_dot_txt="hello")

    with pytest.raises(AnnotationError, match=r"Looked for coco: .*yolo: .*Found 2 \.jpg, 1 \.txt"):
        detect_format(read_export(source))


def test_two_formats_at_once_are_an_error_that_names_both(write):
    source = write(a_dot_csv=CSV, b_dot_xml="<annotation></annotation>")

    with pytest.raises(AnnotationError, match="csv or pascal_voc"):
        parse_export(read_export(source))
    assert parse_export(read_export(source), format="csv").format == "csv"


def test_unknown_name_of_a_format_names_the_nearest(write):
    with pytest.raises(AnnotationError, match="Did you mean 'pascal_voc'"):
        parse_export(read_export(write(a_dot_csv=CSV)), format="pascal")


def test_a_metadata_csv_beside_the_export_is_not_taken_for_labels(write):
    source = write(a_dot_xml="<annotation></annotation>", meta_dot_csv="path,scene\na.jpg,dim\n")

    assert detect_format(read_export(source)) == "pascal_voc"


def test_file_that_vanishes_is_a_refusal():
    class Vanishing:
        url = "vanishing"

        def list(self):
            return [SourceEntry("a.csv", 1, "1"), SourceEntry("b.csv", 1, "1")]

        def read(self, path):
            raise AssertionError(path)

        def read_many(self, paths):
            return iter([("a.csv", CSV.encode())])

    parsed = parse_export(read_export(Vanishing()))

    assert [(r.file, r.reason) for r in parsed.quarantine] == [("b.csv", "unreadable_file")]


@pytest.mark.parametrize(
    "files", [{}, {"a.csv": b"image,label\n"}, {"a.csv": b"image"}], ids=["none", "empty", "broken"]
)
def test_file_that_vanishes_does_not_make_an_empty_export(files):
    export = ExportFiles("here", files, {}, ("b.csv",), {".csv": 2})

    with pytest.raises(UnusableExport, match=r"no annotation") as caught:
        parse_export(export, format="csv")

    assert caught.value.refusals[-1].file == "b.csv"
    assert caught.value.do
