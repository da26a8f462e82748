"""Run by Label Studio's own Python: serves until whoever started it is gone.

Standard input is a pipe whose other end the starter holds and never writes to: it ends when the
starter does, however that happens, and nothing is left running.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def _end_with_starter() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main() -> None:
    """Serve as ``label-studio`` does with the same arguments."""
    threading.Thread(target=_end_with_starter, daemon=True).start()
    sys.path.pop(0)  # what lies beside this file is no module of Label Studio's
    from label_studio.server import main as serve

    sys.exit(serve())


if __name__ == "__main__":
    main()
