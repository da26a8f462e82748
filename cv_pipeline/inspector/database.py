"""The inspector's own state: accounts, sessions, investigations and the like, in one database.

SQLite below ``CV_HOME`` by default; each part declares its tables on :data:`METADATA`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event

METADATA = MetaData()
"""Tables of every part."""


def open_database(home: Path) -> Engine:
    """Open the database of a state folder, and make what it lacks.

    Args:
        home: ``CV_HOME``.
    """
    folder = home / "inspector"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "inspector.db"
    path.touch(mode=0o600)  # what SQLite lays beside it gets the same
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    METADATA.create_all(engine)
    path.chmod(0o600)
    return engine
