"""Search: which rows meet some conditions, answered by DuckDB on one snapshot of the mirror.

A search gives keys, in an order that is total, so that pages neither overlap nor leave anything out. Only names that
the dataset has get into the SQL, quoted; values are bound. What is hidden for a protected row (its PROTECTED columns)
can neither be found by, nor does it tell by its place in the order.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from kernel import SnapshotId
from replica.conditions import AllOf, AnyOf, Condition, Joined, Matching, Not, Op
from replica.errors import CursorInvalid, SearchInvalid
from replica.statements import Statement, protected, quoted, table
from schemas import Classification, Column, Dataset, Kind

MOST_ROWS: Final = 1_000
FURTHEST: Final = 10_000
"""How many rows deep a caller may page: a search is for finding somebody, an extract is for fetching everybody."""


_COMPARISONS: Final = {Op.EQ: "=", Op.LT: "<", Op.LE: "<=", Op.GT: ">", Op.GE: ">="}
_ORDERED: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """conditions          all must hold, joined ones too
    skip                how many rows come before the page, without a cursor
    counted             whether to tell how many rows there are in all
    order               nothing last; the key decides between equals
    rows                column -> the values it may hold; other rows do not exist
    hide_protected_on   the day on which protection is judged, None when nothing is hidden
    """

    conditions: tuple[Joined, ...]
    order: tuple[Order, ...] = ()
    limit: int = 50
    cursor: str | None = None
    skip: int = 0
    counted: bool = False
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hide_protected_on: date | None = None

    def mark(self) -> str:
        """What a cursor is bound to: another search has another mark."""
        conditions = [
            (each.column, each.op, each.value) if isinstance(each, Condition) else repr(each)
            for each in self.conditions
        ]
        order = [(each.column, each.descending) for each in self.order]
        rows = sorted((name, sorted(values)) for name, values in self.rows.items())
        text = json.dumps([conditions, order, rows], default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """keys       of the page, in the order of the search
    snapshot   that was searched
    next       cursor of the next page, None at the end
    total      rows in all, when the search was to count them and the page has any
    """

    keys: tuple[str, ...]
    snapshot: SnapshotId
    next: str | None
    total: int | None = None


def search_statement(dataset: Dataset, search: Search, snapshot: SnapshotId) -> Statement:
    """Keys of a page, and one more when there is a next page. Raises SearchInvalid, CursorInvalid."""
    if not 1 <= search.limit <= MOST_ROWS:
        raise SearchInvalid(f"the limit is not from 1 to {MOST_ROWS:,}", remedy="mend the limit", rule="search.limit")
    writer = _Writer(dataset, hidden=search.hide_protected_on is not None)
    where = [writer.condition(each, number) for number, each in enumerate(search.conditions)]
    for name, allowed in sorted(search.rows.items()):
        dataset.column(name)
        where.append(f"list_contains({writer.bound(sorted(allowed))}, {quoted(name)})")
    order = [writer.order(each) for each in search.order] + [quoted(dataset.key)]
    if writer.needs_day:
        writer.values["day"] = search.hide_protected_on
    offset = offset_of(search, snapshot)
    total = ", count(*) OVER ()" if search.counted else ""
    text = (
        f"SELECT {quoted(dataset.key)}{total} FROM {table(dataset)} AT (VERSION => {int(snapshot)})"
        f" WHERE {' AND '.join(where) or 'true'} ORDER BY {', '.join(order)}"
        f" LIMIT {search.limit + 1:d} OFFSET {offset:d}"
    )
    return Statement(text, writer.values)


def page_of(keys: list[str], search: Search, snapshot: SnapshotId, total: int | None = None) -> Found:
    """The page that a search_statement gave."""
    more = len(keys) > search.limit
    after = offset_of(search, snapshot) + search.limit
    return Found(
        keys=tuple(keys[: search.limit]),
        snapshot=snapshot,
        next=_cursor(search, snapshot, after) if more and after <= FURTHEST else None,
        total=total,
    )


def snapshot_of(cursor: str) -> SnapshotId:
    """The snapshot that a cursor pages through. Raises CursorInvalid."""
    return SnapshotId(_read(cursor)[1])


def offset_of(search: Search, snapshot: SnapshotId) -> int:
    """How many rows lie before the page. Raises CursorInvalid."""
    if search.cursor is None:
        return search.skip
    mark, bound_to, offset = _read(search.cursor)
    if mark != search.mark() or bound_to != snapshot:
        raise _not_ours()
    return offset


@dataclass(slots=True)
class _Writer:
    dataset: Dataset
    hidden: bool
    needs_day: bool = False
    values: dict[str, Any] = field(default_factory=dict)

    def bound(self, value: Any) -> str:
        name = f"value_{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def condition(self, condition: Joined, number: int) -> str:
        match condition:
            case AllOf(parts):
                return f"({' AND '.join(self.condition(each, number) for each in parts) or 'true'})"
            case AnyOf(parts):
                return f"({' OR '.join(self.condition(each, number) for each in parts) or 'false'})"
            case Not(part):
                return f"(NOT {self.condition(part, number)})"
        path, place = condition.column.split("."), f"condition {number + 1}"
        column = self._column(path, place)
        test = self._within(column, quoted(path[0]), path[1:], condition, place, 0)
        return f"(NOT {self._protected()} AND {test})" if self._hides(column) else test

    def order(self, order: Order) -> str:
        path = order.column.split(".")
        column = self._column(path, "the order")
        expression, at = quoted(path[0]), column
        for name in path[1:]:
            at = self._field(at, name, "the order")
            expression = f"struct_extract({expression}, {_text(name)})"
        if at.kind not in _ORDERED:
            raise _unfit("the order", order.column, "values that have an order")
        if self._hides(column):
            expression = f"CASE WHEN {self._protected()} THEN NULL ELSE {expression} END"
        return f"{expression} {'DESC' if order.descending else 'ASC'} NULLS LAST"

    def _within(
        self, column: Column, expression: str, rest: list[str], condition: Condition | Matching, place: str, depth: int
    ) -> str:
        """A test of the value at the end of a path; any element of a list on the way may pass it."""
        if column.kind is Kind.ARRAY and column.item is not None:
            each = f"element_{depth}"
            test = self._within(column.item, each, rest, condition, place, depth + 1)
            return f"coalesce(len(list_filter({expression}, lambda {each}: {test})) > 0, false)"
        if rest:
            inner = self._field(column, rest[0], place)
            expression = f"struct_extract({expression}, {_text(rest[0])})"
            return self._within(inner, expression, rest[1:], condition, place, depth)
        if isinstance(condition, Matching):
            return self._match(column, expression, condition, place)
        return self._test(column, expression, condition, place)

    def _match(self, column: Column, expression: str, condition: Matching, place: str) -> str:
        if column.kind is not Kind.TEXT:
            raise _unfit(place, condition.column, "no pattern, since it is not text")
        if condition.folded:
            folded = f"replace(replace(lower(strip_accents({expression})), 'ø', 'o'), 'æ', 'ae')"
            return f"coalesce(regexp_matches({folded}, {self.bound(condition.pattern)}), false)"
        return f"coalesce(regexp_full_match({expression}, {self.bound(condition.pattern)}), false)"

    def _test(self, column: Column, expression: str, condition: Condition, place: str) -> str:
        op, value, name = condition.op, condition.value, condition.column
        if op is Op.NULL:
            if not isinstance(value, bool):
                raise _unfit(place, name, "true or false with null")
            return f"{expression} IS {'' if value else 'NOT '}NULL"
        if column.kind is Kind.OBJECT:
            raise _unfit(place, name, "null alone, since it is an object: name a field of it")
        if op is Op.IN:
            if not isinstance(value, (list, tuple)) or not value:
                raise _unfit(place, name, "a list of values with in")
            wanted = [_typed(column, each, place, name) for each in value]
            return f"coalesce(list_contains({self.bound(wanted)}, {expression}), false)"
        wanted = _typed(column, value, place, name)
        if op is Op.PREFIX:
            if column.kind is not Kind.TEXT:
                raise _unfit(place, name, "no prefix, since it is not text")
            return f"coalesce(starts_with({expression}, {self.bound(wanted)}), false)"
        return f"coalesce({expression} {_COMPARISONS[op]} {self.bound(wanted)}, false)"

    def _column(self, path: list[str], place: str) -> Column:
        try:
            return self.dataset.column(path[0])
        except KeyError:
            raise _unknown(place) from None

    def _field(self, column: Column, name: str, place: str) -> Column:
        found = {each.name: each for each in column.fields}.get(name)
        if found is None:
            raise _unknown(place)
        return found

    def _hides(self, column: Column) -> bool:
        return self.hidden and column.classification is Classification.PROTECTED

    def _protected(self) -> str:
        self.needs_day |= self.dataset.protection is not None
        return protected(self.dataset)


def _typed(column: Column, value: Any, place: str, name: str) -> Any:
    """A value of JSON as the column's type. Raises SearchInvalid, which does not repeat the value."""
    try:
        match column.kind:
            case Kind.TEXT if isinstance(value, str):
                return value
            case Kind.INTEGER if type(value) is int and abs(value) < 2**63:
                return value
            case Kind.NUMBER if type(value) in (int, float):
                return float(value)
            case Kind.BOOLEAN if isinstance(value, bool):
                return value
            case Kind.DATE if isinstance(value, str):
                return date.fromisoformat(value)
            case Kind.TIMESTAMP if isinstance(value, str):
                return datetime.fromisoformat(value).replace(tzinfo=None)
    except (ValueError, OverflowError):
        pass
    raise _unfit(place, name, f"a value of its type ({column.kind.value})")


def _unfit(place: str, name: str, wanted: str) -> SearchInvalid:
    return SearchInvalid(f"{place}: {name} takes {wanted}", remedy="mend it", rule="search.condition")


def _unknown(place: str) -> SearchInvalid:
    return SearchInvalid(
        f"{place}: the dataset has no such column", remedy="see the columns in GET /openapi.json", rule="search.column"
    )


def _cursor(search: Search, snapshot: SnapshotId, offset: int) -> str:
    text = json.dumps([search.mark(), int(snapshot), offset], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[str, int, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        mark, snapshot, offset = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(mark, str) and type(snapshot) is int and type(offset) is int and 0 <= offset <= FURTHEST:
            return mark, snapshot, offset
    except (binascii.Error, ValueError, TypeError):
        pass
    raise _not_ours()


def _not_ours() -> CursorInvalid:
    return CursorInvalid(
        "the cursor does not belong to this search",
        remedy="start the search anew, without a cursor",
        rule="search.cursor",
    )


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
