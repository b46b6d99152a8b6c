"""What changed from one contract to the next, and what it means for those who read the data.

Pure. A change is judged by the consumer's eye: what was promised and is no more, breaks; what is new, adds; what is
promised more strictly than before, or said in other words, is compatible. What a change means for the rows of the
mirror is another question: see runtime/contracts.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.column import Column, Kind
from schemas.contract import Contract
from schemas.dataset import Dataset
from schemas.rule import Rule


class Grade(StrEnum):
    """How much a change means, mildest first."""

    COMPATIBLE = "compatible"
    ADDITIVE = "additive"
    BREAKING = "breaking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """what       its kind, for instance column_dropped
    dataset    name within the contract; empty for the contract itself
    path       column, and fields within it; empty for the dataset itself
    applies    whether the mirror can follow without being loaded anew
    rule       of a rule that was added
    former     what a renamed column was called
    """

    what: str
    grade: Grade
    text: str
    dataset: str = ""
    path: tuple[str, ...] = ()
    applies: bool = True
    rule: Rule | None = None
    former: str = ""

    @property
    def place(self) -> str:
        return ".".join((self.dataset, *self.path)) if self.dataset else "contract"

    @property
    def columns(self) -> frozenset[str]:
        """The column that it is about, by each of its names; empty for the dataset itself."""
        names = {*self.path[:1], self.former if len(self.path) == 1 else ""}
        return frozenset(name for name in names if name)


WIDENINGS: Final = frozenset({(Kind.INTEGER, Kind.NUMBER), (Kind.DATE, Kind.TIMESTAMP)})
"""Types whose values the mirror can hold as another without losing any (whole numbers up to 2**53)."""

_C, _A, _B = Grade.COMPATIBLE, Grade.ADDITIVE, Grade.BREAKING
Same = Callable[[Column, Column], bool]

# what, grade, when (former, latter), how it is said
_OF_A_COLUMN: Final[tuple[tuple[str, Grade, Same, str], ...]] = (
    ("type_widened", _A, lambda a, b: (a.kind, b.kind) in WIDENINGS, "{a.kind} becomes {b.kind}"),
    ("type_changed", _B, lambda a, b: a.kind is not b.kind and (a.kind, b.kind) not in WIDENINGS,
     "{a.kind} becomes {b.kind}"),
    # Stricter takes values away from agreements, milder shows them to more: both are for somebody to decide.
    ("classification_changed", _B, lambda a, b: a.classification is not b.classification,
     "{a.classification} becomes {b.classification}"),
    ("required_dropped", _B, lambda a, b: a.required and not b.required, "may be missing from now on"),
    ("required_added", _C, lambda a, b: b.required and not a.required, "is always there from now on"),
    ("unique_dropped", _B, lambda a, b: a.unique and not b.unique, "may stand in several rows from now on"),
    ("unique_added", _C, lambda a, b: b.unique and not a.unique, "stands in one row only from now on"),
    ("pattern_added", _C, lambda a, b: a.pattern is None and b.pattern is not None, "matches {b.pattern}"),
    ("pattern_changed", _A, lambda a, b: a.pattern is not None and a.pattern != b.pattern,
     "matches {b.pattern}, no longer {a.pattern}"),
    ("bounds_narrowed", _C, lambda a, b: _low(b) > _low(a) or _high(b) < _high(a),
     "lies between {b.minimum} and {b.maximum}"),
    ("bounds_widened", _A, lambda a, b: _low(b) < _low(a) or _high(b) > _high(a),
     "lies between {b.minimum} and {b.maximum}"),
    ("values_removed", _C, lambda a, b: b.allowed is not None and (a.allowed is None or not a.allowed <= b.allowed),
     "fewer values are allowed"),
    ("values_added", _A, lambda a, b: a.allowed is not None and (b.allowed is None or not b.allowed <= a.allowed),
     "more values are allowed"),
    ("secondary_key_dropped", _B, lambda a, b: a.secondary_key and not b.secondary_key,
     "rows are no longer found by it"),
    ("secondary_key_added", _A, lambda a, b: b.secondary_key and not a.secondary_key, "rows are found by it too"),
    ("derivation_changed", _A, lambda a, b: a.derived != b.derived, "is worked out in another way"),
    ("words_changed", _C,
     lambda a, b: (a.title, a.description, a.source) != (b.title, b.description, b.source), "is described anew"),
)  # fmt: skip
"""`type_changed` is the only one of these that the mirror cannot follow."""

_OF_A_DATASET: Final[tuple[tuple[str, Grade, Callable[[Dataset, Dataset], bool], str], ...]] = (
    ("key_changed", _B, lambda a, b: a.key != b.key, "{b.key} is the key, no longer {a.key}"),
    ("protection_changed", _B, lambda a, b: a.protection != b.protection, "rows are protected by another rule"),
    ("freshness_changed", _C, lambda a, b: a.freshness_target_s != b.freshness_target_s,
     "should be {b.freshness_target_s} seconds old at most"),
    ("record_layout_dropped", _B, lambda a, b: a.record_layout not in (None, b.record_layout),
     "is no longer given out in the register's own lines"),
    ("record_layout_added", _A, lambda a, b: b.record_layout not in (None, a.record_layout),
     "can be given out in the register's own lines"),
    ("words_changed", _C, lambda a, b: (a.title, a.description) != (b.title, b.description), "is described anew"),
)  # fmt: skip


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference between two contracts of one register, in the order of the new one."""
    return tuple(_of_contracts(old, new))


