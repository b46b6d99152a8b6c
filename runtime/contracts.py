"""Contracts as they stand in files against those that the lake follows: what would change, and the change itself.

The lake remembers the text of each contract that was applied. A plan compares it with the files, counts what the
difference means for rows, services and agreements, and changes nothing. Applying lets the tables follow in one
transaction. What only adds or says more strictly what holds is applied by the next run of a source
(docs/decisions/0010-contracts-are-applied.md).
"""

import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from control import Agreement, Agreements, ControlStore
from control.agreements.versions import widened
from kernel import OperatorMistake
from replica import AppliedContract, Lake
from schemas import Change, Contract, Dataset, Grade, Registers, compare, grade_of, read_contract, version_fault
from sync import Effect, foresee

_WHOLE: Final = ""
"""Stands among changed columns for the dataset as a whole."""


class ContractBreaks(OperatorMistake):
    """A change that breaks what was promised, without a new major version and without leave."""

    code = "contract_breaks"
    title = "A contract breaks what it promised"


class ContractNotApplied(OperatorMistake):
    """The files of a register changed in a way that somebody has to decide on."""

    code = "contract_not_applied"
    title = "A changed contract has not been applied"


class ContractCannotApply(OperatorMistake):
    """A change that the mirror cannot follow without being loaded anew."""

    code = "contract_cannot_apply"
    title = "The mirror cannot follow a contract"


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
        if former is None or former.files != _files(contract):
            plans.append(_plan(contract, former, registers, lake, control, now))
    return tuple(plans)


def apply_contract(
    contract: Contract,
    lake: Lake,
    now: datetime,
    *,
    refresh: Callable[[Dataset], object],
    allowed: Callable[[Sequence[Change], str | None], None],
) -> tuple[Change, ...]:
    """Let the lake follow a contract; gives what changed. Does nothing when the lake follows it already.

    refresh   brings the segments of a dataset up to the mirror
    allowed   hears the changes and what is wrong with the version, and raises for what may not be done

    Raises ContractCannotApply and what `allowed` raises; nothing is changed then.
    """
    former = lake.applied().get(contract.register)
    files = _files(contract)
    if former is not None and former.files == files:
        return ()
    old = _contract(former) if former is not None else None
    changes = compare(old, contract) if old is not None else ()
    fault = version_fault(changes, old.version, contract.version) if old is not None else None
    allowed(changes, fault)
    if impossible := [f"{change.place} {change.text}" for change in changes if not change.applies]:
        raise ContractCannotApply(
            f"{contract.register}: {'; '.join(impossible)}",
            remedy="promise it as a new column or dataset, and let the old one go in a later version",
        )
    pairs = _pairs(old, contract) if old is not None else ()
    lake.evolve(
        AppliedContract(register=contract.register, version=contract.version, applied=now, files=files),
        [(before, after) for before, after in pairs if before is not None and after is not None],
    )
    if changes:
        for dataset in contract.datasets:
            refresh(dataset)
    return changes


def only_accepted(register: str, *, accept: bool) -> Callable[[Sequence[Change], str | None], None]:
    """For somebody who decides: breaking changes need a new major version, or leave."""

    def allowed(changes: Sequence[Change], fault: str | None) -> None:
        if fault is not None and grade_of(changes) is Grade.BREAKING and not accept:
            raise ContractBreaks(
                f"{register}: {fault} ({_named(changes, Grade.BREAKING)})",
                remedy="raise the major version, or say --accept-breaking",
            )

    return allowed


def only_additions(register: str) -> Callable[[Sequence[Change], str | None], None]:
    """For a run that nobody watches: what breaks is left to somebody who decides."""

    def allowed(changes: Sequence[Change], _: str | None) -> None:
        if grade_of(changes) is Grade.BREAKING:
            raise ContractNotApplied(
                f"the contract of {register} breaks what is applied ({_named(changes, Grade.BREAKING)})",
                remedy="see `knudepunkt contract plan`, then run `knudepunkt contract apply`",
            )

    return allowed


def _named(changes: Sequence[Change], grade: Grade) -> str:
    named = [f"{change.place} {change.text}" for change in changes if change.grade is grade]
    return "; ".join(named[:3]) + (f"; {len(named) - 3} more" if len(named) > 3 else "")


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
    old = _contract(former)
    changes = compare(old, contract)
    pairs = {(after or before).name: (before, after) for before, after in _pairs(old, contract)}  # type: ignore[union-attr]
    effects = (foresee(change, *pairs[change.dataset], lake) if change.dataset else Effect() for change in changes)
    return ContractPlan(
        register=contract.register,
        applied=former.version,
        version=contract.version,
        changes=tuple(zip(changes, effects, strict=True)),
        affected=tuple(_affected(changes, old, contract, registers, control, now)),
        fault=version_fault(changes, former.version, contract.version),
    )


def _pairs(old: Contract, new: Contract) -> tuple[tuple[Dataset | None, Dataset | None], ...]:
    before, after = ({dataset.name: dataset for dataset in contract.datasets} for contract in (old, new))
    names = [*after, *(name for name in before if name not in after)]
    return tuple((before.get(name), after.get(name)) for name in names)


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


def _files(contract: Contract) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8-sig") for path in contract.files}


def _contract(applied: AppliedContract) -> Contract:
    """The contract that was applied, read from the text that the lake keeps."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in applied.files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        contract, _, findings = read_contract(Path(folder, f"{applied.register}.odcs.yaml"), applied.register)
    if contract is None:
        raise ContractCannotApply(
            f"the applied contract of {applied.register} cannot be read any more: {findings[0].problem}",
            remedy="run the version of Knudepunkt that applied it, and let it follow first",
        )
    return contract
