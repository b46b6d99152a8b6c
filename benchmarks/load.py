"""A load client for one HTTPS server: kept connections with a client certificate, no pipelining, raw protocol.

Run by benchmarks/rest.py in a process of its own. It connects, warms up, says `ready`, waits for a line, runs, and
leaves its figures, as JSON, in the file that its orders came in.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import uvloop


@dataclass(slots=True)
class Tally:
    """latencies_ms   from when a request was due, not from when it could be sent"""

    answers: int = 0
    failures: int = 0
    latencies_ms: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One request at a time; `done` is called with whether the answer was 200."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._waiting: asyncio.Future[bool] | None = None
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._received.find(b"content-length: ", 0, head) + 16
        length = int(self._received[at : self._received.index(b"\r", at)])
        if len(self._received) >= head + 4 + length and self._waiting is not None:
            good = self._received.startswith(b"HTTP/1.1 200 ")
            self._received.clear()
            self._waiting.set_result(good)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("closed"))

    async def ask(self, request: bytes) -> bool:
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._waiting


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=plan["authority"])
    context.load_cert_chain(plan["certificate"], plan["key"])
    loop = asyncio.get_running_loop()
    connections: list[Connection] = []
    for _ in range(plan["connections"]):
        _, connection = await loop.create_connection(
            Connection, "127.0.0.1", plan["port"], ssl=context, server_hostname="localhost"
        )
        connections.append(connection)
    requests = [request_of(plan, key) for key in plan["keys"]]
    await closed_loop(connections, requests, 0.3)
    print("ready", flush=True)
    sys.stdin.readline()
    stopped = asyncio.Event()
    # A second line, or the parent's end, stops it before its time.
    loop.add_reader(sys.stdin.fileno(), stopped.set)
    began = time.perf_counter()
    rate = plan["rate"]
    tally = await (
        open_loop(connections, requests, plan["seconds"], rate, stopped)
        if rate
        else closed_loop(connections, requests, plan["seconds"])
    )
    took = time.perf_counter() - began
    for connection in connections:
        connection.transport.abort()
    tally.latencies_ms.sort()
    return {
        "answers": tally.answers,
        "failures": tally.failures,
        "seconds": took,
        "p50_ms": at_share(tally.latencies_ms, 0.50),
        "p99_ms": at_share(tally.latencies_ms, 0.99),
        "latencies_ms": tally.latencies_ms,
    }


async def closed_loop(connections: list[Connection], requests: list[bytes], seconds: float) -> Tally:
    """Each connection asks again as soon as it has its answer."""
    tally, ends = Tally(), time.perf_counter() + seconds

    async def keep_asking(connection: Connection) -> None:
        while (due := time.perf_counter()) < ends:
            await one(connection, requests, due, tally)

    await asyncio.gather(*map(keep_asking, connections))
    return tally


async def open_loop(
    connections: list[Connection], requests: list[bytes], seconds: float, rate: float, stopped: asyncio.Event
) -> Tally:
    """Requests are due at a fixed rate, whether or not the server keeps up; waiting for a free connection counts."""
    tally, began = Tally(), time.perf_counter()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    running: set[asyncio.Task[None]] = set()

    async def ask_when_free(due: float) -> None:
        connection = await free.get()
        await one(connection, requests, due, tally)
        free.put_nowait(connection)

    for number in range(int(seconds * rate)):
        due = began + number / rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        if stopped.is_set():
            break
        task = asyncio.ensure_future(ask_when_free(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return tally


async def one(connection: Connection, requests: list[bytes], due: float, tally: Tally) -> None:
    good = await connection.ask(random.choice(requests))
    tally.latencies_ms.append((time.perf_counter() - due) * 1e3)
    tally.answers += good
    tally.failures += not good


def request_of(plan: dict[str, Any], key: str) -> bytes:
    if plan["envelope"]:
        body, kind = str(plan["envelope"]).replace("{key}", key).encode(), "text/xml; charset=utf-8"
    else:
        asked = {"key": key} | ({"columns": plan["columns"]} if plan["columns"] else {})
        body, kind = json.dumps(asked).encode(), "application/json"
    head = (
        f"POST {plan['path']} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def at_share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    file = Path(sys.argv[1])
    seen = uvloop.run(run(json.loads(file.read_text())))
    # In the file that its orders came in: every latency of a long round is more than a pipe should hold.
    file.write_text(json.dumps(seen))
    print("done", flush=True)
