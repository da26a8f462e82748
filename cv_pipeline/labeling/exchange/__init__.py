"""What goes to the annotation tool and what comes back, with every state of it kept."""

from __future__ import annotations
