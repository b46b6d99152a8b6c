"""Finished extracts by content, and the making of those that are not there yet.

The first request for a plan starts one production, in a thread of its own that writes the file as fast as the disk
takes it. That request and all others, in this process or another, follow the growing file, each at its own speed,
holding nothing between two slices. A production runs to its end also when nobody follows any more, since the next
request will want it. A file gets its name when it is whole; a manifest beside it says so.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from extract.following import Extract
from extract.formats.cpr_records import RecordForm
from extract.place import Place
from extract.plan import ExtractPlan
from extract.production import Production, Scan
from extract.tidying import tidy
from extract.turns import Turns
from kernel import NO_FLOOR, AgreementId, Clock, Floor, SystemClock, full_disk_told


class ExtractStore:
    """Extracts in `folder`. Several processes may share one; as a context manager it ends its own productions when it
    closes.

    scan          reads the rows of a plan
    productions   how many files are written at once, by all processes of the machine; others wait for their turn
    forms         of the lines that the format cpr is made of
    floor         what stays free on the disk: below it nothing new is begun
    """

    def __init__(
        self,
        folder: Path,
        scan: Scan,
        *,
        clock: Clock | None = None,
        productions: int = 4,
        forms: tuple[RecordForm, ...] = (),
        floor: Floor = NO_FLOOR,
    ) -> None:
        self._floor = floor
        self._folder, self._scan, self._clock, self._forms = folder, scan, clock or SystemClock(), forms
        self._closing = threading.Event()
        self._running: dict[str, Production] = {}
        self._followed: dict[str, tuple[int, int]] = {}
        self._starting = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._turns = Turns(folder.with_name(f".{folder.name}-turns"), productions)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what is being written, at its next batch: the lake below must not close under it. Its readers get
        ExtractBroken.
        """
        self._closing.set()
        with self._starting:
            running = list(self._running.values())
        for each in running:
            each.join()

    def open(self, plan: ExtractPlan, wanted_by: AgreementId | None = None) -> Extract:
        """The extract of a plan; its production is started unless it is there or under way.

        wanted_by   the agreement that asks for it, None for the house itself. Raises TooManyExtracts, DiskFull.
        """
        place = Place(self._folder, plan)
        if place.ready:
            # So that tidying sees it was used.
            with contextlib.suppress(FileNotFoundError):
                os.utime(place.manifest)
        else:
            # Somebody wants it again.
            place.unwanted.unlink(missing_ok=True)
        return Extract(self, place, self.begin(place, wanted_by))

    def find(self, plan: ExtractPlan) -> Extract | None:
        """The extract of a plan when it is finished, without starting anything."""
        place = Place(self._folder, plan)
        return Extract(self, place, None) if place.ready else None

    def progress(self, plan: ExtractPlan) -> tuple[int, int]:
        """Rows and bytes written until now, by whichever process; 0 and 0 when nobody has begun."""
        place, running = Place(self._folder, plan), self._running.get(plan.id)
        rows, size = running.rows if running is not None else 0, 0
        with contextlib.suppress(FileNotFoundError):
            size = place.part.stat().st_size
        with contextlib.suppress(FileNotFoundError, ValueError):
            rows = max(rows, int(place.progress.read_text()))
        return rows, size

    def failure(self, plan: ExtractPlan) -> BaseException | None:
        """What this process's last try to make it ended with."""
        running = self._running.get(plan.id)
        return running.error if running is not None and running.ended else None

    def unwant(self, plan: ExtractPlan) -> None:
        """Nobody waits for this extract any more: whoever makes it stops, unless somebody follows it."""
        place = Place(self._folder, plan)
        if place.held:
            place.unwanted.touch()

    def tidy(self, before: datetime) -> int:
        """Remove finished extracts that were not used since `before`, are on no shelf and are read by nobody.

        How many went. What a crash left goes too, when it is as old.
        """
        self._turns.tidy()
        return tidy(self._folder, before)

    @contextlib.contextmanager
    def following(self, place: Place) -> Iterator[None]:
        """Another process that makes the file goes on while the block runs, also when the extract is cancelled."""
        name = place.plan.id
        with self._starting:
            many, handle = self._followed.get(name) or (0, place.follow())
            self._followed[name] = many + 1, handle
        try:
            yield
        finally:
            with self._starting:
                many, handle = self._followed.pop(name)
                if many > 1:
                    self._followed[name] = many - 1, handle
                else:
                    os.close(handle)

    def begin(self, place: Place, wanted_by: AgreementId | None = None) -> Production | None:
        """This process's production of a file, started now or before. None when the file is there or another process
        makes it. Raises TooManyExtracts, DiskFull.
        """
        if place.ready:
            return None
        with self._starting:
            self._running = {name: each for name, each in self._running.items() if not each.ended}
            running = self._running.get(place.plan.id)
            if running is not None:
                return running
            with full_disk_told():
                lock = place.take()
            if lock is None:
                return None
            if place.ready:
                os.close(lock)
                return None
            with full_disk_told(), contextlib.ExitStack() as undone:
                undone.callback(os.close, lock)
                # What a crash left is room too.
                place.clear()
                self._floor.ensure(self._folder)
                turn = self._turns.draw(wanted_by)
                undone.callback(turn.end)
                production = Production(place, self._scan, self._clock, lock, turn, self._closing, self._forms)
                production.start()
                undone.pop_all()
            self._running[place.plan.id] = production
            return production
