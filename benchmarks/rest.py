"""What does a REST lookup over mutual TLS cost the server, with every check, the agreement and the ledger on?

The first figures are of a person with the columns that a caseworker's system asks for; those of a whole person (all
columns, lists and history) and of a small flat row stand beside them. In the same run and in turns: an application
that does nothing behind the same server, so that the machine's and TLS's share can be told from ours. CPU time is
read from /proc for all threads of the server; opening handshakes lie outside the measured time. Latency is measured
at a fixed rate, from when a request was due.
"""

import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from benchmarks.result import result

CONNECTIONS: Final = 16
RATE_PER_S: Final = 300
ROUNDS: Final = 3
COLUMNS: Final = (
    "pnr", "status", "birth_date", "gender", "municipality_code", "address_text", "name", "civil_status", "protections",
)  # fmt: skip
TARGETS: Final = {
    "server_cpu_us_per_request": ("at_most", 300.0),
    "whole_person_server_cpu_us_per_request": ("at_most", 300.0),
    "requests_per_core_second": ("at_least", 5_000.0),
}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running server and what to ask it.

    pids    processes whose CPU time counts
    path    of a lookup
    keys    asked for at random
    columns  asked for; all when empty
    envelope  of SOAP, with {key} where the key belongs; empty for a lookup over REST
    """

    port: int
    pids: tuple[int, ...]
    path: str
    keys: tuple[str, ...]
    certificate: Path
    key: Path
    authority: Path
    columns: tuple[str, ...] = ()
    envelope: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    cpu_us: float
    per_second: float
    p50_ms: float
    p99_ms: float


def measure(persons: int, *, seconds: float = 5.0, progress: Tell = lambda _: None) -> dict[str, Any]:
    """Found an instance with fictitious persons, run its API alone, and measure it.

    seconds   length of each measured round; there are 3 of each kind
    """
    from runtime.demo import set_the_stage

    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as folder, ExitStack() as stack:
        stage = set_the_stage(Path(folder) / "instance", persons=persons, seed=20310101, tell=progress)
        instance, profile = stage.instance, stage.profile
        progress("Starting the API and the reference")
        arguments = ["-P", "-m", "runtime.cli", "api", "--instance", str(instance.root), "--fd"]
        port, pid = stack.enter_context(serving(arguments))
        common: dict[str, Any] = {
            "certificate": profile.certificate, "key": profile.key, "authority": profile.authority,
        }  # fmt: skip
        keys = keys_of(instance.root, "cpr.persons", 2_000)
        whole = Target(port=port, pids=(pid,), path="/v1/services/cpr-persons/lookup", keys=keys, **common)
        flat = Target(
            port=port, pids=(pid,), path="/v1/services/municipalities/lookup",
            keys=keys_of(instance.root, "municipality.municipalities", 98), **common,
        )  # fmt: skip
        bare_arguments = ["-m", "benchmarks.bare", *map(str, instance.server_files()), str(instance.trust)]
        bare_port, bare_pid = stack.enter_context(serving(bare_arguments, last=["567"]))
        bare = Target(port=bare_port, pids=(bare_pid,), path="/", keys=("0" * 10,), **common)
        person = replace(whole, columns=COLUMNS)
        figures = compare(person=person, whole=whole, flat=flat, bare=bare, seconds=seconds, progress=progress)
    return result("rest", stage.persons, figures, TARGETS)


def compare(
    *, person: Target, whole: Target, flat: Target, bare: Target, seconds: float, progress: Tell
) -> dict[str, float]:
    """Figures of running servers: as fast as answers come for the cost, a fixed rate for the latency, in turns."""
    targets = {"person": person, "whole_person": whole, "flat": flat, "bare": bare}
    closed: dict[str, list[Round]] = {name: [] for name in targets}
    paced: dict[str, list[Round]] = {"person": [], "bare": []}
    for number in range(ROUNDS):
        for name, rounds in closed.items():
            progress(f"Round {number + 1} of {ROUNDS}: {name}, as fast as it goes")
            rounds.append(run(targets[name], seconds=seconds))
        for name, rounds in paced.items():
            progress(f"Round {number + 1} of {ROUNDS}: {name}, {RATE_PER_S} a second")
            rounds.append(run(targets[name], seconds=seconds, rate=RATE_PER_S))
    cpu = {name: median(each.cpu_us for each in rounds) for name, rounds in closed.items()}
    figures = {
        "requests_per_core_second": 1e6 / cpu["person"],
        "server_cpu_us_per_request": cpu["person"],
        "p50_ms": median(each.p50_ms for each in paced["person"]),
        "p99_ms": median(each.p99_ms for each in paced["person"]),
        "requests_per_second": median(each.per_second for each in closed["person"]),
        "bare_p50_ms": median(each.p50_ms for each in paced["bare"]),
        "bare_p99_ms": median(each.p99_ms for each in paced["bare"]),
        "cpu_ratio_to_bare": cpu["person"] / cpu["bare"],
    }
    for name in ("whole_person", "flat", "bare"):
        figures[f"{name}_server_cpu_us_per_request"] = cpu[name]
        figures[f"{name}_requests_per_second"] = median(each.per_second for each in closed[name])
    return figures


def run(target: Target, *, seconds: float, rate: float = 0.0) -> Round:
    """One round by a client process of its own. rate: requests a second; 0 for as fast as answers come."""
    with load_client(target, seconds=seconds, rate=rate) as client:
        before = cpu_s(target.pids)
        seen = client.finish()
        used = cpu_s(target.pids) - before
    if seen["failures"] or not seen["answers"]:
        raise RuntimeError(f"{seen['failures']} of {seen['answers'] + seen['failures']} answers were not 200")
    return Round(used / seen["answers"] * 1e6, seen["answers"] / seen["seconds"], seen["p50_ms"], seen["p99_ms"])


@dataclass(frozen=True, slots=True)
class LoadClient:
    """A load client that is running."""

    process: subprocess.Popen[str]
    file: Path

    def finish(self) -> dict[str, Any]:
        """Wait until it is through; gives what it saw."""
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "done\n":
            raise RuntimeError("the load client failed; see its output above")
        seen: dict[str, Any] = json.loads(self.file.read_text())
        return seen

    def stop(self) -> dict[str, Any]:
        """End it now; gives what it saw until now."""
        assert self.process.stdin is not None
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        return self.finish()


@contextmanager
def load_client(target: Target, *, seconds: float, rate: float) -> Iterator[LoadClient]:
    """A client process that asks `target` for `seconds`, or until it is stopped."""
    plan = {
        **{name: str(value) if isinstance(value, Path) else value for name, value in asdict(target).items()},
        "connections": CONNECTIONS, "seconds": seconds, "rate": rate,
    }  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(plan, file)
        file.flush()
        client = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load", file.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with client:
            assert client.stdin is not None
            assert client.stdout is not None
            _pin(client.pid, 1)
            if client.stdout.readline() != "ready\n":
                raise RuntimeError("the load client did not get ready; see its output above")
            client.stdin.write("go\n")
            client.stdin.flush()
            yield LoadClient(client, Path(file.name))


@contextmanager
def serving(arguments: Sequence[str], *, last: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """A server in a process of its own, on a core of its own where there are two: its port and its process id.

    Before `last`, it is given the file descriptor of a listening socket.
    """
    with tempfile.TemporaryFile() as log, ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        handle, port = listening.fileno(), int(listening.getsockname()[1])
        command = [sys.executable, *arguments, str(handle), *last]
        process = subprocess.Popen(command, pass_fds=[handle], stderr=log)
        _pin(process.pid, 0)
        # From here on, only the server holds the socket: when it ends, clients are refused instead of waiting.
        stack.close()
        try:
            _wait_until_answering(process, port, log)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_until_answering(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            # The socket takes connections before anybody answers on it; a handshake needs the server.
            with socket.create_connection(("127.0.0.1", port), timeout=30) as raw, context.wrap_socket(raw):
                return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"the server did not get ready: {log.read().decode(errors='replace')[-2000:]}")


def cpu_s(pids: Sequence[int]) -> float:
    """CPU time of all threads of some processes, seconds."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def _pin(pid: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[core]})


def keys_of(root: Path, dataset: str, most: int) -> tuple[str, ...]:
    """Keys of a dataset, spread over it."""
    from replica import Lake, ReplicaSettings
    from schemas import SHIPPED, load_registers

    found = next(each for each in load_registers(SHIPPED).datasets if each.id == dataset)
    with Lake.open(root / "lake", ReplicaSettings(), write=False) as lake:
        keys = [key for batch in lake.scan(found, columns=[found.key]) for key in batch[0].to_pylist()]
    return tuple(keys[:: max(1, len(keys) // most)][:most])
