"""A whole dataset over HTTPS with mutual TLS: cold, beside DuckDB's own COPY of the same rows from the same lake; and
the finished file, beside nginx with the same certificates. In turns, in one run.

Cold means that nothing of the extract is there: its file is taken away before each round. The ratio to COPY is one of
rows a second, since our CSV puts texts in quotation marks and so has more bytes; ours goes through TLS to a client that
shares the machine, COPY writes to a file. Ours reads the rows where lookups find them, sorted already (see the decision
on extracts and segments); what an extract costs that only the mirror can give stands beside it (`csv_mirror_...`), and
what one costs that withholds five columns of every fiftieth row (`csv_withheld_...`), of a dataset of its own, beside a
COPY that withholds nothing.
"""

import contextlib
import http.client
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import guarded
from benchmarks.lookup import FLAT, flat_rows
from benchmarks.mixed import deliver, register, sync
from benchmarks.nginx_peer import serving_nginx
from benchmarks.rest import serving
from benchmarks.result import result
from kernel import DatasetId

ROUNDS: Final = 3
READY_ROUNDS: Final = 7
READ_BYTES: Final = 256 * 1024
PATH: Final = "/v1/services/bench-flat-extract/extract?format=csv"
WITHHELD_PATH: Final = f"/v1/services/{guarded.SERVICE}/extract?format=csv&columns={','.join(FLAT.names)}"
MOST_WITHHELD_ROWS: Final = 1_000_000
"""Rows of the dataset that is withheld from: it is loaded beside the other one, and its figures are ratios."""
TARGETS: Final = {
    "csv_first_byte_ms": ("at_most", 300.0),
    "csv_mb_per_s": ("at_least", 100.0),
    "csv_ratio_duckdb_copy": ("at_least", 0.8),
    "ready_ratio_nginx": ("at_least", 0.8),
}
SERVICE: Final = """\
name: bench-flat-extract
uuid: 5a0f4c0e-2d51-4a53-8d53-0f0c6a1d8e11
version: 1.0.0
title: {da: Måling, udtræk, en: "Benchmark, extract"}
description: {da: Rækker til måling., en: Rows to measure with.}
status: production
service_type: extract
integration_type: replica
dataset: bench.flat
sla_class: bulk
""".replace("da: Måling, udtræk,", 'da: "Måling, udtræk",')

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stand:
    """An instance that serves the benchmark's dataset."""

    root: Path
    certificate: Path
    key: Path
    authority: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Cold:
    """first_byte_s   from the request to the first byte of the file, which is of the header
    first_row_s    to the first byte of the first row
    """

    first_byte_s: float
    first_row_s: float
    whole_s: float
    size_bytes: int


def measure(rows: int, *, progress: Tell = lambda _: None) -> dict[str, Any]:
    """The result object for a dataset of `rows` rows."""
    with (
        tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as folder,
        standing(Path(folder), rows, progress) as (
            stand,
            port,
            _,
        ),
    ):
        figures = cold_figures(stand, port, rows, progress)
        figures |= withheld_figures(stand, port, min(rows, MOST_WITHHELD_ROWS), progress)
        figures |= ready_figures(stand, port, Path(folder), progress)
    return result("extract", rows, figures, TARGETS)


@contextmanager
def standing(folder: Path, rows: int, progress: Tell) -> Iterator[tuple[Stand, int, int]]:
    """An instance with `rows` rows, its API running: where it is, its port and its process id."""
    from runtime.demo import set_the_stage

    root = folder / "instance"
    register(root / "registers" / "bench")
    (root / "registers" / "bench" / "bench-flat-extract.service.yaml").write_text(SERVICE, encoding="utf-8")
    guarded.register(root / "registers" / "guarded")
    services = ("bench-flat-extract", guarded.SERVICE)
    stage = set_the_stage(root, persons=100, seed=20310101, tell=progress, services=services)
    progress(f"Mirroring {rows:,} rows")
    deliver(root, "0", flat_rows(rows))
    sync(root)
    with serving(["-P", "-m", "runtime.cli", "api", "--instance", str(root), "--fd"]) as (port, pid):
        for task in Path(f"/proc/{pid}/task").iterdir():
            # It may use the whole machine, as its peers do.
            os.sched_setaffinity(int(task.name), os.sched_getaffinity(0))
        profile = stage.profile
        yield Stand(root, profile.certificate, profile.key, profile.authority), port, pid


def cold_figures(stand: Stand, port: int, rows: int, progress: Tell) -> dict[str, float]:
    cold: list[Cold] = []
    mirror: list[Cold] = []
    copied: list[float] = []
    ordered: list[float] = []
    for number in range(ROUNDS):
        progress(f"Round {number + 1} of {ROUNDS}: a cold extract over HTTPS")
        forget(stand.root)
        cold.append(fetch(stand, port))
        progress(f"Round {number + 1} of {ROUNDS}: the same, from the mirror alone")
        forget(stand.root)
        with without_segments(stand.root):
            mirror.append(fetch(stand, port))
        progress(f"Round {number + 1} of {ROUNDS}: DuckDB's COPY, in any order")
        copied.append(copy(stand.root, ordered=False))
        progress(f"Round {number + 1} of {ROUNDS}: DuckDB's COPY, sorted by key as ours is")
        ordered.append(copy(stand.root, ordered=True))
    whole_s, mirror_s = (statistics.median(each.whole_s for each in fetched) for fetched in (cold, mirror))
    return {
        "csv_first_byte_ms": statistics.median(each.first_byte_s for each in cold) * 1e3,
        "csv_first_row_ms": statistics.median(each.first_row_s for each in cold) * 1e3,
        "csv_mb_per_s": cold[0].size_bytes / whole_s / 1e6,
        "csv_rows_per_s": rows / whole_s,
        "csv_mb": cold[0].size_bytes / 1e6,
        "csv_ratio_duckdb_copy": statistics.median(copied) / whole_s,
        "csv_ratio_duckdb_copy_sorted": statistics.median(ordered) / whole_s,
        "csv_mirror_rows_per_s": rows / mirror_s,
        "csv_mirror_ratio_duckdb_copy": statistics.median(copied) / mirror_s,
        "csv_mirror_ratio_duckdb_copy_sorted": statistics.median(ordered) / mirror_s,
        "duckdb_copy_s": statistics.median(copied),
        "duckdb_copy_sorted_s": statistics.median(ordered),
    }


