"""Sources of every kind over the same files, and what a hostile or damaged one may not do."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.errors import SourceError
from cv_pipeline.storage import ImageSource, bucket_source, open_source
from cv_pipeline.storage.archive_source import TarSource, ZipSource
from cv_pipeline.storage.s3 import S3Store

FILES = {
    "a.jpg": b"apple",
    "deep/b.jpg": b"",
    "deep/er/c d.jpg": bytes(range(256)) * 8192,
    "deep-2/ü\U0001f34e.jpg": b"pear",
}
HIDDEN = {".DS_Store": b"x", "deep/.git/config": b"x", "__MACOSX/._a.jpg": b"x"}


def make_folder(tmp_path: Path) -> str:
    for name, data in (FILES | HIDDEN).items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(tmp_path / "set")


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> str:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def make_zip(path: Path, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def inner(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"top/inner/{k}": v for k, v in files.items()} | {"top/other.jpg": b"other"}


MAKERS: dict[str, Callable[[Path], str]] = {
    "folder": make_folder,
    "tar.gz": lambda p: make_tar(p / "s.tar.gz", FILES | HIDDEN),
    "tgz of ./": lambda p: make_tar(p / "s.tgz", {f"./{k}": v for k, v in FILES.items()}),
    "tar": lambda p: make_tar(p / "s.tar", FILES | HIDDEN, "w:"),
    "zip": lambda p: make_zip(p / "s.zip", FILES | HIDDEN),
    "inner of tar.gz": lambda p: make_tar(p / "s.tar.gz", inner(FILES)) + "!top/inner",
    "inner of zip": lambda p: make_zip(p / "s.ZIP", inner(FILES)) + "!top/inner/",
}


@pytest.fixture(params=[*MAKERS, "s3"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> ImageSource:
    if request.param != "s3":
        return open_source(MAKERS[request.param](tmp_path))
    bucket = request.getfixturevalue("bucket")
    client = request.getfixturevalue("s3_client")
    for name, data in (FILES | HIDDEN | {"folder/": b""}).items():
        client.put_object(Bucket=bucket, Key=f"some/set/{name}", Body=data)
    client.put_object(Bucket=bucket, Key="some/set-2/x.jpg", Body=b"")
    return open_source(f"s3://{bucket}/some/set", s3_client=client)


def test_lists_and_reads_the_same_files(source: ImageSource) -> None:
    entries = source.list()
    assert [(e.path, e.size) for e in entries] == sorted((k, len(v)) for k, v in FILES.items())
    assert len({e.fingerprint for e in entries}) == len(entries)
    assert source.list() == entries
    assert dict(source.read_many(e.path for e in entries)) == FILES
    for name, data in FILES.items():
        assert source.read(name) == data


def test_url_opens_the_same_source(source: ImageSource) -> None:
    assert open_source(source.url).list() == source.list()


def test_what_is_not_there_is_left_out(source: ImageSource) -> None:
    asked = ["a.jpg", "gone.jpg", "../a.jpg", "deep", "/etc/passwd", ""]
    assert list(source.read_many(asked)) == [("a.jpg", b"apple")]
    assert list(source.read_many([])) == []
    for path in asked[1:]:
        with pytest.raises(SourceError, match=r"no .*file|no object|Invalid key"):
            source.read(path)


@pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
def test_one_file_is_a_source(kind: str, tmp_path: Path) -> None:
    url = {
        "folder": lambda: make_folder(tmp_path) + "/a.jpg",
        "tar.gz": lambda: make_tar(tmp_path / "s.tar.gz", inner(FILES)) + "!top/inner/a.jpg",
        "zip": lambda: make_zip(tmp_path / "s.zip", inner(FILES)) + "!top/inner/a.jpg",
    }[kind]()
    source = open_source(url)
    assert [e.path for e in source.list()] == ["a.jpg"]
    assert source.read("a.jpg") == b"apple"
    assert source.url == url
    with pytest.raises(SourceError, match=r"no .*file"):
        source.read("deep/b.jpg")


def test_one_object_is_a_source(bucket: str, s3_client) -> None:
    for key in ("top/a.csv", "top/a.csv.bak", "top/b.csv"):
        s3_client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    source = open_source(f"s3://{bucket}/top/a.csv", s3_client=s3_client)
    assert [e.path for e in source.list()] == ["a.csv"]
    assert source.read("a.csv") == b"top/a.csv"
    assert source.url == f"s3://{bucket}/top/a.csv"
    with pytest.raises(SourceError, match="no file"):
        source.read("b.csv")


def test_fingerprints_follow_the_content(tmp_path: Path) -> None:
    """Archives made reproducibly carry one time for all: their fingerprints do not rest on it."""
    url = make_tar(tmp_path / "s.tar.gz", {"a.jpg": b"1", "b.jpg": b"2"})
    source = open_source(url)
    before = {e.path: e.fingerprint for e in source.list()}
    make_tar(tmp_path / "s.tar.gz", {"a.jpg": b"3", "b.jpg": b"2"})
    for again in (source, open_source(url)):
        after = {e.path: e.fingerprint for e in again.list()}
        assert after["a.jpg"] != before["a.jpg"]
        assert after["b.jpg"] == before["b.jpg"]


@pytest.mark.parametrize("make", [make_tar, make_zip], ids=["tar", "zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_with_one_name_the_last_counts(make, tmp_path: Path) -> None:
    path = tmp_path / ("s.zip" if make is make_zip else "s.tar.gz")
    if make is make_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.jpg", b"old")
            archive.writestr("a.jpg", b"newer")
    else:
        with tarfile.open(path, "w:gz") as tar:
            for data in (b"old", b"newer"):
                info = tarfile.TarInfo("a.jpg")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    source = open_source(str(path))
    assert [e.size for e in source.list()] == [5]
    assert list(source.read_many(["a.jpg"])) == [("a.jpg", b"newer")]


# ---------------------------------------------------------------- what is not there


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "Invalid source"),
        ("gs://bucket/a", "Invalid source: 'gs://bucket/a'"),
        ("{tmp}/sett", "Did you mean 'set'"),
        ("{tmp}/no/where", "is no folder"),
        ("{tmp}/set/a.jpg!x", "is no archive, so 'x'"),
        ("{tmp}/gone.tar.gz!x", "no file or folder .*gone.tar.gz"),
    ],
)
def test_a_wrong_url_is_explained(url: str, message: str, tmp_path: Path) -> None:
    make_folder(tmp_path)
    with pytest.raises(SourceError, match=message):
        open_source(url.format(tmp=tmp_path))


@pytest.mark.parametrize("make", [make_tar, make_zip], ids=["tar", "zip"])
def test_a_wrong_inner_folder_names_the_nearest(make, tmp_path: Path) -> None:
    name = "s.zip" if make is make_zip else "s.tar.gz"
    url = make(tmp_path / name, inner(FILES))
    with pytest.raises(SourceError, match=r"no 'top/iner' in .* Did you mean 'top/inner'"):
        open_source(f"{url}!top/iner").list()


def test_a_wrong_bucket_is_explained(bucket: str, s3_client) -> None:
    with pytest.raises(SourceError, match=f"nothing below s3://{bucket}/imgs"):
        open_source(f"s3://{bucket}/imgs", s3_client=s3_client)
    with pytest.raises(SourceError, match="no-such-bucket"):
        open_source("s3://no-such-bucket/a", s3_client=s3_client)
    s3_client.put_object(Bucket=bucket, Key="a.tar.gz", Body=b"x")
    with pytest.raises(SourceError, match="archives are read from local disks only"):
        open_source(f"s3://{bucket}/a.tar.gz", s3_client=s3_client)


def test_large_objects_are_not_held_by_the_dozen(bucket: str, s3_client, monkeypatch) -> None:
    """A budget of bytes bounds what is in flight, and the order stays that of the request."""
    monkeypatch.setattr(bucket_source, "BUDGET_BYTES", 100)
    for number in range(12):
        s3_client.put_object(Bucket=bucket, Key=f"a/{number:02}", Body=bytes([number]) * 40)
    source = open_source(f"s3://{bucket}/a", s3_client=s3_client)
    asked = [f"{number:02}" for number in reversed(range(12))]
    begun: list[str] = []
    fetch = S3Store.read

    def read(self: S3Store, key: str, **options: int) -> bytes:
        begun.append(key)
        return fetch(self, key, **options)

    monkeypatch.setattr(S3Store, "read", read)
    for at_once in (1, 2):  # before the sizes are known, and after
        begun.clear()
        for place, (path, data) in enumerate(source.read_many(asked)):
            assert (path, data) == (asked[place], bytes([int(path)]) * 40)
            assert len(begun) - place <= at_once
        assert len(begun) == 12
        source.list()


def test_a_bucket_that_goes_away_fails_as_a_whole(bucket: str, s3_client) -> None:
    s3_client.put_object(Bucket=bucket, Key="a/b", Body=b"x")
    source = open_source(f"s3://{bucket}/a", s3_client=s3_client)
    s3_client.delete_object(Bucket=bucket, Key="a/b")
    s3_client.delete_bucket(Bucket=bucket)
    with pytest.raises(SourceError, match="Cannot list"):
        source.list()
    with pytest.raises(SourceError, match="Cannot read 'b'"):
        list(source.read_many(["b"]))


# ---------------------------------------------------------------- folders


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make_folder(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "z.jpg").write_bytes(b"z")
    links = tmp_path / "set" / "links"
    links.mkdir()
    (links / "folder").symlink_to(elsewhere)
    (links / "file.jpg").symlink_to(elsewhere / "z.jpg")
    (links / "up").symlink_to(tmp_path / "set")
    (links / "broken.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(links / "pipe.jpg")
    source = open_source(str(tmp_path / "set"))
    found = [e.path for e in source.list() if e.path.startswith("links/")]
    assert found == ["links/file.jpg", "links/folder/z.jpg"]
    assert source.read("links/folder/z.jpg") == b"z"
    assert list(source.read_many(["links/pipe.jpg", "links/broken.jpg"])) == []


def test_names_that_are_not_utf8_are_listed_and_read(tmp_path: Path) -> None:
    odd = {b"caf\xe9/\xff.jpg": b"odd", b"plain\\xff.jpg": b"plain"}
    for name, data in odd.items():
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/set/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    url = str(tmp_path / "set")
    paths = [e.path for e in open_source(url).list()]
    assert paths == ["caf\\xe9/\\xff.jpg", "plain\\xff.jpg"]
    assert dict(open_source(url).read_many(paths)) == dict(zip(paths, odd.values(), strict=True))
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as tar:
        tar.add(url, arcname=".")
    packed = open_source(str(tmp_path / "s.tar.gz"))
    assert [e.path for e in packed.list()] == paths
    assert packed.read(paths[0]) == b"odd"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_subfolder_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "set" / "deep").chmod(0)
    try:
        with pytest.raises(SourceError, match=r"Cannot list .*/deep: Permission denied"):
            open_source(str(tmp_path / "set")).list()
    finally:
        (tmp_path / "set" / "deep").chmod(0o755)


def test_an_exclamation_mark_may_be_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "wow!").mkdir()
    (tmp_path / "wow!" / "a.jpg").write_bytes(b"x")
    assert [e.path for e in open_source(str(tmp_path / "wow!")).list()] == ["a.jpg"]


# ---------------------------------------------------------------- hostile archives

TRAVERSALS = ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "a/.."]


@pytest.mark.parametrize("make", [make_tar, make_zip], ids=["tar", "zip"])
@pytest.mark.parametrize("name", TRAVERSALS)
def test_members_that_lead_out_are_refused(make, name: str, tmp_path: Path) -> None:
    url = make(tmp_path / ("s.zip" if make is make_zip else "s.tar"), FILES | {name: b"evil"})
    with pytest.raises(SourceError, match=r"is refused: its member .* leads out of it"):
        open_source(url).list()


def test_windows_paths_in_a_zip(tmp_path: Path) -> None:
    source = open_source(make_zip(tmp_path / "s.zip", {"a\\b.jpg": b"x"}))
    assert [e.path for e in source.list()] == ["a/b.jpg"]
    with pytest.raises(SourceError, match="leads out of it"):
        open_source(make_zip(tmp_path / "t.zip", {"..\\b.jpg": b"x"})).list()


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as tar:
        for kind in (
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.BLKTYPE,
            tarfile.FIFOTYPE,
            tarfile.DIRTYPE,
        ):
            info = tarfile.TarInfo(f"odd-{kind.decode()}.jpg")
            info.type = kind
            info.linkname = "/etc/passwd"
            tar.addfile(info)
        info = tarfile.TarInfo("a.jpg")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"a"))
    source = open_source(str(tmp_path / "s.tar.gz"))
    assert [e.path for e in source.list()] == ["a.jpg"]
    assert list(source.read_many(["a.jpg", "odd-2.jpg"])) == [("a.jpg", b"a")]


def test_links_in_a_zip_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        info = zipfile.ZipInfo("link.jpg")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("a.jpg", "a")
    source = open_source(str(tmp_path / "s.zip"))
    assert [e.path for e in source.list()] == ["a.jpg"]
    with pytest.raises(SourceError, match=r"no readable file 'link\.jpg'"):
        source.read("link.jpg")


def lying_tar(path: Path, size: int, kind: bytes = tarfile.REGTYPE, name: str = "a.jpg") -> str:
    """A tar whose first member declares a size that is not there."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 10240))
    return str(path)


