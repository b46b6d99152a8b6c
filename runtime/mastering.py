"""The writer of records whose master is the platform: how what the API takes gets into the mirror.

One process at a time holds the lake. Whoever writes here waits for it in a queue of its process, for a bounded time,
and no thread of the API holds more than its own call. One thread takes all that wait, judges each against the record
as it stands after those before it, publishes them in one transaction, and brings the segments up to it, before
anybody is answered.
"""

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
import pyarrow as pa

from integrations import Written
from kernel import Clock, new_id
from replica import QUARANTINE, Delivery, Lake, LakeBusy, Mode, RunRecord, SnapshotInfo, read_past
from schemas import Dataset
from sync import judged_record

PATIENCE_S: Final = 3.0
HELD_S: Final = 1.0
"""How long the lake is held while more comes in: others want it too."""
_LOOK_S: Final = 0.05
_MOST_AT_ONCE: Final = 500

Decide = Callable[[dict[str, Any] | None], dict[str, Any] | None]


@dataclass(slots=True)
class _Job:
    dataset: Dataset
    key: str
    decide: Decide
    future: "Future[Written]" = field(default_factory=Future)


class Master:
    """open_lake   the lake for writing; raises LakeBusy while another process has it
    prepare     lets the lake follow the dataset's contract
    refresh     brings the segments up to the lake
    """

    def __init__(
        self,
        open_lake: Callable[[], AbstractContextManager[Lake]],
        prepare: Callable[[Lake, Dataset], None],
        refresh: Callable[[Lake, Dataset], Any],
        *,
        clock: Clock,
        fictitious_only: bool,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._open_lake, self._prepare, self._refresh = open_lake, prepare, refresh
        self._clock, self._fictitious_only, self._patience_s = clock, fictitious_only, patience_s
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def write(self, dataset: Dataset, key: str, decide: Decide) -> Written:
        """Put one record into the mirror; blocks.

        Raises what `decide` raises, RecordInvalid, LakeBusy.
        """
        job = _Job(dataset, key, decide)
        self._jobs.put(job)
        self._start()
        try:
            return job.future.result(self._patience_s)
        except NotYet:
            if job.future.cancel():
                raise LakeBusy(
                    "the mirror is being written by another process",
                    remedy="send the call again; nothing of it was done",
                    rule="replica.writer",
                    owner="the operator",
                    retry_after_s=5,
                ) from None
            # It is being written: what becomes of it is known in a moment, and nothing else may be said.
            return job.future.result()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="master", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            jobs, ended = [job], False
            try:
                with self._opened(jobs) as lake:
                    until = time.monotonic() + HELD_S
                    while jobs:
                        ended = self._take(jobs) or ended
                        self._publish(lake, jobs)
                        jobs.clear()
                        if time.monotonic() < until and not ended:
                            ended = self._take(jobs)
            except Exception as error:
                for each in jobs:
                    _fail(each, error)
            if ended:
                return

    def _take(self, jobs: list[_Job]) -> bool:
        """Add what waits. Whether it was the last."""
        while len(jobs) < _MOST_AT_ONCE:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return False
            if job is None:
                return True
            jobs.append(job)
        return False

    def _opened(self, jobs: list[_Job]) -> AbstractContextManager[Lake]:
        """The lake, as soon as it is free. Raises LakeBusy when nobody waits any more."""
        while True:
            try:
                return self._open_lake()
            except LakeBusy:
                if all(job.future.cancelled() for job in jobs):
                    raise
                time.sleep(_LOOK_S)

    def _publish(self, lake: Lake, jobs: list[_Job]) -> None:
        by_dataset: dict[str, list[_Job]] = {}
        for job in jobs:
            if job.future.set_running_or_notify_cancel():
                by_dataset.setdefault(job.dataset.id, []).append(job)
        for these in by_dataset.values():
            try:
                self._publish_dataset(lake, these[0].dataset, these)
            except Exception as error:
                for job in these:
                    _fail(job, error)

    def _publish_dataset(self, lake: Lake, dataset: Dataset, jobs: list[_Job]) -> None:
        """One transaction for all of them, in the order in which they came."""
        started = self._clock.now()
        self._prepare(lake, dataset)
        lake.prepare(dataset)
        there = self._current(lake, dataset, [job.key for job in jobs])
        state, rows = dict(there), dict[str, pa.Table]()
        done: list[tuple[_Job, bool]] = []
        for job in jobs:
            before = state.get(job.key)
            try:
                shall = job.decide(before)
                if shall is None:
                    rows.pop(job.key, None)
                    state[job.key] = None
                else:
                    rows[job.key] = judged_record(shall, dataset, lake, fictitious_only=self._fictitious_only)
                    state[job.key] = _plain(rows[job.key].to_pylist()[0])
            except Exception as error:
                _fail(job, error)
            else:
                done.append((job, before is None))
        if not done:
            return
        table = pa.concat_tables([dataset.arrow.empty_table(), *rows.values()])
        gone = pa.array([key for key, row in there.items() if row is not None and state[key] is None], pa.string())
        record = _record(dataset, table, gone, started=started, now=self._clock.now())
        lake.publish(
            dataset,
            Delivery(rows=table, deletes=gone, mode=Mode.DELTA, quarantine=QUARANTINE.empty_table(), run=record),
        )
        self._refresh(lake, dataset)
        info = lake.info(dataset)
        assert info is not None  # noqa: S101  something was published
        for job, created in done:
            job.future.set_result(Written(record=state[job.key], created=created, info=info))

    def _current(self, lake: Lake, dataset: Dataset, keys: list[str]) -> dict[str, dict[str, Any] | None]:
        info: SnapshotInfo | None = lake.info(dataset)
        found = {} if info is None else read_past(lake, dataset, info.snapshot).get_many(keys)[0]
        return {key: _plain(found[key]) if key in found else None for key in keys}


def begin_master(lake: Lake, dataset: Dataset, clock: Clock) -> None:
    """Publish a dataset that nobody has written to yet as what it is: empty, and ready to be looked up in."""
    lake.prepare(dataset)
    if lake.info(dataset) is None:
        now, rows = clock.now(), dataset.arrow.empty_table()
        run = _record(dataset, rows, pa.array([], pa.string()), started=now, now=now)
        lake.publish(dataset, Delivery(rows=rows, mode=Mode.DELTA, quarantine=QUARANTINE.empty_table(), run=run))


def _record(dataset: Dataset, rows: pa.Table, gone: pa.Array, *, started: datetime, now: datetime) -> RunRecord:
    """What the mirror remembers of it, as of any delivery."""
    content = orjson.dumps([rows.to_pylist(), gone.to_pylist()])
    return RunRecord(
        run=new_id(), source=f"{dataset.id}/api", mode=Mode.DELTA, started=started,
        content_sha256=hashlib.sha256(content).hexdigest(), cursor="{}", as_of=now,
        lines_in=rows.num_rows + len(gone), lines_quarantined=0, rows_in=rows.num_rows + len(gone), rows_quarantined=0,
    )  # fmt: skip


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(row, option=orjson.OPT_UTC_Z))
    return plain


def _fail(job: _Job, error: Exception) -> None:
    if not job.future.done():
        job.future.set_exception(error)
