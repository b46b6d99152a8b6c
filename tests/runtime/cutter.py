"""A line that breaks: between a client and a server, it is cut after so many bytes from the server."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Cutter:
    """after   bytes from the server that each connection lets through; those beyond the last are never cut"""

    def __init__(self, port: int, after: Sequence[int]) -> None:
        self._port, self.after = port, list(after)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Whoever waits there for the next connection hears of it.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                left = self.after.pop(0) if self.after else None
                threading.Thread(target=self._carry, args=(near, far, None), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, left), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                if left is not None:
                    piece, left = piece[:left], left - len(piece)
                target.sendall(piece)
                if left is not None and left <= 0:
                    self.cuts += 1
                    break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def cutting(port: int, after: Sequence[int]) -> Iterator[Cutter]:
    cutter = Cutter(port, after)
    try:
        yield cutter
    finally:
        cutter.close()
