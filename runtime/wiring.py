"""The fuse box: what each process is made of, and how rooms that do not know each other meet.

Rooms get functions and values, never a place to look things up in.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from importlib.metadata import version

import pyarrow as pa

from api import Doors, Proxies
from control import Counters, TestAuthority, Trust
from extract import ExtractPlan, ExtractStore, Jobs
from integrations import EventSubscriptions
from replica import DatasetNotReady, Lake, Lookups
from runtime.asking import decisions_of
from runtime.clock import CLOCK
from runtime.documents import documents_of
from runtime.hall import Hall, Role, open_hall
from runtime.instance import Instance
from runtime.mastering import Master
from runtime.mirroring import Mirroring
from runtime.record_forms import record_forms
from runtime.room import floor_of
from runtime.scanner import Scanner
from runtime.settings import Settings
from runtime.sharing import sharing_of
from runtime.signing import Signer
from runtime.tokens import tokens_of
from schemas import SHIPPED, Registers, load_registers


@dataclass(frozen=True, slots=True, kw_only=True)
class House(Hall):
    """What the processes that know the registers and their mirror have in common."""

    registers: Registers
    counters: Counters
    extracts: ExtractStore
    scanner: Scanner
    master: Master


@contextmanager
def open_house(instance: Instance, settings: Settings, role: Role) -> Iterator[House]:
    """Open what a process needs, in order, and close it in the other order: the hall last."""
    registers = load_registers(SHIPPED, instance.registers)
    with (
        open_hall(instance, settings, role) as hall,
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
            floor=floor_of(settings),
        ) as extracts,
    ):
        yield House(
            **{part.name: getattr(hall, part.name) for part in fields(hall)},
            registers=registers,
            counters=counters,
            extracts=extracts,
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


def _writable(instance: Instance) -> bool:
    probe = instance.ledger / ".probe"
    try:
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError:
        return False
    return True


__all__ = ["House", "doors_of", "open_house"]
