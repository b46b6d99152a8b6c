"""The making of one file, in a thread of its own.

It writes a part, which readers follow while it grows; syncs it; gives it its name; and writes the manifest last. The
plan's lock is held from before the first byte until after the manifest, so a free lock without a manifest means that
the maker died.
"""

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import structlog

from extract.ahead import give_back, read_ahead
from extract.delivery.manifest import Manifest
from extract.errors import ExtractBroken, ExtractCancelled, ExtractsClosed, told
from extract.formats import encode
from extract.formats.cpr_records import RecordForm
from extract.formats.record_lines import Records
from extract.place import Place, sync_folder
from extract.plan import ExtractPlan
from extract.turns import Turn
from extract.writeback import Writeback
from kernel import COPENHAGEN, Clock, no_room, says_full

_TELL_EVERY_S: Final = 0.5

_log = structlog.get_logger(__name__)

Scan = Callable[[ExtractPlan], pa.RecordBatchReader]
"""The rows of a plan, in a fixed order, in batches whose sizes do not depend on the moment."""


@dataclass(slots=True)
class Production:
    """lock        the plan's lock, held; closed when the production ends
    turn        taken while writing: bounds how many write at once on the machine
    closing     set when the house closes: the production stops at its next batch
    forms       of the lines that the format cpr is made of
    followers   readers in this process that wait for it
    rows        written until now
    """

    place: Place
    scan: Scan
    clock: Clock
    lock: int
    turn: Turn
    closing: threading.Event
    forms: tuple[RecordForm, ...] = ()
    error: BaseException | None = None
    ended: bool = False
    followers: int = 0
    rows: int = 0
    _told: float = 0.0
    _news: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="extract", daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def check(self) -> None:
        """Raises ExtractBroken when the writing failed, DiskFull when that was why. Cancelled is not failed: who wants
        it begins anew.
        """
        if self.ended and says_full(self.error):
            raise no_room() from self.error
        if self.ended and self.error is not None and not isinstance(self.error, ExtractCancelled):
            raise ExtractBroken(
                "the extract could not be finished", remedy="ask for it again", retry_after_s=5
            ) from self.error

    def wait(self, patience_s: float) -> None:
        """Until there is more to read, or for as long as patience lasts."""
        with self._news:
            if not self.ended:
                self._news.wait(patience_s)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self.turn.wait(self._ensure_wanted)
            self._write()
        except BaseException as raised:
            error = raised
            with contextlib.suppress(OSError):
                # A file that lacks nothing but its manifest would keep its room for days.
                if not self.place.ready:
                    self.place.clear()
            if not isinstance(error, ExtractsClosed | ExtractCancelled):
                _log.error("extract_failed", plan=self.place.plan.id, dataset=self.place.plan.dataset, **told(error))
        finally:
            with contextlib.suppress(OSError):
                self.place.progress.unlink(missing_ok=True)
                self.place.told.unlink(missing_ok=True)
            os.close(self.lock)
            self.turn.end()
            give_back()
            # Last: who hears of the end finds everything cleared away, and can begin anew.
            with self._news:
                self.error, self.ended = error, True
                self._news.notify_all()

    def _write(self) -> None:
        plan, place = self.place.plan, self.place
        digest, size = hashlib.sha256(), 0

        def counted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield batch
                self.rows += batch.num_rows
                self._tell()
                self._ensure_wanted()

        self._ensure_wanted()
        with os.fdopen(place.new_part(), "wb", buffering=0) as file, contextlib.ExitStack() as stack:
            reader = self.scan(plan)
            ahead = stack.enter_context(read_ahead(reader))
            records = Records(self.forms, plan.snapshot, plan.published.astimezone(COPENHAGEN).date())
            texts = encode(plan.format, reader.schema, counted(ahead), plan.compression, plan.dataset, records)
            towards_disk = Writeback(file.fileno())
            # What makes text ends before what it reads from does.
            for piece in stack.enter_context(contextlib.closing(texts)):
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
                digest.update(piece)
                size += len(piece)
                towards_disk.wrote(len(piece))
                with self._news:
                    self._news.notify_all()
            os.fsync(file.fileno())
            moment = plan.published.timestamp()
            os.utime(file.fileno(), (moment, moment))
            place.part.rename(place.file)
            made = Manifest.of(
                plan, rows=self.rows, size_bytes=size, sha256=digest.hexdigest(), created=self.clock.now()
            )
            self._describe(made)

    def _describe(self, manifest: Manifest) -> None:
        place = self.place
        with place.described.open("wb") as text:
            text.write(manifest.to_json())
            text.flush()
            os.fsync(text.fileno())
        place.described.replace(place.manifest)
        sync_folder(place.folder)

    def _tell(self) -> None:
        """Now and then, how far it is."""
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY_S:
            self._told = now
            # Somebody may tidy it away meanwhile, or the disk be full: the file does not fail for that.
            with contextlib.suppress(OSError):
                self.place.told.write_text(str(self.rows))
                self.place.told.replace(self.place.progress)

    def _ensure_wanted(self) -> None:
        """Raises ExtractsClosed, ExtractCancelled."""
        if self.closing.is_set():
            raise ExtractsClosed("the platform is stopping", remedy="ask again in a minute", retry_after_s=30)
        if self.place.unwanted.exists():
            self.place.unwanted.unlink(missing_ok=True)
            if not self.followers and not self.place.followed:
                raise ExtractCancelled("the extract was cancelled", remedy="ask for it again when it is wanted")