@pytest.mark.parametrize("size", [1 << 20, 1 << 45, -512])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_sizes_that_are_not_there_are_refused(size: int, kind: bytes, tmp_path: Path) -> None:
    url = lying_tar(tmp_path / "s.tar.gz", size, kind)
    with pytest.raises(SourceError, match="cannot be read as an archive"):
        open_source(url).list()


def test_headers_that_announce_headers_for_ever_are_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type = tarfile.GNUTYPE_LONGNAME
    (tmp_path / "s.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) * 5000)
    with pytest.raises(SourceError, match="cannot be read as an archive"):
        open_source(str(tmp_path / "s.tar")).list()


def test_sparse_members_are_left_out(tmp_path: Path) -> None:
    """A few bytes may declare terabytes of nothing."""
    url = lying_tar(tmp_path / "s.tar.gz", 0, tarfile.GNUTYPE_SPARSE)
    assert open_source(url).list() == []


def test_members_too_large_for_memory_are_listed_but_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "cv_pipeline.storage.archive_source.MAX_FILE_BYTES"
    monkeypatch.setattr(module, 4)
    for make, name in ((make_tar, "s.tar.gz"), (make_zip, "s.zip")):
        source = open_source(make(tmp_path / name, {"a.jpg": b"12345", "b.jpg": b"1234"}))
        assert [e.size for e in source.list()] == [5, 4]
        assert list(source.read_many(["a.jpg", "b.jpg"])) == [("b.jpg", b"1234")]


def test_one_damaged_member_of_a_zip_does_not_stop_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"apple-apple")
        archive.writestr("b.jpg", b"berry-berry")
    path.write_bytes(path.read_bytes().replace(b"apple-apple", b"apple-APPLE"))
    source = open_source(str(path))
    assert len(source.list()) == 2
    assert list(source.read_many(["a.jpg", "b.jpg"])) == [("b.jpg", b"berry-berry")]


