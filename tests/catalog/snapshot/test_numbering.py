from __future__ import annotations

import hashlib

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.snapshot.numbering import Numbering, ids_digest

HEX = st.text("0123456789abcdef", min_size=1, max_size=4)
REAL = st.integers(0, 40).map(lambda n: hashlib.sha256(str(n).encode()).hexdigest())


@settings(deadline=None)
@given(
    ids=st.sets(REAL) | st.sets(HEX | st.sampled_from(["é", "it's", "z"])),
    wanted=st.lists(REAL | HEX | st.sampled_from(["", "é", "~"])),
    size=st.integers(1, 4),
)
def test_each_id_has_the_number_of_its_row(ids: set[str], wanted: list[str], size: int) -> None:
    rows = sorted(ids, key=str.encode)
    chunks = [rows[at : at + size] for at in range(0, len(rows), size)]
    numbering = Numbering(pa.chunked_array(chunks, pa.string()))
    expected = [rows.index(i) if i in ids else -1 for i in wanted]
    assert numbering.find(pa.array(wanted, pa.string())).tolist() == expected
    assert numbering.find(pa.chunked_array([rows], pa.string())).tolist() == list(range(len(rows)))


@settings(deadline=None)
@given(ids=st.sets(REAL), prefix=st.text("0123456789abcdef", max_size=2), size=st.integers(1, 4))
def test_a_prefix_names_a_range(ids: set[str], prefix: str, size: int) -> None:
    rows = sorted(ids)
    chunks = [rows[at : at + size] for at in range(0, len(rows), size)]
    found = Numbering(pa.chunked_array(chunks, pa.string())).with_prefix(prefix)
    assert [rows[n] for n in found] == [i for i in rows if i.startswith(prefix)]


@settings(deadline=None)
@given(ids=st.lists(HEX), cut=st.integers(0, 5))
def test_the_digest_is_of_lines_however_they_are_chunked(ids: list[str], cut: int) -> None:
    expected = hashlib.sha256("".join(f"{i}\n" for i in ids).encode()).hexdigest()
    assert ids_digest(pa.chunked_array([ids[:cut], ids[cut:]], pa.string())) == expected
    sliced = pa.array(["before", *ids, "after"], pa.string()).slice(1, len(ids))
    assert ids_digest(pa.chunked_array([sliced])) == expected
