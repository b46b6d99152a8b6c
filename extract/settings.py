"""What an operator may set about handing out in bulk."""

import os
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

MOST_SFTP_PROCESSES: Final = 16
"""That are begun by themselves: they fill any line, and a container's share of a large machine is not to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpSettings:
    """workers          processes that share the port; 0 for two per core of the machine, 16 at most
    connections         at once, in one process
    logins              connections at once that have not proved yet who they are
    address_logins      as many of them from one address, so that one caller does not keep all others out
    attempts            keys that one connection may offer in vain
    login_s             how long a client may take to prove who it is, seconds
    idle_s              a session without a request for this long is closed, seconds
    grace_s             how long running transfers may take when the server stops, seconds
    """

    host: str = "127.0.0.1"
    port: int = 2222
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    connections: int = 100
    logins: int = 20
    address_logins: int = 10
    attempts: int = 6
    login_s: float = 30.0
    idle_s: float = 600.0
    grace_s: float = 25.0

    @property
    def processes(self) -> int:
        """How many there are: a connection stays with the process that took it, by chance, and with one per core a core
        is often idle while two clients share the other.
        """
        return self.workers or min(2 * len(os.sched_getaffinity(0)), MOST_SFTP_PROCESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """keep_days      how long a file lies in IN or OUT before it is cleaned up
    file_mb           the largest file that may be sent, megabytes (10^6 bytes)
    out_mb            how much may lie in one system's OUT, megabytes
    in_mb             how much may lie in one system's IN, megabytes; what comes beyond it waits, or is told its sender
    files             how many names may stand in one system's OUT, and how many parcels in its IN
    legacy_metadata   SFTP users whose metadata files have the root `Trigger` instead of `FileMetadata`
    """

    keep_days: int = 30
    file_mb: int = 2_000
    out_mb: int = 10_000
    in_mb: Annotated[int, Field(ge=1)] = 50_000
    files: int = 5_000
    legacy_metadata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """look_every_s     how often it is looked for deliveries that are due, seconds
    senders          how many are sent at once
    lease_s          how long a worker may be silent about a delivery before another one takes it over, seconds
    first_wait_s     before a failed delivery is tried again, about; then twice as long, and so on
    longest_wait_s   between two attempts, at most
    attempts         in all; a delivery that failed so often waits for somebody
    failures         of one endpoint in a row, after which it is left alone
    rest_s           for how long, seconds
    timeout_s        for each step of sending, seconds
    allow_networks   private networks that deliveries may be sent to, for instance `10.20.0.0/16`
    public_url       where consumers reach this platform, as notices about deliveries say it
    alarm_url        an address of the operator's that hears of deliveries nobody took; empty for none
    """

    look_every_s: float = 5.0
    senders: int = 2
    lease_s: float = 60.0
    first_wait_s: float = 5.0
    longest_wait_s: float = 3600.0
    attempts: int = 40
    failures: int = 5
    rest_s: float = 60.0
    timeout_s: float = 60.0
    allow_networks: tuple[str, ...] = ()
    public_url: str = "https://localhost:8443"
    alarm_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSettings:
    """keep_hours     how long a finished file that is on no shelf is kept after it was last asked for; and how long an
                   extract that was begun can be fetched, hours
    shelf_days     how long a file stays on an agreement's shelf, days; longer while a delivery waits for its receiver
    stall_s        a download whose reader takes nothing for this long is ended, seconds
    productions    files that are written at once, by all processes of the machine; others wait for their turn. One
                   agreement never has all of these places
    shelf_mb       how much one agreement's shelf may hold, megabytes (10^6 bytes); a delivery beyond it waits
    shelf_files    how many files one agreement's shelf may hold
    free_mb        how much stays free on the disk: below it no file is begun and no upload is taken, megabytes
    free_percent   as free_mb, in percent of the disk's size: the larger of the two counts
    """

    keep_hours: float = 72.0
    shelf_days: float = 35.0
    stall_s: float = 60.0
    productions: int = 4
    shelf_mb: Annotated[int, Field(ge=1)] = 500_000
    shelf_files: Annotated[int, Field(ge=1)] = 10_000
    free_mb: Annotated[int, Field(ge=0)] = 1_000
    free_percent: Annotated[float, Field(ge=0, le=50)] = 1.0
