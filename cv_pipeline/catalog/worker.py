"""A process that computes for another one: ``python -m cv_pipeline.catalog.worker DESCRIPTOR``.

It receives a function and its argument over an inherited socket and sends the result back, until
the other end is closed: so it never outlives its parent, however that ended.
"""

from __future__ import annotations

import signal
import sys
import traceback
from multiprocessing.connection import Connection


def serve(connection: Connection) -> None:
    """Answer calls until the other end is gone."""
    while True:
        try:
            function, argument = connection.recv()
        except EOFError:
            return
        try:
            answer = (True, function(argument))
        except Exception:  # sent to the parent, which raises it
            answer = (False, traceback.format_exc())
        try:
            connection.send(answer)
        except OSError:  # nobody is left to hear it
            return


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then leaves
    serve(Connection(int(sys.argv[1])))
