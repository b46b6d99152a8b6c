"""What does a pass-through add to a direct call? The same request to the same source, both over mutual TLS, in turns.

Added are the platform's TLS, certificate, agreement, counters, breaker, a second connection, and the ledger. The source
is the fictitious one, in a process of its own; its slowness is in both and cancels out. The platform's own account of
the time (`Server-Timing`) stands beside what the clock of the client says.
"""

import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.rest import median, serving
from benchmarks.result import result

Tell = Callable[[str], None]

TARGETS: Final[dict[str, tuple[str, float]]] = {}
"""The design names none: what is added is stated."""
TURN: Final = 50
"""Calls of one kind in a row, so that both meet the same moods of the machine."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Two ways to the same source: straight, and through the platform. Each keeps its connection."""

    direct: http.client.HTTPSConnection
    platform: http.client.HTTPSConnection
    person: str


@contextmanager
def scene(progress: Tell) -> Iterator[Scene]:
    """An instance with its API and the fictitious source, each in a process of its own."""
    from runtime.demo import set_the_stage
    from runtime.demo_source import start_source
    from runtime.environment import settings_of

    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as folder, ExitStack() as stack:
        stage = set_the_stage(
            Path(folder) / "instance", persons=100, seed=20310101, api_port=0, sftp_port=0, tell=progress
        )
        instance, profile = stage.instance, stage.profile
        progress("Starting the source and the API")
        process = start_source(instance)
        if process is not None:
            stack.callback(process.wait)
            stack.callback(process.terminate)
        port, _ = stack.enter_context(
            serving(["-P", "-m", "runtime.cli", "api", "--instance", str(instance.root), "--fd"])
        )
        address = settings_of(instance).live.sources["korsbaek"].url
        ours = ssl.create_default_context(cafile=str(profile.authority))
        ours.load_cert_chain(profile.certificate, profile.key)
        theirs = ssl.create_default_context(cafile=str(profile.authority))
        theirs.load_cert_chain(instance.secrets / "platform.pem", instance.secrets / "platform.key")
        direct = http.client.HTTPSConnection("localhost", int(address.rpartition(":")[2]), context=theirs, timeout=30)
        platform = http.client.HTTPSConnection("localhost", port, context=ours, timeout=30)
        stack.callback(direct.close)
        stack.callback(platform.close)
        person = json.loads((profile.folder / "resident.json").read_text())["pnr"]
        yield Scene(direct, platform, person)


def measure(calls: int, *, progress: Tell = lambda _: None) -> dict[str, Any]:
    """calls   of each kind"""
    with scene(progress) as given:
        body = json.dumps({"pnr": given.person}).encode()
        direct: list[float] = []
        through: list[float] = []
        own: list[float] = []
        for number in range(-1, max(1, calls // TURN)):
            progress(f"Turn {number + 1} of {calls // TURN}")
            straight = [post(given.direct, "/residents", body)[0] for _ in range(TURN)]
            passed = [post(given.platform, "/v1/services/korsbaek-residents/call", body) for _ in range(TURN)]
            if number < 0:
                continue  # connections, pages and caches
            direct += straight
            through += [took for took, _ in passed]
            own += [float(timing["own"]) for _, timing in passed]
    return result("pass_through", calls, figures(direct, through, own), TARGETS)


def figures(direct: list[float], through: list[float], own: list[float]) -> dict[str, float]:
    """Times in milliseconds."""
    return {
        "pass_through_added_p50_ms": median(through) - median(direct),
        "pass_through_added_p99_ms": percentile(through, 0.99) - percentile(direct, 0.99),
        "own_p50_ms": median(own),
        "own_p99_ms": percentile(own, 0.99),
        "direct_p50_ms": median(direct),
        "direct_p99_ms": percentile(direct, 0.99),
    }


def post(connection: http.client.HTTPSConnection, path: str, body: bytes) -> tuple[float, dict[str, str]]:
    """Milliseconds, and what Server-Timing tells. Raises RuntimeError for an answer that is not 200."""
    began = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    document = answer.read()
    took = (time.perf_counter() - began) * 1_000
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {document[:300].decode(errors='replace')}")
    told = answer.getheader("server-timing") or ""
    return took, dict(part.split(";dur=") for part in told.split(", ") if part)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
