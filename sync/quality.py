"""The contract's rules, checked on all rows at once.

Rules that look at one row run over slices of the rows, so that a delivery of millions that lies on disk is never in
memory as a whole. Those that compare rows (unique, keys into other datasets) take their own columns, one rule at a
time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl
import pyarrow as pa

from kernel import DatasetId
from replica import DatasetNotReady
from schemas import Dataset, Duplicated, ForeignKey, RowCount, Rule, Severity
from sync.checks import Check, anywhere, column_checks, flattened, rule_check
from sync.errors import QualityRefused, ReferenceNotReady

VIOLATIONS = pl.Schema({"key": pl.String, "rule": pl.String, "reason": pl.String})
SLICE_ROWS: Final = 262_144
_MARKS: Final = pl.Schema({"row": pl.UInt32, "number": pl.UInt16})
_OLDEST: Final = pl.CompatLevel.oldest()

Known = Callable[[DatasetId, str, pa.Array], pa.Array]
"""(dataset, column, values): those of the values that stand in the column, in the mirror as it is now."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """held       VIOLATIONS: the first broken rule of each row that is to be held back, in the order of the rows
    warnings   a sentence for each rule that is broken and only counted
    refusal    a limit on the delivery that it passes; None when it passes none
    """

    held: pl.DataFrame
    warnings: tuple[str, ...] = ()
    refusal: QualityRefused | None = None


def violations(rows: pa.Table, dataset: Dataset, known: Known, *, whole: bool = False) -> Judgement:
    """Judge a delivery by its contract.

    rows    in the dataset's Arrow schema, with a key in each
    whole   the delivery is the whole dataset: its number of rows is judged too

    Raises ReferenceNotReady when a dataset that it refers to was never mirrored, QualityRefused when a rule cannot be
    evaluated.
    """
    trial = _Trial(rows, dataset, known)
    checks = {trial.open(check.name, check.reason): check for check in column_checks(dataset)}
    for column in dataset.columns:
        if column.unique:
            trial.mark(trial.open("unique", f"{column.name}: on several rows"), _repeated(rows, (column.name,)))
    keys: list[tuple[int, ForeignKey]] = []
    for rule in dataset.rules:
        number = trial.open(rule.name, rule.reason, rule)
        match rule.test:
            case ForeignKey():
                keys.append((number, rule.test))
            case Duplicated(columns=columns):
                trial.mark(number, _repeated(rows, columns))
            case RowCount():
                trial.counts[number] = rows.num_rows if whole else None
            case _:
                checks[number] = rule_check(dataset, rule)
    trial.run(checks)
    trial.follow(keys)
    return trial.judgement()


class _Trial:
    """A delivery under judgement: rules by number, and which rows break them. A lower number is told first."""

    def __init__(self, rows: pa.Table, dataset: Dataset, known: Known) -> None:
        self.rows, self.dataset, self.known = rows, dataset, known
        self.rules: list[tuple[str, str, Rule | None]] = []
        self.counts: dict[int, int | None] = {}
        self.marks: dict[int, list[pl.Series]] = {}

    def open(self, name: str, reason: str, rule: Rule | None = None) -> int:
        """A number for a rule; `rule` is None for what a column itself demands."""
        self.rules.append((name, reason, rule))
        return len(self.rules) - 1

    def mark(self, number: int, broken: pl.Series, start: int = 0) -> None:
        """broken   of the rows from `start` on: whether they break the rule"""
        positions = broken.arg_true()
        self.counts[number] = (self.counts.get(number) or 0) + positions.len()
        rule = self.rules[number][2]
        if positions.len() and (rule is None or (rule.severity is Severity.ERROR and rule.limit is None)):
            self.marks.setdefault(number, []).append(positions + start)

    def run(self, checks: dict[int, Check]) -> None:
        """Run what looks at one row, slice by slice."""
        if not checks:
            return
        needed = sorted({name for check in checks.values() for name in check.columns})
        masks = [check.broken.fill_null(value=False).alias(str(number)) for number, check in checks.items()]
        for start, frame in _slices(self.rows, needed):
            try:
                found = frame.select(masks)
            except pl.exceptions.PolarsError as error:
                # Without its message, which may quote a value.
                raise QualityRefused(
                    f"a rule of {self.dataset.id} cannot be evaluated ({type(error).__name__})",
                    remedy="mend the conditions in the contract",
                ) from None
            for number in checks:
                self.mark(number, found[str(number)], start)

    def follow(self, keys: list[tuple[int, ForeignKey]]) -> None:
        """Run the keys into other datasets; then, until no more rows fall, those into the delivery itself: a row that
        is held back is not there to be referred to.
        """
        own = [(number, key) for number, key in keys if key.dataset == self.dataset.id]
        for number, key in keys:
            if key.dataset != self.dataset.id:
                self.dangle(number, key, self.absent(key))
        absent = {number: self.absent(key) for number, key in own}
        fallen = -1
        while fallen < (fallen := self.broken().height):
            for number, key in own:
                column = pl.Series(pl.from_arrow(self.rows[key.column])).to_frame("own").with_row_index("row")
                arrive = column.join(self.broken(), on="row", how="anti")["own"]
                self.dangle(number, key, _without(absent[number], arrive))

    def absent(self, key: ForeignKey) -> pl.Series:
        """The values of a key that the mirror does not have, each once."""
        leaf = flattened(self.dataset, key.path)
        found = [frame.select(leaf).to_series().unique() for _, frame in _slices(self.rows, [key.path[0]])]
        values = pl.concat(found).unique().drop_nulls() if found else pl.Series([], dtype=pl.String)
        if values.is_empty():
            return values
        try:
            there = self.known(key.dataset, key.column, values.to_arrow(compat_level=_OLDEST))
        except DatasetNotReady:
            if key.dataset == self.dataset.id:
                # A first delivery: there are no rows but its own.
                return values
            raise ReferenceNotReady(
                f"{self.dataset.id} refers to {key.dataset}, which has not been mirrored yet",
                remedy=f"load the source of {key.dataset} first",
            ) from None
        return _without(values, pl.Series(pl.from_arrow(there), dtype=values.dtype))

    def dangle(self, number: int, key: ForeignKey, absent: pl.Series) -> None:
        self.counts[number], self.marks[number] = 0, []
        if not absent.is_empty():
            broken = anywhere(self.dataset, key.path, lambda value, _: value.is_in(absent.implode()))
            self.run({number: Check("", "", key.path[:1], broken)})

    def broken(self) -> pl.DataFrame:
        """_MARKS: the first rule that each row breaks, by row."""
        found = [
            pl.DataFrame({"row": rows, "number": pl.repeat(number, rows.len(), eager=True)}, schema=_MARKS)
            for number, parts in self.marks.items()
            for rows in parts
        ]
        together = pl.concat([_MARKS.to_frame(), *found]).sort("row", "number")
        return together.unique("row", keep="first", maintain_order=True)

    def judgement(self) -> Judgement:
        warnings: list[str] = []
        passed: list[str] = []
        for number, count in sorted(self.counts.items()):
            _, reason, rule = self.rules[number]
            if rule is None or count is None:
                continue
            said = f"{reason}: {count:,} of {self.rows.num_rows:,} rows"
            if rule.limit is not None and not rule.limit.holds(count, self.rows.num_rows):
                (passed if rule.severity is Severity.ERROR else warnings).append(f"{said}; it {rule.limit}")
            elif rule.limit is None and rule.severity is Severity.WARNING and count:
                warnings.append(said)
        broken = self.broken()
        told = pl.DataFrame(self.rules, schema={"rule": pl.String, "reason": pl.String, "of": pl.Object}, orient="row")
        keys = pl.Series(pl.from_arrow(self.rows[self.dataset.key].take(broken["row"].to_arrow())), dtype=pl.String)
        held = told.select("rule", "reason")[broken["number"]].select(keys.alias("key"), "rule", "reason")
        remedy = "have the delivery mended, or the rule in its contract; --accept loads it as it is"
        return Judgement(held, tuple(warnings), QualityRefused("; ".join(passed), remedy=remedy) if passed else None)


def _without(values: pl.Series, others: pl.Series) -> pl.Series:
    return values.filter(~values.is_in(others.implode()))


def _repeated(rows: pa.Table, columns: tuple[str, ...]) -> pl.Series:
    """True for a row whose values, all there, stand in another row too."""
    frame = pl.DataFrame(pl.from_arrow(rows.select(list(columns)), rechunk=False))
    if len(columns) == 1 and (value := frame.to_series()).is_sorted():
        # Decoders sort by key: then neighbours tell, and nothing of the register's size is built.
        return ((value == value.shift()) | (value == value.shift(-1))).fill_null(value=False)
    whole = pl.all_horizontal(pl.all().is_not_null())
    return frame.select(pl.struct(pl.all()).is_duplicated() & whole).to_series()


def _slices(rows: pa.Table, columns: list[str]) -> Iterator[tuple[int, pl.DataFrame]]:
    """(number of the first row, frame) of each slice."""
    chosen = rows.select(columns)
    for start in range(0, rows.num_rows, SLICE_ROWS):
        yield start, pl.DataFrame(pl.from_arrow(chosen.slice(start, SLICE_ROWS)))
