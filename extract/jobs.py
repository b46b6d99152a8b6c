"""Extracts that are asked for now and fetched later.

A job is a small file that names a plan. Whoever makes the plan's file may die: the next look at the job begins it anew,
in whichever process that is, so a job needs nobody to look after it. It is its agreement's own, and ends with its time.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from extract.errors import ExtractCancelled, ExtractJobUnknown, ExtractsClosed, TooManyExtracts
from extract.following import Extract
from extract.place import alone, drafted
from extract.plan import ExtractPlan
from extract.store import ExtractStore
from kernel import AgreementId, Clock, DiskFull, ServiceName, full_disk_told, new_id, says_full

MOST: Final = 20
"""Jobs of one agreement that are not over."""


class Progress(StrEnum):
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """rows_expected   None when it cannot be told beforehand"""

    id: str
    agreement: AgreementId
    plan: ExtractPlan
    rows_expected: int | None
    created: datetime
    expires: datetime
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """rows, size_bytes   written until now, or of the finished file"""

    job: Job
    progress: Progress
    rows: int
    size_bytes: int
    extract: Extract | None = None


_JOB: Final = TypeAdapter(Job)


class Jobs:
    """Jobs in `folder`; several processes share it.

    keep   how long a job, and so its file, can be asked for
    """

    def __init__(self, folder: Path, store: ExtractStore, clock: Clock, keep: timedelta) -> None:
        self._folder, self._store, self._clock, self._keep = folder, store, clock, keep
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self, agreement: AgreementId, plan: ExtractPlan, rows_expected: int | None) -> Job:
        """A job for a plan; the agreement's own one when there is one already. Raises TooManyExtracts, DiskFull."""
        with full_disk_told(), alone(self._folder):
            return self._begun(agreement, plan, rows_expected)

    def _begun(self, agreement: AgreementId, plan: ExtractPlan, rows_expected: int | None) -> Job:
        now = self._clock.now()
        mine = [job for job in self.of(agreement) if not job.cancelled]
        for job in mine:
            if job.plan == plan:
                self._store.open(plan, agreement)
                return job
        if len(mine) >= MOST:
            raise TooManyExtracts(
                f"the agreement has {MOST} extracts on their way or waiting to be fetched",
                remedy="cancel those that nobody needs, or wait until they are over",
                rule="extracts.limit",
                left=0,
                retry_after_s=max(1, int((min(job.expires for job in mine) - now).total_seconds())),
            )
        job = Job(
            id=new_id(), agreement=agreement, plan=plan, rows_expected=rows_expected, created=now,
            expires=now + self._keep,
        )  # fmt: skip
        self._store.open(plan, agreement)
        self._write(job)
        return job

    def of(self, agreement: AgreementId) -> list[Job]:
        """An agreement's jobs that are not over, oldest first."""
        return sorted(
            (job for job in self._live() if job.agreement == agreement), key=lambda job: (job.created, job.id)
        )

    def get(self, agreement: AgreementId, service: ServiceName, name: str) -> Job:
        """Raises ExtractJobUnknown, also for another agreement's or service's."""
        for job in self.of(agreement):
            if job.id == name and job.plan.service == service:
                return job
        raise ExtractJobUnknown(
            "the agreement has no such extract, or not any more",
            remedy="ask for it again; name the same agreement as when it was asked for",
        )

    def look(self, job: Job) -> JobState:
        """How far a job is; one whose maker died, or had no room on the disk, goes on. May block for a moment."""
        if job.cancelled:
            return JobState(job=job, progress=Progress.CANCELLED, rows=0, size_bytes=0)
        found = self._store.find(job.plan)
        if found is None and self._failed(job):
            return JobState(job=job, progress=Progress.FAILED, rows=0, size_bytes=0)
        try:
            extract = found or self._store.open(job.plan, job.agreement)
        except (TooManyExtracts, DiskFull):
            # It was begun before and its maker is gone; a later look begins it anew.
            return JobState(job=job, progress=Progress.RUNNING, rows=0, size_bytes=0)
        if extract.ready:
            made = extract.manifest
            return JobState(
                job=job, progress=Progress.READY, rows=made.rows, size_bytes=made.size_bytes, extract=extract
            )
        rows, size = self._store.progress(job.plan)
        return JobState(job=job, progress=Progress.RUNNING, rows=rows, size_bytes=size)

    def cancel(self, job: Job) -> None:
        """End it. Its making stops when nobody else wants the same file. On a full disk it is forgotten at once: ending
        it must not need the room that it would give back.
        """
        try:
            self._write(replace(job, cancelled=True))
        except DiskFull:
            self._path(job).unlink(missing_ok=True)
        if not any(other.plan.id == job.plan.id and not other.cancelled for other in self._live()):
            self._store.unwant(job.plan)

    def tidy(self) -> int:
        """Remove jobs whose time is over; how many went. What a crash left half written goes when it is as old."""
        gone, limit = 0, (self._clock.now() - self._keep).timestamp()
        for draft in self._folder.glob(".*.part"):
            with contextlib.suppress(FileNotFoundError):
                if draft.stat().st_mtime < limit:
                    draft.unlink()
        for path, job in self._all():
            if job is None or job.expires <= self._clock.now():
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _failed(self, job: Job) -> bool:
        failure = self._store.failure(job.plan)
        # A production that an earlier job had cancelled, or that had no room, is begun anew for this one.
        begun_anew = isinstance(failure, ExtractsClosed | ExtractCancelled) or says_full(failure)
        return failure is not None and not begun_anew

    def _live(self) -> Iterator[Job]:
        now = self._clock.now()
        return (job for _, job in self._all() if job is not None and now < job.expires)

    def _all(self) -> Iterator[tuple[Path, Job | None]]:
        for path in self._folder.glob("[!.]*.json"):
            with contextlib.suppress(FileNotFoundError):
                yield path, _read(path)

    def _path(self, job: Job) -> Path:
        return self._folder / f"{job.id}.json"

    def _write(self, job: Job) -> None:
        """Raises DiskFull."""
        with full_disk_told(), drafted(self._folder / f".{job.id}.part") as draft:
            draft.write_bytes(_JOB.dump_json(job))
            draft.replace(self._path(job))


def _read(path: Path) -> Job | None:
    """None for what another version wrote and this one cannot read."""
    try:
        return _JOB.validate_json(path.read_bytes())
    except ValidationError:
        return None
