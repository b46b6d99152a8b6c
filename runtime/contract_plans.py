"""What a changed contract would mean before it is applied: for rows, services and agreements. Changes nothing."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from control import Agreement, Agreements, ControlStore
from control.agreements.versions import widened
from replica import AppliedContract, Lake
from runtime.contracts import applied_contract, files_of, pairs_of
from schemas import Change, Contract, Grade, Registers, compare, grade_of, version_fault
from sync import Effect, foresee

_WHOLE: Final = ""
"""Stands among changed columns for the dataset as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A service that gives out what changes, and the live agreements on it that cover the columns in question.

    needs_request   what the change offers that agreements on the service do not carry: a new request would
    """

    service: str
    agreements: int
    municipalities: tuple[str, ...]
    systems: tuple[str, ...]
    needs_request: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractPlan:
    """What applying one register's contract would do.

    applied   version that the lake follows; None when none was ever applied
    fault     what is wrong with the new version number
    """

    register: str
    applied: str | None
    version: str
    changes: tuple[tuple[Change, Effect], ...] = ()
    affected: tuple[Affected, ...] = ()
    fault: str | None = None

    @property
    def grade(self) -> Grade | None:
        return grade_of([change for change, _ in self.changes])

    @property
    def breaks(self) -> bool:
        """Whether it may be applied only with leave: breaking, and the major version is the same."""
        return self.grade is Grade.BREAKING and self.fault is not None

    @property
    def impossible(self) -> tuple[Change, ...]:
        return tuple(change for change, _ in self.changes if not change.applies)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON. No personal data."""
        changes = [
            {"what": change.what, "place": change.place, "grade": change.grade, "text": change.text,
             "can_apply": change.applies, "rows": asdict(effect)}
            for change, effect in self.changes
        ]  # fmt: skip
        return {
            "register": self.register, "applied": self.applied, "version": self.version, "grade": self.grade,
            "fault": self.fault, "refused": self.breaks or bool(self.impossible), "changes": changes,
            "affected": [asdict(each) for each in self.affected],
        }  # fmt: skip


def plan_contracts(
    registers: Registers, lake: Lake | None, control: ControlStore, now: datetime
) -> tuple[ContractPlan, ...]:
    """A plan for each register that differs from what is applied, or was never applied. Changes nothing.

    lake   None before the first publication
    """
    applied = lake.applied() if lake is not None else {}
    plans = []
    for contract in registers.contracts:
        former = applied.get(contract.register)
        if former is None or former.files != files_of(contract):
            plans.append(_plan(contract, former, registers, lake, control, now))
    return tuple(plans)


def _plan(
    contract: Contract,
    former: AppliedContract | None,
    registers: Registers,
    lake: Lake | None,
    control: ControlStore,
    now: datetime,
) -> ContractPlan:
    if former is None or lake is None:
        return ContractPlan(register=contract.register, applied=None, version=contract.version)
    old = applied_contract(former)
    changes = compare(old, contract)
    pairs = {(after or before).name: (before, after) for before, after in pairs_of(old, contract)}  # type: ignore[union-attr]
    effects = (foresee(change, *pairs[change.dataset], lake) if change.dataset else Effect() for change in changes)
    return ContractPlan(
        register=contract.register,
        applied=former.version,
        version=contract.version,
        changes=tuple(zip(changes, effects, strict=True)),
        affected=tuple(_affected(changes, old, contract, registers, control, now)),
        fault=version_fault(changes, former.version, contract.version),
    )


def _affected(
    changes: Sequence[Change],
    old: Contract,
    contract: Contract,
    registers: Registers,
    control: ControlStore,
    now: datetime,
) -> Iterable[Affected]:
    """Services of datasets that change in more than words, with the agreements on them."""
    touched: dict[str, set[str]] = {}
    for change in changes:
        if change.dataset and change.grade is not Grade.COMPATIBLE:
            columns = touched.setdefault(f"{contract.register}.{change.dataset}", set())
            columns |= {*change.path[:1], *([change.former] if change.former and len(change.path) == 1 else [])} or {
                _WHOLE
            }
    live = [agreement for agreement in Agreements(control, registers).all() if agreement.live(now)]
    municipalities = {each.id: each.name for each in control.organisations()}
    systems = {each.id: each.name for each in control.systems()}
    for service in registers.services:
        if service.dataset is not None and service.dataset in touched:
            found = [each for each in live if _covers(each, service.name, touched[service.dataset])]
            yield Affected(
                service=service.name,
                agreements=len(found),
                municipalities=tuple(sorted({municipalities[each.municipality] for each in found})),
                systems=tuple(sorted({systems[each.system] for each in found})),
                needs_request=_needs_request(live, service.name, service.dataset, old, contract),
            )


def _needs_request(
    live: Sequence[Agreement], service: str, dataset: str, old: Contract, new: Contract
) -> tuple[str, ...]:
    before, after = (next((d for d in each.datasets if d.id == dataset), None) for each in (old, new))
    named = ({str(name): terms for name, terms in each.terms.services.items()}.get(service) for each in live)
    return tuple(sorted({what for terms in named if terms is not None for what in widened(terms, before, after)}))


def _covers(agreement: Agreement, service: str, columns: Collection[str]) -> bool:
    terms = {str(name): each for name, each in agreement.terms.services.items()}.get(service)
    if terms is None:
        return False
    return terms.columns is None or _WHOLE in columns or not {*terms.columns, *terms.rows}.isdisjoint(columns)
