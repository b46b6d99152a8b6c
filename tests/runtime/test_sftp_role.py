"""The SFTP role as `knudepunkt up` starts it: several processes on one socket, made from one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.founding import found_instance
from runtime.processes import listen
from tests.waiting import eventually


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found_instance(tmp_path_factory.mktemp("sftp") / "i", environment="test").root


@contextmanager
def role(instance: Path, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """The process, its port, and the end of its lifeline that its parent holds."""
    reading, writing = os.pipe()
    with listen("127.0.0.1", 0) as listening:
        handle, port = listening.fileno(), int(listening.getsockname()[1])
        command = [sys.executable, "-P", "-m", "runtime.cli", "sftp", "--instance", str(instance), "--fd", str(handle)]
        process = subprocess.Popen(
            [*command, "--lifeline", str(reading)],
            pass_fds=[handle, reading],
            env=os.environ | {"KNUDEPUNKT_SFTP__WORKERS": str(workers)},
        )
    os.close(reading)
    try:
        yield process, port, writing
    finally:
        with contextlib.suppress(OSError):
            os.close(writing)
        process.terminate()
        process.wait(60)


def children(pid: int) -> set[int]:
    """Of a process, those that run."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.add(int(entry.parent.name))
    return found


def greets(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        return client.recv(4) == b"SSH-"
    return False


def memory(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines)}


def test_its_processes_share_what_is_loaded_and_one_that_is_killed_is_replaced(instance: Path) -> None:
    with role(instance, workers=2) as (parent, port, _):
        eventually(lambda: len(children(parent.pid)) == 2 and greets(port))
        before = children(parent.pid)
        for pid in before:
            # Private is what the process wrote itself: the ledger's, the database's, its threads'.
            sizes = memory(pid)
            assert sizes["Private_Clean"] + sizes["Private_Dirty"] < sizes["Rss"] / 2
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(children(parent.pid) - {victim}) == 2)
        assert before - {victim} < children(parent.pid)
        eventually(lambda: greets(port))
        parent.terminate()
        assert parent.wait(60) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in children(parent.pid) | before)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_ends_with_the_parent_that_started_it(instance: Path, workers: int) -> None:
    with role(instance, workers) as (process, port, lifeline):
        eventually(lambda: greets(port))
        begun = children(process.pid)
        assert len(begun) == (0 if workers == 1 else workers)
        os.close(lifeline)
        assert process.wait(60) == 0
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in begun))
        assert not greets(port)


def test_its_processes_end_when_the_one_that_made_them_is_killed(instance: Path) -> None:
    with role(instance, workers=2) as (parent, port, _):
        eventually(lambda: len(children(parent.pid)) == 2 and greets(port))
        begun = children(parent.pid)
        parent.kill()
        parent.wait(60)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in begun))
