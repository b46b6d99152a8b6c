"""The fuse box: what each process is made of, and how rooms that do not know each other meet.

Rooms get functions and values, never a place to look things up in.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Literal

import pyarrow as pa

from api import Doors, Proxies
from control import ControlStore, Counters, PolicyWatcher, TestAuthority, Trust
from extract import Database, Exchange, ExtractPlan, ExtractStore, Jobs, SftpServer, Shelf
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_patience import Patience
from integrations import EventSubscriptions
from kernel import Caller, Observation, Observe
from replica import DatasetNotReady, Lake, Lookups
from runtime.asking import decisions_of
from runtime.clock import CLOCK
from runtime.documents import documents_of
from runtime.exchange import AddressBook
from runtime.fetched import noticed
from runtime.instance import Instance
from runtime.logs import write_log
from runtime.mastering import Master
from runtime.migrated import open_control
from runtime.mirroring import Mirroring
from runtime.record_forms import record_forms
from runtime.scanner import Scanner
from runtime.settings import Settings
from runtime.sharing import sharing_of
from runtime.signing import Signer
from runtime.tokens import tokens_of
from runtime.trials import TrialRecorder
from schemas import SHIPPED, Registers, load_registers
from usage import Ledger


@dataclass(frozen=True, slots=True)
class House:
    """What the processes that answer have in common. `observe` returns when a fact is in the ledger."""

    instance: Instance
    settings: Settings
    registers: Registers
    control: ControlStore
    watcher: PolicyWatcher
    counters: Counters
    observe: Observe
    extracts: ExtractStore
    shelf: Shelf
    exchange: Exchange
    users: AddressBook
    scanner: Scanner
    master: Master


@contextmanager
def open_house(instance: Instance, settings: Settings, role: Literal["api", "sftp", "worker"]) -> Iterator[House]:
    """Open what a process needs, in order, and close it in the other order: the ledger last, so that it hears
    everything.
    """
    registers = load_registers(SHIPPED, instance.registers)
    with (
        Ledger(
            instance.ledger, role=role, subject_key=instance.subject_key(), clock=CLOCK, settings=settings.usage
        ) as ledger,
        open_control(instance, settings) as control,
        PolicyWatcher(control) as watcher,
        _trials_of(control, watcher) as trials,
        Counters(instance.rates, nodes=settings.limits.nodes) as counters,
        Scanner(instance, settings, registers) as scanner,
        # Its productions end before the lake that they read is closed.
        closing(_master_of(instance, settings, registers)) as master,
        ExtractStore(
            instance.extracts / "files",
            scanner.scan,
            clock=CLOCK,
            productions=settings.extracts.productions,
            forms=record_forms(),
        ) as extracts,
    ):
        users = AddressBook(control, lambda: watcher.current().version)
        yield House(
            instance=instance,
            settings=settings,
            registers=registers,
            control=control,
            watcher=watcher,
            counters=counters,
            observe=partial(_observe, ledger, _outbox_of(control), trials),
            extracts=extracts,
            shelf=Shelf(instance.extracts / "agreements", Signer.open(instance.signing_key).sign),
            exchange=Exchange(instance.exchange, users.user_of, CLOCK, settings.exchange),
            users=users,
            scanner=scanner,
            master=master,
        )


def _master_of(instance: Instance, settings: Settings, registers: Registers) -> Master:
    # Sources are none of the API's business, and are not read for it.
    mirroring = Mirroring(instance, settings, registers, (), CLOCK)
    return Master(
        lambda: Lake.open(instance.lake, settings.replica, write=True),
        mirroring.follow,
        mirroring.refresh,
        clock=CLOCK,
        fictitious_only=mirroring.fictitious_only,
    )


def doors_of(house: House, trust: Callable[[], Trust]) -> Doors:
    """What the API needs from the rooms."""
    lookups = Lookups(house.instance.segments, [dataset.id for dataset in house.registers.datasets])
    return Doors(
        registers=house.registers,
        policy=house.watcher.current,
        trust=trust,
        counters=house.counters,
        lookups=lookups,
        past=house.scanner.past,
        first_from=house.scanner.first_from,
        find=house.scanner.find,
        corrections=house.scanner.corrections,
        estimate=house.scanner.estimate,
        rows=house.scanner.scan,
        jobs=jobs_of(house.instance, house.settings, house.extracts),
        stall_s=house.settings.extracts.stall_s,
        signing_key=Signer.open(house.instance.signing_key).public_pem,
        extracts=house.extracts,
        shelf=house.shelf,
        observe=house.observe,
        clock=CLOCK,
        environment=house.settings.environment,
        readiness=partial(readiness, house, lookups),
        decisions=partial(decisions_of, house.instance),
        sharing=sharing_of(house.instance, house.settings, house.control, lambda: house.watcher.current().version),
        tokens=tokens_of(house.instance, house.settings, house.registers),
        control=house.control,
        documents=partial(documents_of, house.instance),
        authority=partial(TestAuthority.open_or_create, house.instance.authority)
        if house.settings.environment == "test"
        else None,
        proxies=Proxies(house.settings.proxy),
        write=house.master.write,
        changed=house.scanner.changed,
        events=EventSubscriptions(house.control.reading, house.control.noting),
        sources={name: each.below(house.instance.root) for name, each in house.settings.live.sources.items()},
        version=version("knudepunkt"),
    )


def unread(plan: ExtractPlan) -> pa.RecordBatchReader:
    """For a process that makes no extracts."""
    raise RuntimeError(f"this process does not make extracts: {plan.id}")


def jobs_of(instance: Instance, settings: Settings, extracts: ExtractStore) -> Jobs:
    return Jobs(instance.extracts / "jobs", extracts, CLOCK, timedelta(hours=settings.extracts.keep_hours))


def sftp_server_of(house: House) -> SftpServer:
    def authenticate(fingerprint: str) -> Caller:
        return house.watcher.current().identify_key(fingerprint, CLOCK.now())

    return SftpServer(
        host_key=house.instance.host_key,
        shelf=house.shelf,
        authenticate=authenticate,
        grants_of=lambda system: house.watcher.current().grants_of(system, CLOCK.now()),
        observe=house.observe,
        clock=CLOCK,
        settings=house.settings.sftp,
        exchange=house.exchange,
        system_of=house.users.system_of,
    )


def readiness(house: House, lookups: Lookups) -> Mapping[str, bool]:
    """What must hold before calls are sent here: what was mirrored can be looked up, and the ledger can be written.

    A register that nothing was delivered for yet keeps nobody from the others.
    """
    checks = {"policy": house.watcher.current().version > 0, "ledger": _writable(house.instance)}
    for dataset in house.registers.datasets:
        if not (house.instance.segments / dataset.id).exists():
            continue
        try:
            checks[dataset.id] = lookups.reader(dataset.id).info.rows >= 0
        except DatasetNotReady:
            checks[dataset.id] = False
    checks["mirror"] = any((house.instance.segments / dataset.id).exists() for dataset in house.registers.datasets)
    return checks


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


def _outbox_of(control: ControlStore) -> Outbox:
    """For hearing of what was fetched; who sends has one with the patience of the settings."""
    return Outbox(Database(control.reading, control.noting), CLOCK, Patience())


def _writable(instance: Instance) -> bool:
    probe = instance.ledger / ".probe"
    try:
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError:
        return False
    return True


__all__ = ["House", "doors_of", "open_house", "sftp_server_of"]
