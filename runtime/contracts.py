"""Contracts as they stand in files against those that the lake follows, and the change from one to the other.

The lake remembers the text of each contract that was applied. Applying lets the tables follow in one transaction. What
only adds or says more strictly what holds is applied by the next run of a source
(docs/decisions/0010-contracts-are-applied.md). What a change would mean is planned in `contract_plans.py`.
"""

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from kernel import OperatorMistake
from replica import AppliedContract, Lake
from schemas import Change, Contract, Dataset, Grade, compare, grade_of, read_contract, version_fault


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
    files = files_of(contract)
    if former is not None and former.files == files:
        return ()
    old = applied_contract(former) if former is not None else None
    changes = compare(old, contract) if old is not None else ()
    fault = version_fault(changes, old.version, contract.version) if old is not None else None
    allowed(changes, fault)
    if impossible := [f"{change.place} {change.text}" for change in changes if not change.applies]:
        raise ContractCannotApply(
            f"{contract.register}: {'; '.join(impossible)}",
            remedy="promise it as a new column or dataset, and let the old one go in a later version",
        )
    pairs = pairs_of(old, contract) if old is not None else ()
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


def pairs_of(old: Contract, new: Contract) -> tuple[tuple[Dataset | None, Dataset | None], ...]:
    """Each dataset before and after; None where it is not there."""
    before, after = ({dataset.name: dataset for dataset in contract.datasets} for contract in (old, new))
    names = [*after, *(name for name in before if name not in after)]
    return tuple((before.get(name), after.get(name)) for name in names)


def files_of(contract: Contract) -> dict[str, str]:
    """name -> text of the files that a contract stands in."""
    return {path.name: path.read_text(encoding="utf-8-sig") for path in contract.files}


def applied_contract(applied: AppliedContract) -> Contract:
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
