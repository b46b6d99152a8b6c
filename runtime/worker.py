"""The worker's jobs: sources that are due, folding of segments, maintenance of the mirror, intake of ledger files."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from kernel import PlatformError
from replica import Lake, LakeBusy, fold_segments
from runtime.clock import CLOCK
from runtime.delivering import Delivering
from runtime.delivery_jobs import delivery_jobs
from runtime.instance import Instance
from runtime.mastering import begin_master
from runtime.mirroring import Mirroring
from runtime.scheduler import Job
from runtime.settings import Settings
from runtime.telling import REMIND_EVERY_S, remind, send_mail
from runtime.tidying import tidy_extracts
from sync import SourceSpec
from usage import UsageBusy, take_in

TIDY_EVERY_S = 3_600.0
MAINTENANCE_AFTER_S = 300.0
"""A worker that starts looks at its sources first: only one of them can write."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Worker:
    """stop         set when the process is told to end: a job ends at its next step
    delivering   plans and sends deliveries; None leaves them to another worker
    """

    instance: Instance
    settings: Settings
    stop: threading.Event
    delivering: Delivering | None = None
    mirroring: Mirroring = field(init=False)
    _looked: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mirroring = Mirroring.of(self.instance, self.settings, CLOCK)

    def jobs(self) -> tuple[Job, ...]:
        every = self.settings.worker
        return (
            Job(name="mirror", every_s=every.look_every_s, run=self.mirror),
            Job(name="fold", every_s=every.fold_every_s, run=self.fold),
            Job(name="maintenance", every_s=every.maintain_every_s, first_s=MAINTENANCE_AFTER_S, run=self.maintain),
            Job(name="intake", every_s=every.intake_every_s, run=self.intake),
            Job(name="tidy", every_s=TIDY_EVERY_S, run=self.tidy),
            Job(name="remind", every_s=REMIND_EVERY_S, run=self.remind),
            Job(name="mail", every_s=self.settings.mail.every_s, run=self.mail),
            *delivery_jobs(self.delivering, self.settings.delivery.look_every_s),
        )

    def tidy(self) -> None:
        """Remove extracts that nobody asks for any more."""
        tidy_extracts(self.instance, self.settings)

    def remind(self) -> None:
        """Tell people of what ends."""
        remind(self.instance, self.settings)

    def mail(self) -> None:
        """Send notices by e-mail, when a mail server is set."""
        send_mail(self.instance, self.settings, self.stop.is_set)

    def mirror(self) -> None:
        """Run the sources that are due."""
        # Opening the lake costs half a second of processor time: only when a source is to be looked at.
        due = self.mirroring.due(self._looked, CLOCK.now())
        begun = [each for each in self.mirroring.registers.mastered if not (self.instance.segments / each).exists()]
        if not due and not begun:
            return
        try:
            with Lake.open(self.instance.lake, self.settings.replica, write=True) as lake:
                for name in begun:
                    dataset = self.mirroring.registers.dataset(name)
                    begin_master(lake, dataset, CLOCK)
                    self.mirroring.refresh(lake, dataset)
                for source in due:
                    if self.stop.is_set():
                        return
                    self._looked[source.name] = CLOCK.now()
                    self._run(source, lake)
        except LakeBusy:
            # Somebody runs `knudepunkt sync`: what is due now is due at the next look too.
            _log.info("lake_busy")

    def fold(self) -> None:
        """Fold deltas into bases, when nobody waits: a publication never does."""
        for dataset in self.mirroring.registers.datasets:
            if not self.stop.is_set():
                fold_segments(dataset, self.instance.segments, self.settings.replica)

    def maintain(self) -> None:
        """Forget what is no longer kept, and give the disk back."""
        if not (self.instance.lake / "catalog.sqlite").exists():
            return
        try:
            with Lake.open(self.instance.lake, self.settings.replica, write=True) as lake:
                _log.info("maintained", **lake.maintain(self.settings.replica).as_dict())
        except LakeBusy:
            # It comes round again, and nothing suffers in the meantime but the disk.
            _log.info("lake_busy")

    def intake(self) -> None:
        """Take sealed ledger files into the usage lake."""
        try:
            taken = take_in(self.instance.ledger, self.instance.usage, clock=CLOCK)
        except UsageBusy:
            return
        for fault in taken.faults:
            _log.error("ledger_fault", file=fault.file, line=fault.line, what=fault.what)
        if taken.events:
            _log.info("ledger_taken_in", files=taken.files, events=taken.events)

    def _run(self, source: SourceSpec, lake: Lake) -> None:
        try:
            report = self.mirroring.run(source, lake)
        except PlatformError as error:
            # One source's trouble must not keep the others from running.
            _log.warning(
                "source_failed", source=source.name, code=error.code, reason=error.message, remedy=error.remedy
            )
            return
        if report.files:
            level = _log.info if report.ok else _log.error
            level("source_run", **report.as_dict())
