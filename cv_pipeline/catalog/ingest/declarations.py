"""What a project declares about the files of its source: metadata, tags, times and splits.

It comes from the metadata file, the official split lists and the list of gold images, and is
about paths; :func:`image_facts` and its siblings say what it means for images, of which several
files may be copies. The answers depend on the files and the declarations alone, never on the
order in which either came.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.ingest.csv_table import parse_csv, read_one_file
from cv_pipeline.catalog.ingest.known_files import KnownFiles
from cv_pipeline.catalog.ingest.sidecar import SIDECAR_FILES, SIDECAR_VALUES, Sidecar, parse_sidecar
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.errors import SourceError
from cv_pipeline.project import Project

STRICTNESS = ("test", "val", "train")
"""An image that is put into several splits goes to the first of these."""

SPLIT_ENTRIES = pa.schema(
    [
        # path of the file in the source
        pa.field("path", pa.string(), nullable=False),
        # place of the split in STRICTNESS
        pa.field("rank", pa.int8(), nullable=False),
        # file that says so
        pa.field("file", pa.string(), nullable=False),
        # how it names the image
        pa.field("name", pa.string(), nullable=False),
        # whether it is the list of gold images, which overrule the others
        pa.field("gold", pa.bool_(), nullable=False),
    ]
)

IMAGE_FACTS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # declared capture time; null when none
        pa.field("captured_at", pa.timestamp("us", tz="UTC")),
        # declared split; null when none
        pa.field("split", pa.string()),
    ]
)

IMAGE_VALUES = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # metadata key
        pa.field("key", pa.string(), nullable=False),
        # declared value; null where the cell is empty
        pa.field("value", pa.string()),
    ]
)

IMAGE_TAG_LISTS = pa.schema(
    [
        # an image whose tags are declared
        pa.field("image_id", pa.string(), nullable=False),
        # one of them; null for an image that is declared to have none
        pa.field("tag", pa.string()),
    ]
)

# Of copies of one image, the file with the smallest path that says anything counts.
_FACTS = """
WITH times AS (
    SELECT image_id, arg_min(captured_at, path) AS captured_at
    FROM declared JOIN files USING (path) GROUP BY image_id
), ranks AS (
    SELECT image_id, min(rank) AS rank FROM splits JOIN files USING (path) GROUP BY image_id
)
SELECT image_id, captured_at, rank
FROM (SELECT DISTINCT image_id FROM files)
LEFT JOIN times USING (image_id) LEFT JOIN ranks USING (image_id)
ORDER BY image_id
"""

_VALUES = """
SELECT image_id, key, arg_min(value, path) AS value
FROM declared JOIN files USING (path)
GROUP BY image_id, key ORDER BY image_id, key
"""

_TAGS = """
WITH declared_tags AS (
    SELECT DISTINCT image_id, unnest(CASE WHEN tags = [] THEN [NULL] ELSE tags END) AS tag
    FROM declared JOIN files USING (path) WHERE tags IS NOT NULL
)
FROM declared_tags ORDER BY image_id, tag
"""

_CONFLICTS = """
WITH entries AS (
    SELECT *, min(rank) OVER (PARTITION BY image_id) AS strictest
    FROM splits JOIN files USING (path) WHERE NOT gold
)
SELECT file, name, rank, strictest FROM entries WHERE rank > strictest ORDER BY file, name
"""


@dataclass(frozen=True)
class Declarations:
    """What is declared about files.

    Attributes:
        sidecar: what the metadata file says.
        splits: rows of :data:`SPLIT_ENTRIES`.
        refusals: what could not be used.
    """

    sidecar: Sidecar
    splits: pa.Table
    refusals: list[Refusal]


def read_declarations(project: Project, *, known: KnownFiles) -> Declarations:
    """Read everything that a project declares about its files.

    Args:
        project: whose ``source`` and ``annotations.gold`` name what is read.
        known: the files that it can be about.

    Raises:
        SourceError: a file that the project names is missing or cannot be read at all.
        SettingsError: a name in a path is not set in the environment.
    """
    url = project.source.metadata
    if url is None:
        sidecar = Sidecar(SIDECAR_FILES.empty_table(), SIDECAR_VALUES.empty_table(), [])
    else:
        sidecar = parse_sidecar(read_one_file(url), file=url, known=known)
    entries = [SPLIT_ENTRIES.empty_table(), _sidecar_splits(sidecar, file=url or "")]
    refusals = list(sidecar.refusals)
    for split, name in project.source.splits.items():
        listed, unknown = _entries(_lines(name), split=split, file=name, known=known)
        entries.append(listed)
        refusals += unknown
    if project.annotations.gold is not None:
        name = project.annotations.gold
        gold = parse_csv(read_one_file(name), file=name, required=["image"])
        names = pc.drop_null(pc.unique(gold.rows["image"]))
        listed, unknown = _entries(names, split="test", file=name, known=known, gold=True)
        entries.append(listed)
        refusals += gold.refusals + unknown
    return Declarations(sidecar, pa.concat_tables(entries), refusals)


def image_facts(declarations: Declarations, *, files: pa.Table) -> pa.Table:
    """Declared capture time and split of images.

    Args:
        declarations: what is declared.
        files: columns ``path`` and ``image_id``: the images that are asked for, by their files.

    Returns:
        Rows of :data:`IMAGE_FACTS`, one for each image, sorted.
    """
    relations = {
        "declared": declarations.sidecar.files,
        "splits": declarations.splits,
        "files": files.select(["path", "image_id"]),
    }
    rows = run_sql(_FACTS, relations=relations)
    split = pa.array(STRICTNESS).take(rows["rank"].combine_chunks())
    return pa.table([rows["image_id"], rows["captured_at"], split], names=IMAGE_FACTS.names).cast(
        IMAGE_FACTS
    )


def image_values(declarations: Declarations, *, files: pa.Table) -> pa.Table:
    """Declared metadata of images, as rows of :data:`IMAGE_VALUES`; see :func:`image_facts`."""
    if declarations.sidecar.values.num_rows == 0:
        return IMAGE_VALUES.empty_table()
    relations = {
        "declared": declarations.sidecar.values,
        "files": files.select(["path", "image_id"]),
    }
    return run_sql(_VALUES, relations=relations).cast(IMAGE_VALUES)


def image_tag_lists(declarations: Declarations, *, files: pa.Table) -> pa.Table:
    """Declared tags of images, as rows of :data:`IMAGE_TAG_LISTS`; see :func:`image_facts`."""
    if declarations.sidecar.files.num_rows == 0:
        return IMAGE_TAG_LISTS.empty_table()
    relations = {
        "declared": declarations.sidecar.files,
        "files": files.select(["path", "image_id"]),
    }
    return run_sql(_TAGS, relations=relations).cast(IMAGE_TAG_LISTS)


def split_conflicts(declarations: Declarations, *, files: pa.Table) -> list[Refusal]:
    """Entries that put an image into one split when another puts it into a stricter one."""
    relations = {"splits": declarations.splits, "files": files.select(["path", "image_id"])}
    return [
        Refusal(
            row["file"],
            f"{row['name']}: split",
            "conflicting_split",
            f"{row['name']!r} is put into {STRICTNESS[row['rank']]} here and the same image into"
            f" {STRICTNESS[row['strictest']]} elsewhere, which counts.",
        )
        for row in run_sql(_CONFLICTS, relations=relations).to_pylist()
    ]


def _lines(url: str) -> pa.Array:
    """The distinct lines of a text file, trimmed, without empty ones."""
    try:
        text = read_one_file(url).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{url} is not UTF-8 text.", do="Save it as UTF-8, a name a line.") from (
            error
        )
    lines = dict.fromkeys(line.strip() for line in text.splitlines())
    return pa.array([line for line in lines if line], pa.string())


def _entries(
    names: pa.Array, *, split: str, file: str, known: KnownFiles, gold: bool = False
) -> tuple[pa.Table, list[Refusal]]:
    """Rows of ``SPLIT_ENTRIES`` for the names that mean a file, and refusals of the others."""
    found = known.match(names)
    meant = pc.is_valid(found)
    unknown = [
        Refusal(
            file, name, "unknown_image", f"No image of the source is meant by {name!r} for certain."
        )
        for name in names.filter(pc.invert(meant)).to_pylist()
    ]
    return _split_table(found.filter(meant), names.filter(meant), split, file, gold), unknown


def _sidecar_splits(sidecar: Sidecar, *, file: str) -> pa.Table:
    tables = [SPLIT_ENTRIES.empty_table()]
    for split in STRICTNESS:
        paths = sidecar.files.filter(pc.equal(sidecar.files["split"], split))["path"]
        tables.append(_split_table(paths, paths, split, file, gold=False))
    return pa.concat_tables(tables)


def _split_table(paths: pa.Array, names: pa.Array, split: str, file: str, gold: bool) -> pa.Table:
    def repeated(value: pa.Scalar) -> pa.Array:
        return pa.repeat(value, len(paths))

    rank = pa.scalar(STRICTNESS.index(split), pa.int8())
    columns = [paths, repeated(rank), repeated(pa.scalar(file)), names, repeated(pa.scalar(gold))]
    return pa.table(columns, schema=SPLIT_ENTRIES)
