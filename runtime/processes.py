"""The parent of `knudepunkt up`: holds the listening sockets, starts a process per role, keeps them alive.

The parent owns the sockets, so a worker that dies takes no waiting connection with it and its successor answers
on the same port. Children watch a pipe from the parent (the lifeline): when the parent is killed, the pipe ends
and they stop by themselves, so that nothing is left behind on the ports.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from kernel import OperatorMistake
from runtime.files import write_whole
from runtime.instance import Instance

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
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


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where an instance answers, as (host, port); written by the parent once the sockets are bound."""

    api: tuple[str, int]
    sftp: tuple[str, int]

    @classmethod
    def of(cls, instance: Instance) -> "Addresses | None":
        """The addresses of a running instance, None when it does not run."""
        if running_parent(instance) is None:
            return None
        try:
            known = json.loads((instance.run / "addresses.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return cls(api=tuple(known["api"]), sftp=tuple(known["sftp"]))

    def write(self, instance: Instance) -> None:
        write_whole(instance.run / "addresses.json", json.dumps({"api": self.api, "sftp": self.sftp}).encode())


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


@dataclass(slots=True)
class _Child:
    name: str
    arguments: tuple[str, ...]
    handles: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    due: float = 0.0


@dataclass(slots=True)
class Parent:
    """Starts children and keeps them running until `stop` is set, then stops them within `grace_s`."""

    instance: Instance
    grace_s: float
    stop: threading.Event = field(default_factory=threading.Event)
    _children: list[_Child] = field(default_factory=list)
    _lifeline: tuple[int, int] = field(default_factory=os.pipe)

    def add(self, name: str, *arguments: str, handles: Sequence[int] = ()) -> None:
        """A child that runs `knudepunkt <arguments>` and inherits the file descriptors `handles`."""
        self._children.append(_Child(name, arguments, tuple(handles)))

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run until stopped. `ready` is called once, after the first start of every child."""
        for child in self._children:
            self._start(child)
        ready()
        try:
            while not self.stop.wait(0.2):
                self._revive()
        finally:
            self._stop_all()

    def _start(self, child: _Child) -> None:
        lifeline = self._lifeline[0]
        command = [
            sys.executable, "-P", "-m", "runtime.cli", *child.arguments,
            "--instance", str(self.instance.root), "--lifeline", str(lifeline),
        ]  # fmt: skip
        # A session of its own: Ctrl-C reaches the parent alone, which then stops the children in good order.
        child.process = subprocess.Popen(
            command, pass_fds=(*child.handles, lifeline), stdin=subprocess.DEVNULL, start_new_session=True
        )
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
