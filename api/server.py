"""The server: uvicorn on a socket that the parent holds, with our protocol and a drain that has an end."""

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn

from api.app import App
from api.protocol import TlsProtocol

KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 2048


class ApiServer(uvicorn.Server):
    """Answers until `stop` is called (from any thread), or SIGTERM or SIGINT comes when it runs in the main thread.

    Then it takes no new connections, finishes running answers and streams for at most `drain_s`, cuts the rest, and
    `run` returns.
    """

    def __init__(self, app: App, listening: socket.socket, context: ssl.SSLContext, *, drain_s: float) -> None:
        self._listening = listening
        super().__init__(
            uvicorn.Config(
                app,
                http=TlsProtocol,
                ws="none",
                loop="uvloop",
                lifespan="auto",
                interface="asgi3",
                ssl_context_factory=lambda *_: context,
                access_log=False,
                log_config=None,
                server_header=False,
                # Behind no proxy: headers that speak for another address are not believed.
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, round(drain_s)),
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        # What is loaded by now lives as long as the process: the collector need not look at it during a request.
        gc.collect()
        gc.freeze()
        super().run(sockets=sockets or [self._listening])

    def stop(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # What is still open had its time. Cut before the loop ends, so that each stream puts its end on record.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0.05)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again: the process still has a ledger to seal."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    app: App,
    listening: socket.socket,
    context: ssl.SSLContext,
    *,
    drain_s: float = 30.0,
    started: Callable[[ApiServer], None] = lambda _: None,
) -> None:
    """Answer on a listening socket until SIGTERM or SIGINT, then drain. Closes the socket.

    drain_s   how long running answers and streams may take to finish, seconds
    started   given the server before it begins, for whoever wants to stop it from another thread
    """
    server = ApiServer(app, listening, context, drain_s=drain_s)
    started(server)
    server.run()
