"""The part of the house that every process has that answers: who may do what, the ledger, the shelves, the exchange.

It reads no registers and opens no mirror: an SFTP server has the hall, and none of the rooms behind it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

from control import ControlStore, PolicyWatcher
from extract import Database, Exchange, Shelf
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_patience import Patience
from kernel import Observation, Observe
from runtime.clock import CLOCK
from runtime.exchange import AddressBook
from runtime.fetched import noticed
from runtime.instance import Instance
from runtime.logs import write_log
from runtime.migrated import open_control
from runtime.room import floor_of, shelf_of
from runtime.settings import Settings
from runtime.trials import TrialRecorder
from usage import Ledger

Role = Literal["api", "sftp", "worker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """`observe` returns when a fact is in the ledger."""

    instance: Instance
    settings: Settings
    control: ControlStore
    watcher: PolicyWatcher
    observe: Observe
    shelf: Shelf
    exchange: Exchange
    users: AddressBook


@contextmanager
def open_hall(instance: Instance, settings: Settings, role: Role) -> Iterator[Hall]:
    """Open it in order, and close it in the other order: the ledger last, so that it hears everything."""
    with (
        Ledger(
            instance.ledger, role=role, subject_key=instance.subject_key(), clock=CLOCK, settings=settings.usage
        ) as ledger,
        open_control(instance, settings) as control,
        PolicyWatcher(control) as watcher,
        _trials_of(control, watcher) as trials,
    ):
        users = AddressBook(control, lambda: watcher.current().version)
        # For hearing of what was fetched; who sends has one with the patience of the settings.
        outbox = Outbox(Database(control.reading, control.noting), CLOCK, Patience())
        yield Hall(
            instance=instance,
            settings=settings,
            control=control,
            watcher=watcher,
            observe=partial(_observe, ledger, outbox, trials),
            shelf=shelf_of(instance, settings, outbox.book),
            exchange=Exchange(instance.exchange, users.user_of, CLOCK, settings.exchange, floor_of(settings)),
            users=users,
        )


def _trials_of(control: ControlStore, watcher: PolicyWatcher) -> AbstractContextManager[TrialRecorder | None]:
    """In production nothing is tried."""
    return TrialRecorder(control, watcher.current) if control.environment == "test" else nullcontext()


def _observe(ledger: Ledger, outbox: Outbox, trials: TrialRecorder | None, fact: Observation) -> None:
    # The ledger first, and alone may it fail: what the log drops is not lost.
    ledger.record(fact)
    write_log(fact)
    noticed(outbox, fact)
    if trials is not None:
        trials.notice(fact)
