"""The role that hands out extracts over SFTP, and takes in what systems send each other.

Several processes share its socket. They come from one that has loaded everything, holds nothing open and has begun no
thread: what was loaded lies in memory once, and each of them adds what it works with.
"""

import socket
from functools import partial

from control import Policy
from extract import SftpServer
from kernel import Caller, Grant, SystemId
from runtime.clock import CLOCK
from runtime.forking import Forked, settle_memory
from runtime.hall import Hall, open_hall
from runtime.instance import Instance
from runtime.migrated import open_control
from runtime.processes import Parent, follow_lifeline, listening_on, stop_on_signals
from runtime.settings import Settings


def run_sftp(instance: Instance, settings: Settings, handle: int | None, lifeline: int | None = None) -> None:
    """Hand out extracts over SFTP until told to stop, in as many processes as the settings say; on the parent's
    socket, or on one of its own.
    """
    with listening_on(handle, settings.sftp.host, settings.sftp.port) as listening:
        if settings.sftp.processes == 1:
            follow_lifeline(lifeline)
            _serve(instance, settings, listening)
            return
        parent = Parent(instance, settings.sftp.grace_s + 3.0, stop=stop_on_signals(), lifeline=lifeline)
        work = partial(_follow, parent, instance, settings, listening)
        for number in range(settings.sftp.processes):
            parent.add(f"sftp-{number + 1}", partial(Forked, work))
        # Closed again before anything is copied: what is wrong with the instance is told once, by who can end with it.
        open_control(instance, settings).close()
        settle_memory()
        parent.run()


def _follow(parent: Parent, instance: Instance, settings: Settings, listening: socket.socket) -> None:
    follow_lifeline(parent.handed_on())
    _serve(instance, settings, listening)


def _serve(instance: Instance, settings: Settings, listening: socket.socket) -> None:
    stop = stop_on_signals()
    with open_hall(instance, settings, "sftp") as hall:
        sftp_server_of(hall).serve(listening, stop)


def sftp_server_of(hall: Hall) -> SftpServer:
    def policy() -> Policy:
        return hall.watcher.current()

    def authenticate(fingerprint: str) -> Caller:
        return policy().identify_key(fingerprint, CLOCK.now())

    def grants_of(system: SystemId) -> tuple[Grant, ...]:
        return policy().grants_of(system, CLOCK.now())

    return SftpServer(
        host_key=hall.instance.host_key,
        shelf=hall.shelf,
        authenticate=authenticate,
        grants_of=grants_of,
        observe=hall.observe,
        clock=CLOCK,
        settings=hall.settings.sftp,
        exchange=hall.exchange,
        system_of=hall.users.system_of,
    )
