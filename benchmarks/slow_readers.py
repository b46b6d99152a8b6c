"""A thousand readers of one extract, each held to 200 kb/s: do all get their rate, and what do they cost in memory?

Half of them come while the file is not there yet and follow it; the others get the finished file. A reader is kept
when it got at least 95 % of its rate from its question on and was not cut. The clients are a few processes with one
event loop each, which stop reading when they are ahead of their rate, as a slow line does.

python -m benchmarks.slow_readers <plan as JSON>   is one of those processes
"""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import uvloop

from benchmarks.extract import PATH, forget, standing
from benchmarks.result import result

READERS: Final = 1_000
RATE_BYTES_PER_S: Final = 25_000
"""200 kb/s, the slowest line that the platform promises to serve."""
KEPT_SHARE: Final = 0.95
PROCESSES: Final = 2
TARGETS: Final = {"readers_kept": ("at_least", float(READERS)), "server_rss_mb": ("at_most", 400.0)}

Tell = Callable[[str], None]


def measure(
    rows: int, *, readers: int = READERS, seconds: float = 60.0, progress: Tell = lambda _: None
) -> dict[str, Any]:
    """The result object. The file must be larger than a reader takes in the measured time."""
    with (
        tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as folder,
        standing(Path(folder), rows, progress) as (
            stand,
            port,
            pid,
        ),
    ):
        forget(stand.root)
        before = memory(pid)
        plan = {
            "port": port, "seconds": seconds, "rate": RATE_BYTES_PER_S, "readers": readers // PROCESSES,
            "certificate": str(stand.certificate), "key": str(stand.key), "authority": str(stand.authority),
        }  # fmt: skip
        progress(f"Connecting {readers:,} readers")
        command = [sys.executable, "-m", "benchmarks.slow_readers", json.dumps(plan)]
        clients = []
        for _ in range(PROCESSES):
            clients.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            if len(clients) < PROCESSES:
                # The next ones come when the first have begun, and find the file finished.
                line(clients[-1])
                while not any((stand.root / "extracts" / "files").glob("[!.]*.manifest.json")):
                    time.sleep(0.2)
        line(clients[-1])
        progress(f"Reading for {seconds:g} s")
        most = memory(pid)
        while any(client.poll() is None for client in clients):
            time.sleep(0.5)
            now = memory(pid)
            most = {name: max(now.get(name, 0.0), value) for name, value in most.items()}
        seen = [json.loads(line(client)) for client in clients]
    rates = sorted(rate for each in seen for rate in each["rates"])
    figures = {
        "readers_kept": sum(rate >= KEPT_SHARE * RATE_BYTES_PER_S for rate in rates),
        "readers": len(rates),
        "readers_cut": sum(each["cut"] for each in seen),
        "slowest_kb_per_s": rates[0] / 1e3 if rates else 0.0,
        "server_rss_mb": most["VmRSS"],
        "server_anonymous_mb": most["RssAnon"],
        "server_anonymous_before_mb": before["RssAnon"],
        "per_reader_kb": (most["RssAnon"] - before["RssAnon"]) * 1e3 / readers,
    }
    targets = TARGETS | {"readers_kept": ("at_least", float(readers))}
    return result("slow-readers", rows, figures, targets)


def memory(pid: int) -> dict[str, float]:
    """Resident memory of a process, MB: all, and its own alone, without the pages of files."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        raise RuntimeError("the server has ended") from None
    fields = {name: text for name, _, text in (each.partition(":") for each in lines)}
    return {name: int(fields[name].split()[0]) / 1e3 for name in ("VmRSS", "RssAnon")}


def line(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    found = client.stdout.readline()
    if not found:
        raise RuntimeError("a process of readers ended; see its output above")
    return found


class Reader(asyncio.Protocol):
    """Reads an answer, never ahead of its rate."""

    def __init__(self, rate: float) -> None:
        self.transport: asyncio.Transport
        self.received = 0
        self.cut = False
        self._rate, self._began = rate, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._began = time.perf_counter()

    @property
    def rate(self) -> float:
        """Bytes a second since it asked; 0 when it was cut. One that is served in time is always a little ahead."""
        return 0.0 if self.cut else self.received / (time.perf_counter() - self._began)

    def ask(self) -> None:
        self._began, self.received = time.perf_counter(), 0
        self.transport.write(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        ahead_s = self.received / self._rate - (time.perf_counter() - self._began)
        if ahead_s > 0:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(ahead_s, self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.cut = True

    def _go_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()


async def read(plan: dict[str, Any]) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=plan["authority"])
    context.load_cert_chain(plan["certificate"], plan["key"])
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    for number in range(plan["readers"]):
        raw = socket.socket()
        # As little as the system gives: what waits in our own buffers was not held back.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        raw.setblocking(False)
        await loop.sock_connect(raw, ("127.0.0.1", plan["port"]))
        _, reader = await loop.create_connection(
            lambda: Reader(plan["rate"]), sock=raw, ssl=context, server_hostname="localhost"
        )
        reader.ask()
        readers.append(reader)
        if number == 0:
            print("begun", flush=True)
    await asyncio.sleep(plan["seconds"])
    rates = [each.rate for each in readers]
    cut = [each.cut for each in readers]
    for each in readers:
        each.transport.abort()
    return {"rates": rates, "cut": sum(cut)}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(read(json.loads(sys.argv[1])))), flush=True)
