"""A proxy between us and a server that cuts or keeps back an answer, when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_METHODS = (b"GET ", b"POST ", b"PATCH ", b"DELETE ")


class CuttingProxy:
    """Forwards connections; an answer is cut after so many bytes when :attr:`cut` says so.

    Attributes:
        cut: bytes of the next answers that get through; None for all.
        times: how many answers are still to be cut.
        hold: how many requests with a text in their first line are answered until an answer is kept
            back, and that text; None for never.
        held: set once the server gave that answer, which nobody will ever see.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.cut: int | None = None
        self.times = 0
        self.hold: tuple[int, bytes] | None = None
        self.held = threading.Event()
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        target = ("127.0.0.1", self._target)
        with contextlib.suppress(OSError), client, socket.create_connection(target) as server:
            threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
            self._answer(server, client)

    def _ask(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if data.startswith(_METHODS):
                    self.requests.append(data.partition(b"\r\n")[0])
                target.sendall(data)

    def _is_held(self) -> bool:
        if self.hold is None:
            return False
        number, text = self.hold
        return sum(text in line for line in self.requests) > number

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        while data := server.recv(65536):
            if self._is_held():
                self.held.set()
                continue
            if self.cut is not None and self.times > 0 and sent + len(data) > self.cut:
                self.times -= 1
                client.sendall(data[: max(0, self.cut - sent)])
                client.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(data)
            sent += len(data)


@contextlib.contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    """A proxy to a port, as long as it is needed."""
    proxy = CuttingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
