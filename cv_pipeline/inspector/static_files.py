"""Static files, below an address that changes with them: a browser keeps them and never asks again.

``/static/@<state>/js/app.js`` is ``js/app.js`` as it was in that state. Modules import each other
by relative addresses, so all of a page are of one state; what asks by an older one, or by none, is
given the file as it is and told to ask again the next time.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
KEPT = "public, max-age=31536000, immutable"
_LOOK_AGAIN = 1.0
_IMPORTED = re.compile(r'^\s*(?:import|export)\b[^"\n]*"(\.{1,2}/[^"]+)"', re.MULTILINE)


class KeptStaticFiles(StaticFiles):
    """Serves the static files."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, by its path or by that below its state."""
        if not path.startswith("@"):
            return await super().get_response(path, scope)
        asked, _, rest = path[1:].partition("/")
        response = await super().get_response(rest, scope)
        if asked == state() and response.status_code in (200, 304):
            response.headers["Cache-Control"] = KEPT
        return response


def static(name: str) -> str:
    """Address of a static file."""
    return f"/static/@{state()}/{name}"


def modules(name: str) -> list[str]:
    """Addresses of the modules that a module imports, and of those that these import."""
    return [static(found) for found in _imports(name, state())]


def state() -> str:
    """What tells the files from how they were before."""
    return _state(int(time.monotonic() / _LOOK_AGAIN))


@lru_cache(maxsize=1)
def _state(_second: int) -> str:
    stamps = [(str(f), s.st_mtime_ns, s.st_size) for f, s in _stats()]
    return hashlib.sha256(repr(stamps).encode()).hexdigest()[:12]


def _stats() -> list[tuple[Path, Any]]:
    return [(f.relative_to(FOLDER), f.stat()) for f in sorted(FOLDER.rglob("*")) if f.is_file()]


@lru_cache(maxsize=128)
def _imports(name: str, _state: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        for relative in _IMPORTED.findall((FOLDER / module).read_text(encoding="utf-8")):
            imported = posixpath.normpath(posixpath.join(posixpath.dirname(module), relative))
            if imported not in found:
                found[imported] = None
                waiting.append(imported)
    return tuple(found)
