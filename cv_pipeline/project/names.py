"""Names and ranges that several parts of a ``project.yaml`` share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Task = Literal["detection", "classification"]
Severity = Literal["error", "warn"]
SplitName = Literal["train", "val", "test"]
PROJECT_NAME = r"^[a-z][a-z0-9_]{0,62}$"
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
