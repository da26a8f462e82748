"""A process that computes for another one: ``python -m cv_pipeline.catalog.worker DESCRIPTOR``.

It receives a function and its argument over an inherited socket and sends the result back, until
the other end is closed: so it never outlives its parent, however that ended.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any


def serve(connection: Connection) -> None:
    """Say that this process is there, and answer calls until the other end is gone."""
    with contextlib.suppress(EOFError, OSError):  # nobody is left to hear an answer
        connection.send(True)
        while True:
            call = connection.recv_bytes()
            connection.send(_answer(call))


def _answer(call: bytes) -> tuple[bool, Any]:
    """Whether a call succeeded, and its result or the traceback."""
    try:
        function, argument = pickle.loads(call)  # noqa: S301 - it comes from the parent
        return True, function(argument)
    except Exception:  # whatever it is, the parent raises it
        return False, traceback.format_exc()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then leaves
    serve(Connection(int(sys.argv[1])))
