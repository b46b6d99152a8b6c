"""Whose turn it is to write a file, among all processes of the machine.

A production draws a ticket: a small file that it keeps locked, and whose name says since when, for whom, and whether it
waits or is at work. The operating system frees the lock when a process dies, however it dies, so that nobody waits for
the dead.
"""

import contextlib
import fcntl
import hashlib
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from extract.errors import TooManyExtracts
from extract.place import alone, grows
from kernel import AgreementId

MOST_AT_ONCE: Final = 24
"""Files of one agreement that the machine makes, or has waiting to be made. More than the extracts that an agreement
may wait for: those that it gave up end at their next batch."""
_HOUSE: Final = "house"
_LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Ticket:
    """since   nanoseconds of the machine's clock that is not set back
    party   for whom the file is: an agreement, or the house itself
    works   whether it is at work; else it waits
    """

    since: int
    party: str
    id: str
    works: bool

    @property
    def name(self) -> str:
        return f"{self.since:020d}.{self.party}.{self.id}.{'works' if self.works else 'waits'}"

    @classmethod
    def read(cls, name: str) -> "Ticket | None":
        """None for a file that is no ticket."""
        match name.split("."):
            case [since, party, own, ("works" | "waits") as state] if since.isdigit():
                return cls(int(since), party, own, state == "works")
        return None


def next_up(tickets: Iterable[Ticket], places: int) -> list[Ticket]:
    """Which of those that wait may begin. The party that has the fewest at work comes first, then who has waited
    longest; where there are several places, one party never has them all. Pure.
    """
    found = list(tickets)
    working = Counter(each.party for each in found if each.works)
    waiting = sorted((each for each in found if not each.works), key=lambda each: (each.since, each.id))
    most, chosen = max(1, places - 1), list[Ticket]()
    for _ in range(places - working.total()):
        able = [each for each in waiting if working[each.party] < most]
        if not able:
            break
        best = min(able, key=lambda each: working[each.party])
        waiting.remove(best)
        working[best.party] += 1
        chosen.append(best)
    return chosen


class Turn:
    """One production's ticket in its hand."""

    def __init__(self, turns: "Turns", ticket: Ticket, handle: int) -> None:
        self._turns, self.ticket, self._handle = turns, ticket, handle

    def wait(self, ensure_wanted: Callable[[], None]) -> None:
        """Until it may work. Raises what `ensure_wanted` raises, which is asked meanwhile."""
        while not self._turns.begins(self):
            ensure_wanted()
            self._turns.pause()

    def end(self) -> None:
        self._turns.ended(self, self._handle)


class Turns:
    """places   files that are written at once
    folder      of the tickets, the same for all processes
    most        files of one agreement, written or waiting
    look_s      how often a process looks for places that others left, for all who wait in it
    """

    def __init__(self, folder: Path, places: int, most: int = MOST_AT_ONCE, look_s: float = _LOOK_EVERY_S) -> None:
        self._folder, self._places, self._most, self._look_s = folder, max(1, places), most, look_s
        self._waiting: dict[str, Turn] = {}
        self._looked = 0.0
        self._news = threading.Condition()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def draw(self, agreement: AgreementId | None) -> Turn:
        """A ticket for a file of an agreement, None for the house itself. Raises TooManyExtracts."""
        party = _HOUSE if agreement is None else hashlib.sha256(agreement.encode()).hexdigest()[:16]
        ticket = Ticket(time.monotonic_ns(), party, uuid.uuid4().hex, works=False)
        with alone(self._folder):
            live = list(self._live())
            # One agreement must not fill the disk, nor keep all others waiting.
            if agreement is not None and sum(each.party == party for each in live) >= self._most:
                raise TooManyExtracts(
                    f"{self._most} extracts of the agreement are being made already",
                    remedy="wait until some of them are finished", rule="extracts.limit", retry_after_s=30,
                )  # fmt: skip
            if ticket in next_up([*live, ticket], self._places):
                ticket = replace(ticket, works=True)
            handle = os.open(self._folder / ticket.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
        turn = Turn(self, ticket, handle)
        if not ticket.works:
            with self._news:
                self._waiting[ticket.id] = turn
        return turn

    def begins(self, turn: Turn) -> bool:
        """Whether it may work, from now on if not before."""
        if turn.ticket.works:
            return True
        with self._news:
            now = time.monotonic()
            if now < self._looked + self._look_s:
                return False
            # One of all who wait here looks for the others too.
            self._looked = now
        self._look()
        return turn.ticket.works

    def pause(self) -> None:
        """Until something changes in this process, or it is time to look again."""
        with self._news:
            self._news.wait(self._look_s or _LOOK_EVERY_S)

    def ended(self, turn: Turn, handle: int) -> None:
        with self._news:
            self._waiting.pop(turn.ticket.id, None)
        with contextlib.suppress(OSError):
            (self._folder / turn.ticket.name).unlink(missing_ok=True)
        os.close(handle)
        with self._news:
            self._looked = 0.0
            self._news.notify_all()

    def tidy(self) -> None:
        """Take away the tickets of processes that died."""
        with alone(self._folder):
            for _ in self._live():
                pass

    def _look(self) -> None:
        # Without the folder's lock first: most of the time all places are taken.
        if sum(1 for each in self._named() if each.works and self._alive(each)) >= self._places:
            return
        with alone(self._folder):
            for ticket in next_up(self._live(), self._places):
                with self._news:
                    turn = self._waiting.pop(ticket.id, None)
                if turn is not None:
                    works = replace(ticket, works=True)
                    # Whoever gave up meanwhile has taken it away.
                    with contextlib.suppress(FileNotFoundError):
                        (self._folder / ticket.name).rename(self._folder / works.name)
                        turn.ticket = works
        with self._news:
            self._news.notify_all()

    def _live(self) -> Iterator[Ticket]:
        """Tickets in somebody's hand; those of the dead go. For whoever holds the folder's lock."""
        for each in self._named():
            if self._alive(each):
                yield each
            else:
                (self._folder / each.name).unlink(missing_ok=True)

    def _named(self) -> list[Ticket]:
        return [each for path in self._folder.iterdir() if (each := Ticket.read(path.name)) is not None]

    def _alive(self, ticket: Ticket) -> bool:
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(self._folder / ticket.name, os.O_RDONLY)
            try:
                return grows(handle)
            finally:
                os.close(handle)
        return False
