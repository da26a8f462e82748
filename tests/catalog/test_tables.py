from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cv_pipeline.catalog.schemas import ANNOTATIONS, BATCHES, FILES, IMAGE_TAGS, TABLES
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import PRIMARY_KEYS, Catalog
from cv_pipeline.errors import CatalogError
from cv_pipeline.storage import ObjectStore
from tests.catalog.event_lake import rows_of

NOW = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)


def file_rows(*paths: str, image_id: str = "a" * 64) -> pa.Table:
    return pa.table(
        {
            "path": list(paths),
            "image_id": [image_id] * len(paths),
            "bytes": [1] * len(paths),
            "fingerprint": ["f"] * len(paths),
            "batch": ["b"] * len(paths),
        },
        schema=FILES,
    )


def tag_rows(*tags: str) -> pa.Table:
    rows = [{"image_id": "i", "tag": t, "present": True, "actor": "me", "at": NOW} for t in tags]
    return pa.Table.from_pylist(rows, schema=IMAGE_TAGS)


class TestReading:
    @pytest.mark.parametrize("name", sorted(TABLES))
    def test_a_table_never_written_is_empty_and_at_version_0(
        self, catalog: Catalog, name: str
    ) -> None:
        table = catalog.table(name)
        assert table.version == 0
        assert table.read().equals(TABLES[name].empty_table())

    def test_columns_and_filter(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        table.merge(file_rows("b", "it's", "c"), on=["path"])
        rows = table.read(columns=["bytes", "path"], filter=pc.field("path") == "it's")
        assert rows.schema.names == ["bytes", "path"]
        assert rows.to_pylist() == [{"bytes": 1, "path": "it's"}]
        assert table.read(filter="path > 'b'").num_rows == 2

    def test_an_old_version_is_read_as_it_was(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        first = table.merge(file_rows("a"), on=["path"])
        table.merge(file_rows("b"), on=["path"])
        assert table.read(version=first)["path"].to_pylist() == ["a"]
        assert table.read(version=0).num_rows == 0

    def test_rows_of_an_earlier_release_are_read_with_the_columns_of_now(
        self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = ANNOTATIONS
        then = pa.schema([f for f in now if f.name not in ("geometry", "role")])
        row = {"annotation_id": "1", "image_id": "a", "kind": "bbox", "x_min": 1.0}
        monkeypatch.setitem(TABLES, "annotations", then)
        first = catalog.table("annotations").merge(rows_of(then, [row]), on=["annotation_id"])
        monkeypatch.setitem(TABLES, "annotations", now)
        table = catalog.table("annotations")
        expected = rows_of(now, [row | {"role": "annotator"}])
        assert table.read().equals(expected)
        assert table.read(filter=pc.field("role") == "annotator", columns=["role"]).num_rows == 1
        assert table.read(filter="x_min > 2").num_rows == 0
        mine = pc.field("image_id") == "a"
        assert table.read(filter=mine).equals(expected)
        assert table.read(filter=mine, columns=["role"])["role"].to_pylist() == ["annotator"]
        assert table.read(filter=mine, columns=["geometry", "kind"]).equals(
            expected.select(["geometry", "kind"])
        )
        assert table.read(filter=pc.field("image_id") == "b", columns=["role"]).num_rows == 0
        assert pa.Table.from_batches(table.batches(now.names, rows=9)).equals(expected)
        assert table.version == first  # reading writes nothing
        added = row | {"annotation_id": "2", "role": "reviewer", "geometry": "{}"}
        second = table.merge(rows_of(now, [added]), on=["annotation_id"])
        assert (
            table.read()
            .sort_by("annotation_id")
            .equals(pa.concat_tables([expected, rows_of(now, [added])]))
        )
        for version in (first, second):
            names = run_sql(
                "SELECT DISTINCT role, geometry FROM t ORDER BY 1",
                relations={"t": table.relation(version=version)},
            )
            assert names["role"].to_pylist() == ["annotator", "reviewer"][: 1 + (version > first)]
        assert table.read(version=first).equals(expected)

    def test_a_version_that_was_cleaned_up_is_named(self, catalog: Catalog) -> None:
        import lance

        table = catalog.table("files")
        kept = table.merge(file_rows("a"), on=["path"])
        gone = table.merge(file_rows("b"), on=["path"])
        latest = table.merge(file_rows("c"), on=["path"])
        table.tag("dataset-1", kept)
        lance.dataset(
            catalog.store.lance("projects/fruit/catalog/files.lance").uri
        ).cleanup_old_versions(older_than=dt.timedelta(0), error_if_tagged_old_versions=False)
        message = f"Version {gone} of table files of project fruit .* the latest is {latest}"
        with pytest.raises(CatalogError, match=message):
            table.read(version=gone)
        with pytest.raises(CatalogError, match="Name a version that exists"):
            table.relation(version=99)
        assert table.read(version=kept)["path"].to_pylist() == ["a"]

    def test_clean_up_leaves_what_is_tagged_and_the_error_names_it(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        table.cleanup(older_than=dt.timedelta(0))  # nothing was written yet
        versions = [table.merge(file_rows(name), on=["path"]) for name in "abcdef"]
        for version in versions[1:3]:
            table.tag(f"kept-{version}", version)
        table.cleanup(older_than=dt.timedelta(0))
        kept = f"0, {versions[1]} to {versions[2]}, {versions[5]}"
        with pytest.raises(CatalogError, match=rf"Version {versions[3]} .* \({kept}\)"):
            table.read(version=versions[3])
        assert table.read(version=versions[2]).num_rows == 3

    def test_the_version_of_a_moment(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        moments = [dt.datetime.now(dt.UTC)]
        versions = [0]
        for name in "abcd":
            versions.append(table.merge(file_rows(name), on=["path"]))
            moments.append(dt.datetime.now(dt.UTC))
        assert [table.version_at(moment) for moment in moments] == versions
        for version in versions[2:4]:
            table.tag(f"kept-{version}", version)
        table.cleanup(older_than=dt.timedelta(0))
        assert [table.version_at(moment) for moment in moments[2:]] == versions[2:]
        for gone in moments[:2]:  # nobody knows any more whether there was nothing at the first
            with pytest.raises(CatalogError, match=r"The version of .* of table files .*cleaned"):
                table.version_at(gone)

    def test_a_table_made_anew_has_another_identity(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        assert table.identity() == (0, "")
        first = table.merge(file_rows("a"), on=["path"])
        identity = table.identity()
        assert identity == table.identity(first) == (first, identity[1])
        assert table.identity(table.merge(file_rows("b"), on=["path"])) != identity
        assert table.identity(first) == identity
        shutil.rmtree(catalog.store.url)
        table.merge(file_rows("a"), on=["path"])
        assert table.identity(first)[1] != identity[1]

    def test_an_unknown_table_names_the_nearest(self, catalog: Catalog) -> None:
        with pytest.raises(CatalogError, match=r"'image_tag'.*'image_tags'"):
            catalog.table("image_tag")


class TestWriting:
    def test_merge_replaces_and_insert_does_not(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        table.merge(file_rows("a", "b", image_id="1"), on=["path"])
        table.insert(file_rows("b", "c", image_id="2"), on=["path"])
        table.merge(file_rows("a", "d", image_id="3"), on=["path"])
        found = {row["path"]: row["image_id"] for row in table.read().to_pylist()}
        assert found == {"a": "3", "b": "1", "c": "2", "d": "3"}

    def test_no_rows_make_no_version(self, catalog: Catalog) -> None:
        assert catalog.table("image_tags").append(IMAGE_TAGS.empty_table()) == 0
        assert catalog.table("files").merge(FILES.empty_table(), on=["path"]) == 0
        assert catalog.versions() == dict.fromkeys(sorted(TABLES), 0)

    def test_replace_keeps_the_key_unique_and_the_past_readable(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        before = table.merge(file_rows("a"), on=["path"])
        table.replace(file_rows("b"))
        assert table.read()["path"].to_pylist() == ["b"]
        assert table.read(version=before)["path"].to_pylist() == ["a"]
        table.merge(file_rows("b", image_id="new"), on=["path"])
        assert table.read()["image_id"].to_pylist() == ["new"]

    def test_delete_says_how_many(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        assert table.delete("path = 'a'") == 0
        version = table.merge(file_rows("a", "it's", "c"), on=["path"])
        assert table.delete(pc.field("path").isin(["it's", "zzz"])) == 1
        assert table.delete("path = 'nothing'") == 0
        assert table.version == version + 1

    def test_tagging_twice_is_free_but_a_tag_never_moves(self, catalog: Catalog) -> None:
        table = catalog.table("files")
        table.tag("d", 0)
        first = table.merge(file_rows("a"), on=["path"])
        second = table.merge(file_rows("b"), on=["path"])
        table.tag("d", first)
        table.tag("d", first)
        with pytest.raises(CatalogError, match=f"names version {first} already"):
            table.tag("d", second)

    def test_rows_that_do_not_fit_are_refused(self, catalog: Catalog) -> None:
        files, tags = catalog.table("files"), catalog.table("image_tags")
        misnamed = file_rows("a").rename_columns(["path", "image_id", "bytes", "fingerprint", "x"])
        with pytest.raises(CatalogError, match=r"missing columns \['batch'\], unknown \['x'\]"):
            files.merge(misnamed, on=["path"])
        with pytest.raises(CatalogError, match="do not fit table files"):
            files.merge(file_rows("a").set_column(2, "bytes", pa.array(["many"])), on=["path"])
        with pytest.raises(CatalogError, match="tag' with null values"):
            tags.append(tag_rows("x").set_column(1, "tag", pa.array([None], pa.string())))
        with pytest.raises(CatalogError, match="twice"):
            files.merge(file_rows("a", "a"), on=["path"])
        with pytest.raises(CatalogError, match=r"cannot be merged on \('image_id',\)"):
            files.merge(file_rows("a"), on=["image_id"])
        with pytest.raises(CatalogError, match="cannot be merged"):
            tags.merge(tag_rows("x"), on=["tag"])
        with pytest.raises(CatalogError, match="cannot be appended"):
            files.append(file_rows("a"))
        assert files.version == tags.version == 0

    def test_optimize_leaves_rows_and_makes_an_index(self, catalog: Catalog) -> None:
        import lance

        table = catalog.table("image_tags")
        for n in range(40):
            table.append(tag_rows(f"t{n:02}"))
        before = table.read().sort_by("tag")
        table.optimize()
        assert table.read().sort_by("tag").equals(before)
        stored = lance.dataset(catalog.store.lance("projects/fruit/catalog/image_tags.lance").uri)
        assert len(stored.get_fragments()) == 1
        assert [i.field_names for i in stored.describe_indices()] == [["image_id"]]
        version = table.version
        table.optimize()
        assert table.version == version

    def test_a_table_that_is_written_as_a_whole_gets_its_index_back(self, catalog: Catalog) -> None:
        import lance

        def indexed() -> list[list[str]]:
            where = catalog.store.lance("projects/fruit/catalog/split_assignments.lance").uri
            return [i.field_names for i in lance.dataset(where).describe_indices()]

        def rows(count: int) -> pa.Table:
            ids = pa.array([f"{n:064x}" for n in range(count)])
            columns = {
                f.name: ids if f.name == "image_id" else pa.repeat(_some(f.type), count)
                for f in TABLES["split_assignments"]
            }
            return pa.table(columns, schema=TABLES["split_assignments"])

        table = catalog.table("split_assignments")
        assert table.index() == 0
        table.replace(rows(100))
        assert (table.index(), indexed()) == (table.version, [])  # not worth one
        for count in (20_000, 20_001):
            written = table.replace(rows(count))
            assert indexed() == []
            made = table.index()
            assert made == table.version == written + 1
            assert indexed() == [["image_id"]]
            assert table.index() == made
            last = pc.field("image_id") == f"{count - 1:064x}"
            assert len(table.read(filter=last)) == 1


def _some(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar("x" if pa.types.is_string(kind) else 0).cast(kind)


WRITER = """
import sys
import pyarrow as pa
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.storage import open_store
sys.path.insert(0, sys.argv[3])
from test_tables import file_rows, tag_rows

me, catalog = sys.argv[1], Catalog(open_store(sys.argv[2]), "fruit")
print("ready", flush=True)
sys.stdin.readline()
for n in range(5):
    catalog.table("files").merge(file_rows(f"shared-{n}", f"{me}-{n}", image_id=me), on=["path"])
    catalog.table("files").insert(file_rows(f"once-{n}", image_id=me), on=["path"])
    catalog.table("image_tags").append(tag_rows(f"{me}-{n}"))
"""


def write_from_two_processes(url: str) -> None:
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(
            [*command, me, url, str(Path(__file__).parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in "AB"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.close()
    for writer in writers:
        assert writer.wait(timeout=120) == 0
        assert writer.stdout is not None
        writer.stdout.close()


def check_that_every_commit_landed_once(catalog: Catalog) -> None:
    paths = sorted(catalog.table("files").read()["path"].to_pylist())
    expected = [f"{name}-{n}" for name in ("A", "B", "once", "shared") for n in range(5)]
    assert paths == sorted(expected)
    tags = sorted(catalog.table("image_tags").read()["tag"].to_pylist())
    assert tags == sorted(f"{me}-{n}" for me in "AB" for n in range(5))


class TestTwoWriters:
    def test_every_commit_lands_and_keys_stay_unique(self, catalog: Catalog) -> None:
        write_from_two_processes(catalog.store.url)
        check_that_every_commit_landed_once(catalog)

    def test_the_same_in_a_bucket(self, s3_store: ObjectStore) -> None:
        write_from_two_processes(s3_store.url)
        check_that_every_commit_landed_once(Catalog(s3_store, "fruit"))


def test_tables_live_in_a_bucket_too(s3_store: ObjectStore) -> None:
    catalog = Catalog(s3_store, "fruit")
    files = catalog.table("files")
    assert files.version == 0
    first = files.merge(file_rows("a", "b"), on=["path"])
    files.delete("path = 'a'")
    files.tag("dataset-1", first)
    assert sorted(files.read(version=first)["path"].to_pylist()) == ["a", "b"]
    assert files.read()["path"].to_pylist() == ["b"]
    with pytest.raises(CatalogError, match="Version 99 of table files"):
        files.read(version=99)


def test_keys_are_columns_that_are_never_null() -> None:
    for name, key in PRIMARY_KEYS.items():
        assert all(not TABLES[name].field(column).nullable for column in key)
    assert "batch" in BATCHES.names
