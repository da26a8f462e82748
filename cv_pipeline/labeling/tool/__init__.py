"""Label Studio: a connection to it, what is asked of it, and how its projects are set up."""

from __future__ import annotations
