"""What is left of a connection that has ended: nothing, without the garbage collector."""

import asyncio
import gc
import socket
import time
from typing import Any

from api.protocol import TlsProtocol
from tests.api.house import House, serving

PATHS = (b"/answered", b"/endless", None)
"""A request that is answered, one that is cut in the middle of its answer, and none at all."""


def held() -> int:
    return sum(type(each) is TlsProtocol for each in gc.get_objects())


def test_a_connection_that_ended_leaves_nothing_for_the_collector(house: House) -> None:
    """TLS keeps some 50 kB of each, and the collector comes round to what lived as long after hundreds."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive
        connection = scope["extensions"]["knudepunkt.connection"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while scope["path"] == "/endless" and connection.open:
            await send({"type": "http.response.body", "body": bytes(60_000), "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body"})

    gc.collect()
    gc.disable()
    try:
        with serving(house, app) as (_, port):
            before, most = held(), 0
            for path in PATHS * 4:
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
                    house.context("one").wrap_socket(raw, server_hostname="localhost") as client,
                ):
                    if path is not None:
                        client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
                        assert client.recv(12) == b"HTTP/1.1 200"
                    most = max(most, held())
            deadline = time.monotonic() + 10
            while held() > before and time.monotonic() < deadline:
                time.sleep(0.05)
            assert most > before
            assert held() == before
    finally:
        gc.enable()
