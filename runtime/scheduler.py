"""The worker's clock: runs sources when they are due and takes sealed ledger files into the usage lake.

APScheduler only wakes us. Whether a source is due is decided by `sync` from its schedule and when it was last looked
at; a worker that starts looks at all. Looking twice does no harm: a file is known by its content, and the lake has one
writer.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from kernel import PlatformError
from runtime.beats import Beats

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something that the worker does every so often. It never runs beside itself.

    first_s   how long after the start it runs first, seconds
    """

    name: str
    every_s: float
    run: Callable[[], None]
    first_s: float = 0.0


def work(jobs: tuple[Job, ...], stop: threading.Event, beats: Beats) -> None:
    """Run `jobs` until `stop` is set; a job that runs then is finished first.

    beats   hears of each turn that has ended
    """
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1})
    for job in jobs:
        scheduler.add_job(
            _guarded(job, beats), IntervalTrigger(seconds=job.every_s, timezone=UTC), id=job.name, name=job.name,
            next_run_time=datetime.now(UTC) + timedelta(seconds=job.first_s), misfire_grace_time=None,
        )  # fmt: skip
    scheduler.start()
    try:
        while not stop.wait(1.0):
            # In turns: a handler runs when the main thread wakes, and a signal may have woken another thread.
            pass
    finally:
        scheduler.shutdown(wait=True)


def _guarded(job: Job, beats: Beats) -> Callable[[], None]:
    def run() -> None:
        failed = True
        try:
            job.run()
            failed = False
        except PlatformError as error:
            _log.warning("job_failed", job=job.name, code=error.code, reason=error.message)
        except Exception:
            # The next turn must come: one job's fault may not end the others.
            _log.exception("job_broke", job=job.name)
        beats.ended(job.name, failed=failed)

    return run
