"""Counters of calls that all processes of a node share: a memory-mapped file of slots of one size.

    control/rates.bin
      header   magic, and which start of the machine the seconds belong to
      slots    68 words of 8 bytes (words.py), found by hash of agreement and purpose with linear probing

Every counter is one aligned word that also says what it counts, so a process that is killed between two words leaves
no nonsense: at worst its last call is counted in one window and not in another. Locks are of the open file (OFD), a
byte per agreement, and end with the process that holds them. Minutes run by the time since the machine started, which
nobody sets back; days and months by the calendar, kept in the file over restarts. After a power cut the last half
minute may be missing, as the machine had not written it yet.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control.errors import LimitsBroken, LimitsUnavailable
from control.limits.words import DAY, MONTH, PAST, WORDS, in_span, number_of
from kernel import full_disk_told

SLOTS: Final = 65_536
_SLOT_BYTES: Final = WORDS * 8
_MAGIC: Final = int.from_bytes(b"KnudLim2", "little")
_FORMER: Final = int.from_bytes(b"KnudLim1", "little")
"""Of files that kept their minutes in another way, and days and months as now."""
_STRIPES: Final = 4_096
_GROWTH: Final = _STRIPES
"""The lock that whoever takes a new slot holds."""
_PATIENCE_S: Final = 0.1
_FORGOTTEN_DAYS: Final = 40


@dataclass(slots=True)
class Slot:
    """A place in the file as a process knows it.

    first, second   its key
    lock            the agreement's lock, as fcntl(2) takes it
    base            its first word, 0 when it is not known yet
    """

    first: int
    second: int
    lock: bytes
    base: int = 0

    @classmethod
    def of(cls, agreement: str, purpose: str = "") -> "Slot":
        first = _hash(agreement)
        return cls(first, _hash(purpose), _range(fcntl.F_WRLCK, first % _STRIPES))


class Table:
    """The file. `words` are read and written by whoever holds the agreement's lock.

    slots   of a file that is made; one that is there has what it has

    Raises LimitsBroken for a file that is none of ours, DiskFull when there is no room for all of it.
    """

    def __init__(self, path: Path, slots: int = SLOTS) -> None:
        self._thread = threading.Lock()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._map, self._slots = self._mapped(path, slots)
            self.words = memoryview(self._map).cast("Q")
            self._begin(path)
        except BaseException:
            os.close(self._handle)
            raise

    def close(self) -> None:
        with self._thread:
            self.words.release()
            self._map.close()
            os.close(self._handle)

    def hold(self, slot: Slot) -> None:
        """Nobody else counts calls of the slot's agreement until `release`. Raises LimitsUnavailable."""
        self._thread.acquire()
        try:
            self._wait(slot.lock)
        except BaseException:
            self._thread.release()
            raise

    def release(self) -> None:
        """Let go of all locks: only one thread of a process has any."""
        fcntl.fcntl(self._handle, fcntl.F_OFD_SETLK, _UNLOCK)
        self._thread.release()

    def find(self, slot: Slot) -> int:
        """The slot's first word, 0 when it has none yet. The agreement's lock is held."""
        words, base = self.words, slot.base
        if base and words[base] == slot.first and words[base + 1] == slot.second:
            return base
        slot.base = 0
        for base in self._probe(slot):
            found = words[base]
            if found == slot.first and words[base + 1] == slot.second:
                slot.base = base
                break
            if not found:
                break
        return slot.base

    def place(self, slot: Slot, today: int) -> int:
        """As `find`, and made when it is not there. Raises LimitsUnavailable when there is no room."""
        base = self.find(slot)
        if not base:
            with self._locked(_GROWTH):
                # Another process may have made it meanwhile.
                base = slot.base = self.find(slot) or self._taken(slot, today)
        return base

    def _taken(self, slot: Slot, today: int) -> int:
        """A new slot, or that of an agreement that nobody has called under for long."""
        words, mine = self.words, slot.first % _STRIPES
        for base in self._probe(slot):
            theirs = words[base] % _STRIPES
            if not words[base]:
                self._write(base, slot, today)
                return base
            if number_of(words[base + DAY]) >= today - _FORGOTTEN_DAYS:
                continue
            if theirs == mine:
                self._write(base, slot, today)
                return base
            try:
                self._lock(fcntl.F_WRLCK, theirs)
            except BlockingIOError:
                continue
            self._write(base, slot, today)
            self._lock(fcntl.F_UNLCK, theirs)
            return base
        raise LimitsUnavailable(
            "there is no room to count calls of another agreement",
            remedy="tell the operator: the file of slots is full",
            retry_after_s=60,
        )

    def _write(self, base: int, slot: Slot, today: int) -> None:
        words = self.words
        # The first word last: with it, others find the slot.
        words[base] = 1
        for place in range(base + MONTH, base + WORDS):
            words[place] = 0
        words[base + DAY] = in_span(0, today, 0)
        words[base + 1] = slot.second
        words[base] = slot.first

    def _probe(self, slot: Slot) -> Iterator[int]:
        start = slot.first ^ slot.second
        for step in range(self._slots):
            # Slot 0 is the header.
            yield ((start + step) % self._slots + 1) * WORDS

    @contextmanager
    def _locked(self, place: int) -> Iterator[None]:
        self._wait(_range(fcntl.F_WRLCK, place))
        try:
            yield
        finally:
            self._lock(fcntl.F_UNLCK, place)

    def _lock(self, kind: int, place: int) -> None:
        fcntl.fcntl(self._handle, fcntl.F_OFD_SETLK, _range(kind, place))

    def _wait(self, lock: bytes) -> None:
        """Raises LimitsUnavailable when the lock is not free in a tenth of a second: its holder was stopped."""
        until = 0.0
        while True:
            try:
                fcntl.fcntl(self._handle, fcntl.F_OFD_SETLK, lock)
            except (BlockingIOError, PermissionError):
                # Either may be told for a lock that another has (fcntl(2)).
                pass
            else:
                return
            until = until or time.monotonic() + _PATIENCE_S
            if time.monotonic() > until:
                raise LimitsUnavailable("another process holds the counter", remedy="call again", retry_after_s=1)
            time.sleep(0.0005)

    def _mapped(self, path: Path, slots: int) -> tuple[mmap.mmap, int]:
        with self._locked(_GROWTH):
            found = os.fstat(self._handle)
            size = found.st_size or (slots + 1) * _SLOT_BYTES
            if size % _SLOT_BYTES or size < 2 * _SLOT_BYTES:
                raise _broken(path)
            if found.st_blocks * 512 < size:
                # No holes: whoever writes into one on a full disk is killed by the operating system (SIGBUS).
                with full_disk_told():
                    os.posix_fallocate(self._handle, 0, size)
            return mmap.mmap(self._handle, size), size // _SLOT_BYTES - 1

    def _begin(self, path: Path) -> None:
        words = self.words
        started = _hash(_boot_id())
        with self._locked(_GROWTH):
            if words[0] not in {0, _FORMER, _MAGIC}:
                raise _broken(path)
            if words[0] == _FORMER or (words[0] and words[1] != started):
                # Seconds of an earlier start say nothing now: the count begins at 0 with the machine.
                for base in range(WORDS, (self._slots + 1) * WORDS, WORDS):
                    if words[base]:
                        for place in range(base + PAST, base + WORDS):
                            words[place] = 0
            words[1], words[0] = started, _MAGIC


def _broken(path: Path) -> LimitsBroken:
    return LimitsBroken(f"{path.name} is no file of counters", remedy="move it away; counting begins anew")


def _range(kind: int, place: int, many: int = 1) -> bytes:
    """struct flock of fcntl(2) for `many` bytes of the file; 0 is all that come."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, place, many, 0)


def _hash(text: str) -> int:
    # Never 0 or 1: a slot without a key is empty, and 1 stands there while it is being made.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") | 2


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


_UNLOCK: Final = _range(fcntl.F_UNLCK, 0, 0)
