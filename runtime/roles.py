"""What each process does between its start and its end."""

import socket

from api import LiveTls, TlsFiles, make_app, refusals_to_ledger, serve
from runtime.beats import Beats
from runtime.clock import CLOCK
from runtime.delivering import Delivering, with_deliveries
from runtime.heap import steady_heap
from runtime.instance import Instance
from runtime.politeness import standing_back
from runtime.processes import listen, stop_on_signals
from runtime.scheduler import work
from runtime.settings import Settings
from runtime.watching import with_watching
from runtime.wiring import doors_of, open_house, sftp_server_of
from runtime.worker import Worker


def run_api(instance: Instance, settings: Settings, handle: int | None) -> None:
    """Answer REST calls until told to stop; on the parent's socket, or on one of its own."""
    steady_heap()
    with (
        _socket(handle, settings.api.host, settings.api.port) as listening,
        open_house(instance, settings, "api") as house,
    ):
        files = TlsFiles(*instance.server_files(), trust=instance.trust, crl=instance.crl)
        with LiveTls(files, CLOCK, on_refused=refusals_to_ledger(house.observe, CLOCK)) as tls:
            doors = with_watching(with_deliveries(doors_of(house, tls.trust), house), house, tls.trust)
            serve(make_app(doors), listening, tls.context, drain_s=settings.api.drain_s)


def run_sftp(instance: Instance, settings: Settings, handle: int | None) -> None:
    """Hand out extracts over SFTP until told to stop."""
    stop = stop_on_signals()
    with (
        _socket(handle, settings.sftp.host, settings.sftp.port) as listening,
        open_house(instance, settings, "sftp") as house,
    ):
        sftp_server_of(house).serve(listening, stop)


def run_worker(instance: Instance, settings: Settings) -> None:
    """Run what is due, take ledger files in and keep house, until told to stop."""
    stop = stop_on_signals()
    with standing_back(idle=settings.worker.idle_time), open_house(instance, settings, "worker") as house:
        jobs = Worker(instance, settings, stop, Delivering(house, stop.is_set)).jobs()
        work(jobs, stop, Beats(instance.beats))


def _socket(handle: int | None, host: str, port: int) -> socket.socket:
    return listen(host, port) if handle is None else socket.socket(fileno=handle)
