"""The parent of `knudepunkt up`: holds the listening sockets, starts a process per role, keeps them alive.

The parent owns the sockets, so a worker that dies takes no waiting connection with it and its successor answers
on the same port. Children watch a pipe from the parent (the lifeline): when the parent is killed, the pipe ends
and they stop by themselves, so that nothing is left behind on the ports.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Protocol

import structlog

from kernel import OperatorMistake
from runtime.files import write_whole
from runtime.instance import Instance

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
_PAUSE_S: Final = 0.2
STEADY_AFTER_S: Final = 20.0
"""A child that lived this long was healthy: its next restart starts from the first pause again."""


class AddressTaken(OperatorMistake):
    code = "address_taken"
    title = "Another program listens there"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that children inherit. Raises AddressTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise AddressTaken(
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy="stop what listens there, or set another port in knudepunkt.toml",
        ) from None
    sock.listen(2048)
    sock.set_inheritable(True)
    return sock


def listening_on(handle: int | None, host: str, port: int) -> socket.socket:
    """The socket that a parent handed on, or one of its own. Raises AddressTaken."""
    return listen(host, port) if handle is None else socket.socket(fileno=handle)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where an instance answers, as (host, port), and in how many processes; written by the parent once the sockets
    are bound.
    """

    api: tuple[str, int]
    sftp: tuple[str, int]
    api_processes: int = 1
    sftp_processes: int = 1

    def __str__(self) -> str:
        api, sftp = _processes(self.api_processes), _processes(self.sftp_processes)
        return f"https port {self.api[1]} ({api}), sftp port {self.sftp[1]} ({sftp})"

    @classmethod
    def of(cls, instance: Instance) -> "Addresses | None":
        """The addresses of a running instance, None when it does not run."""
        if running_parent(instance) is None:
            return None
        try:
            known = json.loads((instance.run / "addresses.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return cls(**known | {"api": tuple(known["api"]), "sftp": tuple(known["sftp"])})

    def write(self, instance: Instance) -> None:
        write_whole(instance.run / "addresses.json", json.dumps(asdict(self)).encode())


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def running_parent(instance: Instance) -> int | None:
    """Process id of the parent that runs this instance, None when none does."""
    try:
        pid = int(instance.pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    try:
        # The file may outlive its process (kill -9) and the number may belong to a stranger by now.
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return pid if b"up" in command and str(instance.root).encode() in command else None


class Running(Protocol):
    """A child, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...

    returncode: int | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...

    def kill(self) -> None: ...


@dataclass(slots=True)
class _Child:
    name: str
    begin: Callable[[], Running]
    process: Running | None = None
    started: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    due: float = 0.0


@dataclass(slots=True)
class Parent:
    """Starts children and keeps them running until `stop` is set, then stops them within `grace_s`.

    lifeline   of this process itself, when it is somebody's child: it stops when that pipe ends. It is looked at here,
               and not by a thread, so that children can be forked
    """

    instance: Instance
    grace_s: float
    stop: threading.Event = field(default_factory=threading.Event)
    lifeline: int | None = None
    _children: list[_Child] = field(default_factory=list)
    _pipe: tuple[int, int] = field(default_factory=os.pipe)

    def add(self, name: str, begin: Callable[[], Running]) -> None:
        """A child that `begin` starts, each time anew."""
        self._children.append(_Child(name, begin))

    def add_verb(self, name: str, *arguments: str, handles: Sequence[int] = ()) -> None:
        """A child that runs `knudepunkt <arguments>` and inherits the file descriptors `handles`."""
        command = [
            sys.executable, "-P", "-m", "runtime.cli", *arguments,
            "--instance", str(self.instance.root), "--lifeline", str(self._pipe[0]),
        ]  # fmt: skip

        def begin() -> Running:
            # A session of its own: Ctrl-C reaches the parent alone, which then stops the children in good order.
            return subprocess.Popen(
                command, pass_fds=(*handles, self._pipe[0]), stdin=subprocess.DEVNULL, start_new_session=True
            )

        self.add(name, begin)

    def handed_on(self) -> int:
        """The lifeline of a child that was forked, for the child to ask for: from then on it ends with its parent."""
        os.close(self._pipe[1])
        return self._pipe[0]

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run until stopped. `ready` is called once, after the first start of every child."""
        for child in self._children:
            self._start(child)
        ready()
        try:
            while not self._over():
                self._revive()
        finally:
            self._stop_all()

    def _over(self) -> bool:
        """Whether to stop, known after a pause at the latest."""
        if self.lifeline is None:
            return self.stop.wait(_PAUSE_S)
        cut = bool(select.select([self.lifeline], [], [], _PAUSE_S)[0])
        return cut or self.stop.is_set()

    def _start(self, child: _Child) -> None:
        child.process = child.begin()
        child.started = time.monotonic()
        _log.info("child_started", child=child.name, pid=child.process.pid)

    def _revive(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                steady = now - child.started > STEADY_AFTER_S
                child.pause_s = FIRST_PAUSE_S if steady else min(child.pause_s * 2, LONGEST_PAUSE_S)
                child.due = now + child.pause_s
                _log.warning("child_ended", child=child.name, code=child.process.returncode, restart_in_s=child.pause_s)
                child.process = None
            if child.process is None and now >= child.due:
                self._start(child)

    def _stop_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.grace_s
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("child_killed", pid=process.pid, after_s=self.grace_s)
                process.kill()
                process.wait()


def follow_lifeline(handle: int | None) -> None:
    """Stop this process, as SIGTERM would, when the parent's end of the pipe closes."""
    if handle is None:
        return

    def watch() -> None:
        os.read(handle, 1)
        # To the main thread, which runs Python's handlers: sent to the process, it may wake another thread only.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; for roles that wait on it."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
