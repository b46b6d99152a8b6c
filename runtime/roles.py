"""What each process does between its start and its end."""

import socket
from datetime import datetime

import structlog

from api import make_app, refusals_to_ledger, serve, server_context
from kernel import PlatformError
from replica import Lake, LakeBusy
from runtime.instance import Instance
from runtime.mirroring import Mirroring
from runtime.processes import listen, stop_on_signals
from runtime.scheduler import Job, work
from runtime.settings import Settings
from runtime.wiring import CLOCK, doors_of, open_house, sftp_server_of
from usage import UsageBusy, take_in

_log = structlog.get_logger(__name__)


def run_api(instance: Instance, settings: Settings, handle: int | None) -> None:
    """Answer REST calls until told to stop; on the parent's socket, or on one of its own."""
    with (
        _socket(handle, settings.api.host, settings.api.port) as listening,
        open_house(instance, settings, "api") as house,
    ):
        certificate, key = instance.server_files()
        context = server_context(
            certificate,
            key,
            instance.trust,
            at=CLOCK.now(),
            on_refused=refusals_to_ledger(house.observe, CLOCK),
        )
        serve(make_app(doors_of(house)), listening, context, drain_s=settings.api.drain_s)


def run_sftp(instance: Instance, settings: Settings, handle: int | None) -> None:
    """Hand out extracts over SFTP until told to stop."""
    stop = stop_on_signals()
    with (
        _socket(handle, settings.sftp.host, settings.sftp.port) as listening,
        open_house(instance, settings, "sftp") as house,
    ):
        sftp_server_of(house).serve(listening, stop)


def run_worker(instance: Instance, settings: Settings) -> None:
    """Run what is due and take ledger files in, until told to stop."""
    stop = stop_on_signals()
    mirroring = Mirroring.of(instance, settings, CLOCK)

    looked: dict[str, datetime] = {}

    def mirror() -> None:
        # Opening the lake costs half a second of processor time: only when a source is to be looked at.
        due = mirroring.due(looked, CLOCK.now())
        if not due:
            return
        try:
            with Lake.open(instance.lake, settings.replica, write=True) as lake:
                for source in due:
                    if stop.is_set():
                        return
                    looked[source.name] = CLOCK.now()
                    _run(mirroring, source.name, lake)
        except LakeBusy:
            # Somebody runs `knudepunkt sync`: what is due now is due at the next look too.
            _log.info("lake_busy")

    def intake() -> None:
        try:
            taken = take_in(instance.ledger, instance.usage, clock=CLOCK)
        except UsageBusy:
            return
        for fault in taken.faults:
            _log.error("ledger_fault", file=fault.file, line=fault.line, what=fault.what)
        if taken.events:
            _log.info("ledger_taken_in", files=taken.files, events=taken.events)

    work(
        (
            Job(name="mirror", every_s=settings.worker.look_every_s, run=mirror),
            Job(name="intake", every_s=settings.worker.intake_every_s, run=intake),
        ),
        stop,
    )


def _run(mirroring: Mirroring, name: str, lake: Lake) -> None:
    (source,) = mirroring.named([name])
    try:
        report = mirroring.run(source, lake)
    except PlatformError as error:
        # One source's trouble must not keep the others from running.
        _log.warning("source_failed", source=name, code=error.code, reason=error.message, remedy=error.remedy)
        return
    if report.files:
        level = _log.info if report.ok else _log.error
        level("source_run", **report.as_dict())


def _socket(handle: int | None, host: str, port: int) -> socket.socket:
    return listen(host, port) if handle is None else socket.socket(fileno=handle)