def withheld_figures(stand: Stand, port: int, rows: int, progress: Tell) -> dict[str, float]:
    """What an extract costs that withholds: from the segments, from the mirror and by COPY, in turns."""
    progress(f"Mirroring {rows:,} rows, some of them protected")
    deliver(stand.root, "0", guarded.guarded_rows(rows), register="guarded")
    sync(stand.root, guarded.SOURCE)
    ours: list[float] = []
    mirror: list[float] = []
    copied: list[float] = []
    for number in range(ROUNDS):
        progress(f"Round {number + 1} of {ROUNDS}: one that withholds, from segments, the mirror, COPY")
        forget(stand.root)
        ours.append(fetch(stand, port, WITHHELD_PATH).whole_s)
        forget(stand.root)
        with without_segments(stand.root, guarded.DATASET):
            mirror.append(fetch(stand, port, WITHHELD_PATH).whole_s)
        copied.append(copy(stand.root, ordered=False, register="guarded"))
    ours_s, mirror_s, copied_s = map(statistics.median, (ours, mirror, copied))
    return {
        "csv_withheld_rows_per_s": rows / ours_s,
        "csv_withheld_ratio_duckdb_copy": copied_s / ours_s,
        "csv_withheld_mirror_rows_per_s": rows / mirror_s,
        "csv_withheld_mirror_ratio_duckdb_copy": copied_s / mirror_s,
    }


def forget(root: Path) -> None:
    """Take away every extract that was made."""
    for place in ("files", "agreements"):
        shutil.rmtree(root / "extracts" / place, ignore_errors=True)
    (root / "extracts" / "files").mkdir(mode=0o700, parents=True)


@contextmanager
def without_segments(root: Path, dataset: DatasetId = FLAT.id) -> Iterator[None]:
    """The dataset's segments laid aside, so that it is read from the mirror, as of an earlier snapshot it would be."""
    aside = (root / "segments" / dataset).rename(root / "segments" / ".aside")
    try:
        yield
    finally:
        aside.rename(root / "segments" / dataset)


def fetch(stand: Stand, port: int, path: str = PATH) -> Cold:
    """Fetch the file over a connection that is open already."""
    connection = http.client.HTTPSConnection("localhost", port, context=stand.context(), timeout=600)
    with contextlib.closing(connection):
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"the extract was refused: {answer.status} {answer.read(2_000)!r}")
        first = answer.read1(READ_BYTES)
        first_byte_s = time.perf_counter() - began
        size, head = len(first), first
        while b"\r\n" not in head or head.endswith(b"\r\n"):
            head = answer.read1(READ_BYTES)
            size += len(head)
            if len(head) > 2:
                break
        first_row_s = time.perf_counter() - began
        buffer = bytearray(READ_BYTES)
        while (read := answer.readinto(buffer)) > 0:
            size += read
        return Cold(first_byte_s, first_row_s, time.perf_counter() - began, size)


def copy(root: Path, *, ordered: bool, register: str = "bench") -> float:
    """Seconds that DuckDB takes to write the same rows as CSV, in a process of its own; opening is not counted."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.copy_peer",
        str(root),
        str(root.parent / "peer.csv"),
        str(int(ordered)),
        register,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def ready_figures(stand: Stand, port: int, folder: Path, progress: Tell) -> dict[str, float]:
    """The finished file, by curl, from ours and from nginx in turns."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None or shutil.which("curl") is None:
        raise RuntimeError("the benchmark needs nginx and curl; see tests/system-packages")
    forget(stand.root)
    fetch(stand, port)
    file = next(path for path in (stand.root / "extracts" / "files").iterdir() if path.suffix == ".csv")
    ours: list[float] = []
    theirs: list[float] = []
    with serving_nginx(nginx, stand.root / "secrets", stand.authority, file, folder) as peer:
        for number in range(READY_ROUNDS):
            progress(f"Round {number + 1} of {READY_ROUNDS}: the finished file, by us and by nginx")
            ours.append(downloaded(stand, f"https://localhost:{port}{PATH}"))
            theirs.append(downloaded(stand, f"https://localhost:{peer}/{file.name}"))
    return {
        "ready_mb_per_s": statistics.median(ours),
        "nginx_mb_per_s": statistics.median(theirs),
        "ready_ratio_nginx": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
    }


def downloaded(stand: Stand, url: str) -> float:
    """Megabytes a second, from the first byte of the answer on."""
    command = [
        "curl", "-sS", "--fail", "-o", "/dev/null", "--cacert", str(stand.authority), "--cert", str(stand.certificate),
        "--key", str(stand.key), "-w", "%{size_download} %{time_starttransfer} %{time_total}", url,
    ]  # fmt: skip
    size, started, ended = map(
        float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    )
    return size / (ended - started) / 1e6
