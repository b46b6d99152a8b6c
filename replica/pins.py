"""Pins: what is being read, so that maintenance takes nothing away under a reader.

A pin is a file in the lake's `pins/` that its reader holds by a lock, which the operating system releases however the
reader ends. The gate, a lock of its own, makes one step of "look who reads" and "expire what nobody reads".
"""

import fcntl
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from kernel import SnapshotId, new_id

_LOOK_EVERY_S: Final = 0.02


class Pin:
    """A reader's hold on the lake's files, and on one snapshot where it names one. Released by `with`, `release`, or
    when nobody refers to it any more.
    """

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self._finalizer = weakref.finalize(self, _release, path, handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Twice is once."""
        self._finalizer()


class Pins:
    """The pins of a lake, in `folder`; processes and threads share them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def take(self, snapshot: SnapshotId | None = None) -> Pin:
        """Hold the lake's files as they are now, and a snapshot. Ask afterwards whether the snapshot is still there."""
        name = f"{'any' if snapshot is None else int(snapshot)}-{new_id()}"
        with self._gate(fcntl.LOCK_SH):
            return Pin(self._folder / name)

    @contextmanager
    def closed(self) -> Iterator[frozenset[SnapshotId]]:
        """The snapshots that somebody holds; nobody can take another hold until the block ends."""
        with self._gate(fcntl.LOCK_EX):
            yield frozenset(SnapshotId(int(held)) for name in self._live() if (held := name.partition("-")[0]) != "any")

    def outlive(self, patience_s: float) -> bool:
        """Wait until all that read now have finished; whether they have. Who comes later is not waited for."""
        with self._gate(fcntl.LOCK_EX):
            reading = self._live()
        until = time.monotonic() + patience_s
        while reading:
            with self._gate(fcntl.LOCK_EX):
                reading &= self._live()
            if reading and time.monotonic() > until:
                return False
            if reading:
                time.sleep(_LOOK_EVERY_S)
        return True

    def _live(self) -> set[str]:
        """Names of pins that are held. Those of readers that died are removed."""
        live = set()
        for path in self._folder.iterdir():
            if path.name != _GATE and not _dead(path):
                live.add(path.name)
        return live

    @contextmanager
    def _gate(self, how: int) -> Iterator[None]:
        handle = os.open(self._folder / _GATE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)


_GATE: Final = ".gate"


def _dead(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(handle)


def _release(path: Path, handle: int) -> None:
    path.unlink(missing_ok=True)
    os.close(handle)
