"""The fuse box: what each process is made of, and how rooms that do not know each other meet.

Rooms get functions and values, never a place to look things up in.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta

import pyarrow as pa

from control import Counters
from extract import ExtractPlan, ExtractStore, Jobs
from replica import Lake, Lookups
from runtime.clock import CLOCK
from runtime.hall import Hall, Role, open_hall
from runtime.instance import Instance
from runtime.mastering import Master
from runtime.mirroring import Mirroring
from runtime.record_forms import record_forms
from runtime.room import floor_of
from runtime.scanner import Scanner
from runtime.settings import Settings
from schemas import SHIPPED, Registers, load_registers


@dataclass(frozen=True, slots=True, kw_only=True)
class House(Hall):
    """What the processes that know the registers and their mirror have in common."""

    registers: Registers
    counters: Counters
    extracts: ExtractStore
    lookups: Lookups
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
            lookups=Lookups(instance.segments, [each.id for each in registers.datasets]),
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


def unread(plan: ExtractPlan) -> pa.RecordBatchReader:
    """For a process that makes no extracts."""
    raise RuntimeError(f"this process does not make extracts: {plan.id}")


def jobs_of(instance: Instance, settings: Settings, extracts: ExtractStore) -> Jobs:
    return Jobs(instance.extracts / "jobs", extracts, CLOCK, timedelta(hours=settings.extracts.keep_hours))


__all__ = ["House", "jobs_of", "open_house", "unread"]
