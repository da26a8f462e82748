"""One row per account of the annotation tool, with the name that its labels have here."""

from __future__ import annotations

import pyarrow as pa

TOOL_PEOPLE = pa.schema(
    [
        # id of the account, in the tool
        pa.field("account", pa.int64(), nullable=False),
        # pseudonym: studio-7 for account 7, or what the project's labeling.people makes of it
        pa.field("annotator", pa.string(), nullable=False),
        # whether the tool has the account; null when only the project names it
        pa.field("present", pa.bool_()),
        # when that became so, as far as pushes and pulls saw
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
