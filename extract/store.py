"""Finished extracts by content, and the making of those that are not there yet.

The first request for a plan starts one production: a thread that writes the file. That request and all others, in this process or another,
follow the growing file and are done when it is. A production runs to its end even when nobody follows any more, since the next
request will want it. A file gets its name when it is whole; a manifest beside it says so.
"""

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import structlog

from extract.delivery.manifest import Manifest
from extract.errors import ExtractBroken, ExtractNotReady
from extract.formats import encode
from extract.plan import ExtractPlan

_log = structlog.get_logger(__name__)

SLICE_BYTES: Final = 256 * 1024
"""Larger pieces slow TLS down, and a reader that stalls holds one of them in memory."""
LOOK_EVERY_S: Final = 0.02

Scan = Callable[[ExtractPlan], pa.RecordBatchReader]


@dataclass(frozen=True, slots=True)
class _Place:
    """The files of one plan."""

    folder: Path
    plan: ExtractPlan

    @property
    def file(self) -> Path:
        return self.folder / f"{self.plan.id}.{self.plan.format}"

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.plan.id}.manifest.json"

    @property
    def part(self) -> Path:
        return self.folder / f".{self.plan.id}.part"

    @property
    def lock(self) -> Path:
        return self.folder / f".{self.plan.id}.lock"


class Extract:
    """One extract: ready, or being made."""

    def __init__(self, place: _Place, production: "_Production | None") -> None:
        self._place, self._production = place, production

    @property
    def plan(self) -> ExtractPlan:
        return self._place.plan

    @property
    def path(self) -> Path:
        """Where the finished file lies."""
        return self._place.file

    @property
    def ready(self) -> bool:
        return self._place.manifest.exists()

    @property
    def manifest(self) -> Manifest:
        """Raises ExtractNotReady while the file is being made."""
        try:
            return Manifest.from_json(self._place.manifest.read_bytes())
        except FileNotFoundError:
            raise ExtractNotReady(
                "the extract is being made", remedy="ask again when the download has finished"
            ) from None

    def chunks(self, start: int = 0, stop: int | None = None) -> Generator[bytes, None, None]:
        """Bytes of the file from `start` up to `stop`, in slices, waiting for what is not written yet.

        Raises ExtractBroken when the production fails: a receiver must never take what it got for whole.
        """
        with self._opened() as handle:
            position = start
            while stop is None or position < stop:
                wanted = SLICE_BYTES if stop is None else min(SLICE_BYTES, stop - position)
                # Asked before the read: what is written before the end is announced is then surely read.
                ended = self._ended(handle)
                piece = os.pread(handle, wanted, position)
                if piece:
                    position += len(piece)
                    yield piece
                elif ended:
                    return
                else:
                    self._wait()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        handle = self._open()
        try:
            yield handle
        finally:
            os.close(handle)

    def _open(self) -> int:
        deadline = time.monotonic() + 10
        while True:
            for path in (self._place.part, self._place.file):
                with contextlib.suppress(FileNotFoundError):
                    return os.open(path, os.O_RDONLY)
            if self._production is not None:
                self._production.check()
            if time.monotonic() > deadline:
                raise ExtractBroken("the extract is not being made", remedy="ask for it again", retry_after_s=1)
            time.sleep(LOOK_EVERY_S)

    def _ended(self, handle: int) -> bool:
        """Whether the file behind `handle` is whole. Raises ExtractBroken when it never will be."""
        if self._production is not None:
            self._production.check()
        # The manifest comes after the file: who has followed to the end can then read both.
        if not self._place.manifest.exists():
            if self._production is None and _free(self._place.lock) and not self._place.manifest.exists():
                raise ExtractBroken(
                    "the process that made the extract ended", remedy="ask for it again", retry_after_s=1
                )
            return False
        if self._place.file.stat().st_ino != os.fstat(handle).st_ino:
            raise ExtractBroken("the extract was made anew", remedy="ask for it again", retry_after_s=1)
        return True

    def _wait(self) -> None:
        if self._production is not None:
            self._production.wait()
        else:
            time.sleep(LOOK_EVERY_S)


@dataclass(slots=True)
class _Production:
    """The writing of one file, in a thread of its own. Holds the plan's lock until it ends."""

    place: _Place
    scan: Scan
    lock: int
    error: BaseException | None = None
    _written: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        threading.Thread(target=self._run, name="extract", daemon=True).start()

    def check(self) -> None:
        """Raises ExtractBroken when the writing failed."""
        if self.error is not None:
            raise ExtractBroken(
                "the extract could not be finished", remedy="ask for it again", retry_after_s=5
            ) from self.error

    def wait(self) -> None:
        with self._written:
            self._written.wait(LOOK_EVERY_S)

    def _run(self) -> None:
        try:
            self._write()
        except BaseException as error:
            self.error = error
            _log.exception("extract_failed", plan=self.place.plan.id, dataset=self.place.plan.dataset)
            self.place.part.unlink(missing_ok=True)
        finally:
            os.close(self.lock)
            with self._written:
                self._written.notify_all()

    def _write(self) -> None:
        plan, part = self.place.plan, self.place.part
        digest, size, rows = hashlib.sha256(), 0, 0

        def counted(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
            nonlocal rows
            for batch in batches:
                rows += batch.num_rows
                yield batch

        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb", buffering=0) as file:
            reader = self.scan(plan)
            for piece in encode(plan.format, reader.schema, counted(reader)):
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
                digest.update(piece)
                size += len(piece)
                with self._written:
                    self._written.notify_all()
            os.fsync(handle)
        part.rename(self.place.file)
        manifest = Manifest.of(plan, rows=rows, size_bytes=size, sha256=digest.hexdigest(), created=datetime.now(UTC))
        draft = self.place.manifest.with_suffix(".part")
        draft.write_bytes(manifest.to_json())
        draft.replace(self.place.manifest)


class ExtractStore:
    """Extracts in `folder`. `scan` reads the rows of a plan."""

    def __init__(self, folder: Path, scan: Scan) -> None:
        self._folder, self._scan = folder, scan
        self._running: dict[str, _Production] = {}
        self._starting = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, plan: ExtractPlan) -> Extract:
        """The extract of a plan; its production is started unless it is there or under way."""
        place = _Place(self._folder, plan)
        if place.manifest.exists():
            return Extract(place, None)
        with self._starting:
            self._running = {name: each for name, each in self._running.items() if not _free(each.place.lock)}
            running = self._running.get(plan.id)
            if running is not None and running.error is None:
                return Extract(place, running)
            lock = _take(place.lock)
            if lock is None:
                return Extract(place, None)
            if place.manifest.exists():
                os.close(lock)
                return Extract(place, None)
            # A file without a manifest was left by a crash between the two; it is made again.
            place.file.unlink(missing_ok=True)
            production = _Production(place, self._scan, lock)
            self._running[plan.id] = production
            production.start()
            return Extract(place, production)

    def find(self, plan: ExtractPlan) -> Extract | None:
        """The extract of a plan when it is finished, without starting anything."""
        place = _Place(self._folder, plan)
        return Extract(place, None) if place.manifest.exists() else None


def _take(path: Path) -> int | None:
    """The lock of a plan, None when another process holds it. The operating system frees it when the holder dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _free(path: Path) -> bool:
    handle = _take(path)
    if handle is not None:
        os.close(handle)
    return handle is not None
