from __future__ import annotations

import pytest

from cv_pipeline.annotations.formats import pascal_voc, read_export
from cv_pipeline.errors import AnnotationError
from cv_pipeline.storage import open_source

OBJECT = """<object><name>{name}</name><pose>Left</pose><truncated>1</truncated>
<difficult>0</difficult><bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax>
</bndbox></object>"""


def xml(*objects: str, filename: str = "<filename>a.jpg</filename>") -> bytes:
    size = "<size><width>100</width><height>80</height></size>"
    return f"<annotation>{filename}{size}{''.join(objects)}</annotation>".encode()


def box(*edges: object, name: str = "pear") -> str:
    return OBJECT.format(*edges, name=name)


def test_edges_are_taken_as_they_stand():
    parsed = pascal_voc.parse({"x/a.xml": xml(box(1, 2, 30, "40.5"))})

    row = parsed.rows.to_pylist()[0]
    assert (row["x_min"], row["y_min"], row["x_max"], row["y_max"]) == (1, 2, 30, 40.5)
    assert row["attributes"] == '{"difficult":false,"pose":"Left","truncated":true}'
    assert (row["source"], row["object"], row["image_path"]) == ("x/a.xml", "object[0]", "a.jpg")


def test_image_without_file_name_is_that_of_the_xml_file():
    parsed = pascal_voc.parse({"x/b.c.xml": xml(filename="")})

    assert parsed.images == parsed.empty == ("b.c.*",)


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (box(1, 2, 3, "four"), "object[0].bndbox.ymax", "bad_box"),
        (box(1, 2, "", 4), "object[0].bndbox.xmax", "bad_box"),
        (box(1, 2, 3, 4, name=" "), "object[0].name", "missing_label"),
        ("<object><name>pear</name></object>", "object[0].bndbox.xmin", "bad_box"),
    ],
)
def test_one_bad_object_is_named_and_the_next_one_is_read(bad, field, reason):
    parsed = pascal_voc.parse({"a.xml": xml(bad, box(1, 2, 3, 4))})

    assert [(r.field, r.reason) for r in parsed.quarantine] == [(field, reason)]
    assert parsed.rows["object"].to_pylist() == ["object[1]"]


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<annotation><filename>&b;</filename></annotation>"""
EXTERNAL = b"""<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<annotation><filename>&x;</filename></annotation>"""


@pytest.mark.parametrize("hostile", [LAUGHS, EXTERNAL])
def test_hostile_xml_is_refused_unread(hostile):
    parsed = pascal_voc.parse({"bad.xml": hostile, "good.xml": xml(box(1, 2, 3, 4))})

    assert [(r.file, r.reason) for r in parsed.quarantine] == [("bad.xml", "hostile_xml")]
    assert len(parsed.rows) == 1


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (xml(box(1, 2, 3, 4))[:50], "line 1, column 44"),
        (b"", "no element found"),
        (b"<kml></kml>", "expected <annotation>, found <kml>"),
        (b'<?xml version="1.0" encoding="nonsense"?><annotation/>', "Not valid XML"),
        (b'<?xml version="1.0" encoding="utf-7"?><annotation/>', "Not valid XML"),
    ],
)
def test_no_readable_file_is_an_error_that_says_why(data, match):
    with pytest.raises(AnnotationError, match=match):
        pascal_voc.parse({"only.xml": data})


def test_blood_cells(real_data):
    export = read_export(open_source(f"{real_data}/bccd.tar.gz!BCCD/Annotations"))

    parsed = pascal_voc.parse(export.files)

    labels = parsed.rows["label"].value_counts().to_pylist()
    assert {x["values"]: x["counts"] for x in labels} == {
        "RBC": 4155,
        "WBC": 372,
        "Platelets": 361,
    }
    assert len(parsed.images) == 364
    assert parsed.quarantine == ()


def test_attributes_of_cvat_and_who_drew_the_box():
    listed = (
        "<attributes><attribute><name>ripe</name><value>true</value></attribute>"
        '<attribute><name>rows</name><value type="json">[1, null]</value></attribute>'
        '<attribute><name>broken</name><value type="json">[</value></attribute></attributes>'
    )
    node = box(1, 2, 3, 4).replace("</object>", f"<annotator>ann</annotator>{listed}</object>")

    row = pascal_voc.parse({"a.xml": xml(node)}).rows.to_pylist()[0]

    # difficult is written everywhere, so 0 beside other attributes says nothing
    assert row["attributes"] == (
        '{"broken":null,"pose":"Left","ripe":"true","rows":[1,null],"truncated":true}'
    )
    assert row["annotator"] == "ann"