def test_every_truncation_of_an_archive_is_noticed(tmp_path: Path) -> None:
    files = {"a.jpg": os.urandom(700), "b.jpg": os.urandom(10)}
    for name in ("s.tar.gz", "s.zip"):
        make = make_zip if name == "s.zip" else make_tar
        path = Path(make(tmp_path / name, files))
        whole = path.read_bytes()
        for length in range(0, len(whole), 13):
            path.write_bytes(whole[:length])
            with pytest.raises(SourceError, match="cannot be read as an archive"):
                open_source(str(path)).list()


def test_a_plain_tar_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    path = Path(make_tar(tmp_path / "s.tar", {"a.jpg": b"a", "b.jpg": b"b"}, "w:"))
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(SourceError, match="damaged or cut off"):
        open_source(str(path)).list()


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damage_to_an_archive_never_escapes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    kind = data.draw(st.sampled_from([TarSource, ZipSource]))
    path = folder / "fuzz"
    make = make_zip if kind is ZipSource else make_tar
    mode = {} if kind is ZipSource else {"mode": "w:"}
    make(path, {"a.jpg": b"apple", "x/" * 60 + "b.jpg": b"berry"}, **mode)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(damaged), 3000) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    source = kind(path)
    with contextlib.suppress(SourceError):
        paths = [e.path for e in source.list()]
        assert not any(".." in p.split("/") or p.startswith("/") for p in paths)
        list(source.read_many(paths))


@settings(deadline=None)
@given(content=st.binary(max_size=2000))
def test_what_is_no_archive_is_explained(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(content)
    for kind in (TarSource, ZipSource):
        with contextlib.suppress(SourceError):
            assert kind(path).list() == []  # a run of zeros is an empty tar


# ---------------------------------------------------------------- real archives


def test_real_blood_cells(real_data: Path) -> None:
    source = open_source(f"{real_data}/bccd.tar.gz!BCCD/JPEGImages")
    entries = source.list()
    assert len(entries) == 364
    assert entries[0].path == "BloodImage_00000.jpg"
    read = dict(source.read_many(e.path for e in entries))
    assert {p: len(d) for p, d in read.items()} == {e.path: e.size for e in entries}
    assert all(d.startswith(b"\xff\xd8\xff") for d in read.values())


def test_real_crowd_labels(real_data: Path) -> None:
    images = open_source(f"{real_data}/cifar10n.tar.gz!cifar10n/images")
    assert len(images.list()) == 10_000
    labels = open_source(f"{real_data}/cifar10n.tar.gz!cifar10n/annotations.csv")
    assert labels.read("annotations.csv").startswith(b"image,annotator,label")
