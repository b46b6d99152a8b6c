"""Finished extracts by content, and the making of those that are not there yet.

The first request for a plan starts one production, in a thread of its own that writes the file as fast as the disk
takes it. That request and all others, in this process or another, follow the growing file, each at its own speed,
holding nothing between two slices. A production runs to its end also when nobody follows any more, since the next
request will want it. A file gets its name when it is whole; a manifest beside it says so.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from extract.delivery.manifest import Manifest
from extract.errors import ExtractBroken, ExtractNotReady
from extract.formats import SLICE_BYTES
from extract.formats.cpr_records import RecordForm
from extract.place import Place, grows
from extract.plan import ExtractPlan
from extract.production import Production, Scan
from extract.tidying import tidy
from kernel import Clock, SystemClock

LOOK_EVERY_S: Final = 0.02
_BEGINNINGS: Final = 3
"""How often a reader that has got nothing yet begins again when whoever made the file died."""


class ExtractStore:
    """Extracts in `folder`. Several processes may share one; as a context manager it ends its own productions when it
    closes.

    scan          reads the rows of a plan
    productions   how many files are written at once; others wait for their turn
    forms         of the lines that the format cpr is made of
    """

    def __init__(
        self,
        folder: Path,
        scan: Scan,
        *,
        clock: Clock | None = None,
        productions: int = 4,
        forms: tuple[RecordForm, ...] = (),
    ) -> None:
        self._folder, self._scan, self._clock, self._forms = folder, scan, clock or SystemClock(), forms
        self._turn = threading.BoundedSemaphore(productions)
        self._closing = threading.Event()
        self._running: dict[str, Production] = {}
        self._followed: dict[str, tuple[int, int]] = {}
        self._starting = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

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

    def open(self, plan: ExtractPlan) -> "Extract":
        """The extract of a plan; its production is started unless it is there or under way."""
        place = Place(self._folder, plan)
        if place.ready:
            # So that tidying sees it was used.
            with contextlib.suppress(FileNotFoundError):
                os.utime(place.manifest)
        else:
            # Somebody wants it again.
            place.unwanted.unlink(missing_ok=True)
        return Extract(self, place, self.begin(place))

    def find(self, plan: ExtractPlan) -> "Extract | None":
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

    def begin(self, place: Place) -> Production | None:
        """This process's production of a file, started now or before. None when the file is there or another process
        makes it.
        """
        if place.ready:
            return None
        with self._starting:
            self._running = {name: each for name, each in self._running.items() if not each.ended}
            running = self._running.get(place.plan.id)
            if running is not None:
                return running
            lock = place.take()
            if lock is None:
                return None
            if place.ready:
                os.close(lock)
                return None
            place.clear()
            production = Production(place, self._scan, self._clock, lock, self._turn, self._closing, self._forms)
            self._running[place.plan.id] = production
            production.start()
            return production


class Extract:
    """One extract: ready, or being made."""

    def __init__(self, store: ExtractStore, place: Place, production: Production | None) -> None:
        self._store, self._place, self._production = store, place, production

    @property
    def plan(self) -> ExtractPlan:
        return self._place.plan

    @property
    def path(self) -> Path:
        """Where the finished file lies."""
        return self._place.file

    @property
    def ready(self) -> bool:
        return self._place.ready

    @property
    def manifest(self) -> Manifest:
        """Raises ExtractNotReady while the file is being made."""
        try:
            return Manifest.from_json(self._place.manifest.read_bytes())
        except FileNotFoundError:
            raise ExtractNotReady(
                "the extract is being made", remedy="ask again when the download has finished"
            ) from None

    @property
    def etag(self) -> str | None:
        """Strong (RFC 9110, 8.8.1): the SHA-256 of the bytes, in quotation marks. None while they are being made."""
        return f'"{self.manifest.sha256}"' if self.ready else None

    @property
    def rows(self) -> int | None:
        return self.manifest.rows if self.ready else None

    @property
    def size_bytes(self) -> int | None:
        return self.manifest.size_bytes if self.ready else None

    def chunks(
        self, start: int = 0, stop: int | None = None, slice_bytes: Callable[[], int] = lambda: SLICE_BYTES
    ) -> Iterator[bytes]:
        """Bytes of the file from `start` up to `stop`, in slices of at most what `slice_bytes` says at the moment,
        waiting for what is not written yet.

        Raises ExtractBroken when the production fails or its process dies after the first slice: a receiver must
        never take what it got for whole. Before the first slice, it begins anew.
        """
        for _ in range(_BEGINNINGS):
            try:
                with self._followed():
                    yield from self._follow(start, stop, slice_bytes)
            except _MakerDied as death:
                if death.after_bytes:
                    break
                self._production = self._store.begin(self._place)
            else:
                return
        raise ExtractBroken("the process that made the extract ended", remedy="ask for it again", retry_after_s=1)

    @contextlib.contextmanager
    def _followed(self) -> Iterator[None]:
        """Whoever makes it knows that somebody reads."""
        making = self._production
        if making is None:
            with contextlib.nullcontext() if self.ready else self._store.following(self._place):
                yield
            return
        making.followers += 1
        try:
            yield
        finally:
            making.followers -= 1

    def _follow(self, start: int, stop: int | None, slice_bytes: Callable[[], int]) -> Iterator[bytes]:
        with self._opened() as handle:
            position, ended = start, False
            while stop is None or position < stop:
                wanted = slice_bytes() if stop is None else min(slice_bytes(), stop - position)
                pieces = [os.pread(handle, wanted, position)]
                if pieces[0]:
                    position += len(pieces[0])
                    # Handed over, not kept: a thousand readers that stall here hold nothing.
                    yield pieces.pop()
                elif ended:
                    return
                else:
                    # Then it is read once more: something may have been written between that read and this question.
                    ended = self._ended(handle, position - start)
                    if not ended:
                        self._wait()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        while (handle := self._open()) is None:
            self._ensure_made()
            self._wait()
        try:
            # A part can be a dead maker's: nothing of it is given out.
            self._ended(handle, 0)
            yield handle
        finally:
            os.close(handle)

    def _open(self) -> int | None:
        for path in (self._place.part, self._place.file):
            with contextlib.suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY)
        return None

    def _ended(self, handle: int, given_bytes: int) -> bool:
        """Whether the file behind `handle` is whole. Raises ExtractBroken or _MakerDied when it never will be."""
        if grows(handle):
            return False
        if self._place.ready:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self._place.file.stat(), os.fstat(handle)):
                    return True
        if self._production is not None:
            self._production.check()
            if not self._production.ended:
                return False
        raise _MakerDied(given_bytes)

    def _ensure_made(self) -> None:
        """Raises ExtractBroken when the production failed, _MakerDied when nobody makes the file."""
        if self._production is not None:
            self._production.check()
            at_work = not self._production.ended
        else:
            at_work = self._place.held
        if not at_work and not self._place.ready:
            raise _MakerDied(0)

    def _wait(self) -> None:
        if self._production is not None:
            self._production.wait(LOOK_EVERY_S)
        else:
            time.sleep(LOOK_EVERY_S)


class _MakerDied(Exception):
    """Nobody makes the file, and it is not whole. A reader had got `after_bytes` by then."""

    def __init__(self, after_bytes: int) -> None:
        super().__init__(after_bytes)
        self.after_bytes = after_bytes