def grade_of(changes: Sequence[Change]) -> Grade | None:
    """The gravest; None when nothing changed."""
    return max((change.grade for change in changes), key=list(Grade).index, default=None)


def version_fault(changes: Sequence[Change], old: str, new: str) -> str | None:
    """What is wrong with the new version number, given the changes; None when nothing is."""
    was, now = (tuple(int(part) for part in version.split(".")) for version in (old, new))
    if not changes:
        return None
    if now < was:
        return f"the version went back from {old} to {new}"
    grade = grade_of(changes)
    if grade is Grade.BREAKING and now[0] == was[0]:
        return f"the change is breaking: raise the major version, {was[0] + 1}.0.0"
    if grade is Grade.ADDITIVE and now[:2] == was[:2]:
        return f"the change adds something: raise the minor version, {was[0]}.{was[1] + 1}.0"
    if now == was:
        return f"something changed: raise the version, {was[0]}.{was[1]}.{was[2] + 1}"
    return None


def renamed(old: Sequence[Column], new: Sequence[Column]) -> dict[str, str]:
    """New names of columns -> the old ones, where the contract says so and the old name is free."""
    before, after = ({column.name for column in columns} for columns in (old, new))
    return {
        column.name: column.previous_name
        for column in new
        if column.previous_name in before and column.previous_name not in after and column.name not in before
    }


def _of_contracts(old: Contract, new: Contract) -> Iterator[Change]:
    if (old.name, old.description, old.status) != (new.name, new.description, new.status):
        yield Change(what="words_changed", grade=_C, text="is described anew")
    before, after = ({dataset.name: dataset for dataset in contract.datasets} for contract in (old, new))
    for name, dataset in after.items():
        if name in before:
            yield from _of_datasets(before[name], dataset)
        else:
            yield Change(what="dataset_added", grade=_A, text="is new", dataset=name)
    for name in before.keys() - after.keys():
        text = "is promised no more; its rows stay in the lake"
        yield Change(what="dataset_dropped", grade=_B, text=text, dataset=name)


def _of_datasets(old: Dataset, new: Dataset) -> Iterator[Change]:
    for what, grade, differ, text in _OF_A_DATASET:
        if differ(old, new):
            said = text.format(a=old, b=new)
            yield Change(what=what, grade=grade, text=said, dataset=new.name, applies=what != "key_changed")
    yield from _of_columns(new.name, (), old.columns, new.columns)
    for rule in new.rules:
        if rule not in old.rules:
            text = f"is a rule from now on: {rule.name} ({rule.reason})"
            yield Change(what="rule_added", grade=_C, text=text, dataset=new.name, rule=rule)
    for rule in old.rules:
        if rule not in new.rules:
            text = f"is no rule any more: {rule.name} ({rule.reason})"
            yield Change(what="rule_dropped", grade=_A, text=text, dataset=new.name)


def _of_columns(dataset: str, path: tuple[str, ...], old: Sequence[Column], new: Sequence[Column]) -> Iterator[Change]:
    before = {column.name: column for column in old}
    names = renamed(old, new)
    for column in new:
        here = (*path, column.name)
        if column.name in names:
            former = before[names[column.name]]
            text = f"was called {former.name}"
            yield Change(
                what="column_renamed", grade=_B, text=text, dataset=dataset, path=here, former=former.name
            )  # fmt: skip
            yield from _of_column(dataset, here, former, column)
        elif column.name in before:
            yield from _of_column(dataset, here, before[column.name], column)
        elif column.required and column.derived is None:
            # For who reads it is an addition, but the rows of the mirror lack it and so may the source.
            text = f"is new ({column.kind}) and always there"
            yield Change(what="required_column_added", grade=_B, text=text, dataset=dataset, path=here)
        else:
            text = f"is new ({column.kind})"
            yield Change(what="column_added", grade=_A, text=text, dataset=dataset, path=here)
    for name in before.keys() - {column.name for column in new} - set(names.values()):
        yield Change(what="column_dropped", grade=_B, text="is promised no more", dataset=dataset, path=(*path, name))


def _of_column(dataset: str, path: tuple[str, ...], old: Column, new: Column) -> Iterator[Change]:
    for what, grade, differ, text in _OF_A_COLUMN:
        if differ(old, new):
            said = text.format(a=old, b=new)
            yield Change(
                what=what, grade=grade, text=said, dataset=dataset, path=path, applies=what != "type_changed"
            )  # fmt: skip
    if old.kind is new.kind:
        yield from _of_columns(dataset, path, old.fields, new.fields)
    if old.item is not None and new.item is not None:
        yield from _of_column(dataset, (*path, "[]"), old.item, new.item)


def _low(column: Column) -> float:
    return -float("inf") if column.minimum is None else column.minimum


def _high(column: Column) -> float:
    return float("inf") if column.maximum is None else column.maximum
