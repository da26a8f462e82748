"""Tables of the investigations in the inspector's database."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Float, ForeignKey, Index, Integer, String, Table, Text

from cv_pipeline.inspector.database import METADATA

INVESTIGATIONS = Table(
    "investigations",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Column("began_by", String(200), nullable=False),
    Column("began_at", DateTime, nullable=False),
    Column("conclusion", Text, nullable=False, default=""),
    Column("closed_by", String(200)),
    Column("closed_at", DateTime),
    Index("investigations_of_project", "project", "began_at"),
)
STEPS = Table(
    "investigation_steps",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("investigation", ForeignKey("investigations.id"), nullable=False, index=True),
    Column("user", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("address", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("elapsed_s", Float, nullable=False),
    Column("clicks", Integer, nullable=False),
    Column("machine_s", Float, nullable=False),
)
COMMENTS = Table(
    "investigation_comments",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("investigation", ForeignKey("investigations.id"), nullable=False, index=True),
    Column("user", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("text", Text, nullable=False),
)
RUNS = Table(
    "investigation_runs",
    METADATA,
    Column("investigation", ForeignKey("investigations.id"), primary_key=True),
    Column("run_id", String(64), primary_key=True, index=True),
    Column("user", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
)
