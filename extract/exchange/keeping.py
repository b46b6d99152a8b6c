"""Beside the sessions: what a crash interrupted goes on, and what is old is cleaned up."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from extract.errors import told
from extract.exchange.sending import Sending
from kernel import SystemId

_log = structlog.get_logger(__name__)

RESUME_S: Final = 60.0
SWEEP_S: Final = 3_600.0
_DAY_S: Final = 86_400.0


@contextmanager
def keep_house(sending: Sending | None, stop: threading.Event) -> Iterator[None]:
    """Keep the exchange in order while a server runs. What was interrupted before goes on at once."""
    if sending is None:
        yield
        return
    keeper = threading.Thread(target=_keep, args=(sending, stop), name="exchange", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def resume_all(sending: Sending) -> None:
    for system in systems_of(sending):
        try:
            sending.resume(system)
        except Exception as error:
            # One system's trouble must not keep the others from sending; it is tried again.
            _log.error("exchange_not_resumed", system=system, **told(error))


def sweep_all(sending: Sending) -> int:
    keep_s = sending.exchange.settings.keep_days * _DAY_S
    gone = sum(sending.exchange.box(system).sweep(keep_s) for system in systems_of(sending))
    if gone:
        _log.info("exchange_cleaned_up", files=gone)
    return gone


def systems_of(sending: Sending) -> list[SystemId]:
    """Systems that have a box."""
    try:
        return [SystemId(entry.name) for entry in sorted(sending.exchange.root.iterdir()) if entry.is_dir()]
    except FileNotFoundError:
        return []


def _keep(sending: Sending, stop: threading.Event) -> None:
    swept = 0.0
    while True:
        resume_all(sending)
        if not swept or time.monotonic() - swept > SWEEP_S:
            sweep_all(sending)
            swept = time.monotonic()
        if stop.wait(RESUME_S):
            return
