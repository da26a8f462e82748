"""What an export says of its images, as the metadata file of a project."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from cv_pipeline.annotations.image_facts import metadata_csv
from cv_pipeline.annotations.raw import RawImage, raw_images

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
PATHS = pa.array(["train/a.jpg", "train/b.jpg", "c.jpg"])


def test_times_and_metadata_by_path_in_the_source(parsed_of):
    facts = [
        RawImage("a.jpg", "train", NOON, '{"line":"1","scene":"belt, wet"}'),
        RawImage("b.*", None, None, '{"line":"2","path":"no key"}'),
        RawImage("c.jpg", "val"),
        RawImage("gone.jpg", None, NOON),
    ]
    parsed = replace(parsed_of({}), facts=raw_images(facts))

    assert metadata_csv(parsed, image_paths=PATHS) == (
        "path,captured_at,line,scene\n"
        'train/a.jpg,2025-03-01T12:00:00+00:00,1,"belt, wet"\n'
        "train/b.jpg,,2,\n"
    )


def test_the_first_of_two_statements_counts(parsed_of):
    facts = [
        RawImage("a.jpg", None, None, '{"line":"1"}'),
        RawImage("train/a.jpg", None, None, '{"line":"2"}'),
    ]
    parsed = replace(parsed_of({}), facts=raw_images(facts))

    assert metadata_csv(parsed, image_paths=PATHS) == "path,line\ntrain/a.jpg,1\n"


def test_nothing_is_said(parsed_of):
    parsed = replace(parsed_of({}), facts=raw_images([RawImage("a.jpg", "train")]))

    assert metadata_csv(parsed, image_paths=PATHS) is None
