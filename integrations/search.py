"""The road of one search: what may be searched by, then the records that were found, as a lookup gives them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

from integrations.errors import NotSearchable
from integrations.lookup import LookupAnswer, RecordReader, lookup
from integrations.projection import Row
from kernel import Call, Grant, Limits, SnapshotId
from replica import Condition, Found, Op, Search, SnapshotInfo, columns_in
from schemas import Classification, Dataset, Kind, Service, visible_columns

Finder = Callable[[Dataset, Search], Found]
"""Raises SearchInvalid, CursorInvalid, SearchTooSlow, HistoryExpired."""
ReaderOf = Callable[[SnapshotId], RecordReader]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """page   the records found, in the order of the search
    next   cursor of the next page, None at the end
    total  records in all, when the search was to count them
    """

    page: LookupAnswer
    next: str | None
    total: int | None = None


class KeyFinder(Protocol):
    """Finds rows by a secondary key, in the newest snapshot alone."""

    def find(
        self, column: str, value: Any, limit: int, columns: tuple[str, ...] | None = None
    ) -> tuple[Mapping[str, Row], SnapshotInfo]: ...


def find_by_key(dataset: Dataset, asked: Search, finder: KeyFinder) -> Found | None:
    """What a search for one value of a secondary key finds, without DuckDB; None for any other search."""
    if len(asked.conditions) != 1 or asked.order or asked.cursor is not None or asked.rows:
        return None
    (condition,) = asked.conditions
    if asked.skip or asked.counted or not isinstance(condition, Condition):
        return None
    if condition.op is not Op.EQ or condition.column not in dataset.secondary_keys:
        return None
    column = dataset.column(condition.column)
    if not isinstance(condition.value, str) or column.kind is not Kind.TEXT:
        return None
    if asked.hide_protected_on is not None and column.classification is Classification.PROTECTED:
        return None
    rows, info = finder.find(condition.column, condition.value, asked.limit + 1, (dataset.key,))
    # More than a page: pages are for the search that can go on.
    return Found(keys=tuple(rows), snapshot=info.snapshot, next=None) if len(rows) <= asked.limit else None


def search(
    call: Call, asked: Search, grant: Grant, service: Service, dataset: Dataset, find: Finder, reader_of: ReaderOf,
    today: date,
) -> SearchAnswer:  # fmt: skip
    """Find rows for `call` under `grant`; protection is judged on the day `today` (in Copenhagen).

    The agreement's rows and protection go into the search itself: what the caller may not see neither is found nor is
    counted. Raises NotSearchable, ColumnUnknown, ColumnsNotCovered, and what `find` and `lookup` raise.
    """
    _ensure_searchable(asked, grant, service, dataset)
    visible_columns(dataset, grant, call.columns)
    found = find(dataset, replace(asked, rows=grant.rows, hide_protected_on=None if grant.protected else today))
    # The number of keys that a caller may send says nothing about how many rows a page may have.
    unlimited = replace(grant, limits=Limits(keys_per_call=len(found.keys) + 1))
    page = lookup(call, found.keys, unlimited, dataset, reader_of(found.snapshot), today)
    return SearchAnswer(page=page, next=found.next, total=found.total)


def _ensure_searchable(asked: Search, grant: Grant, service: Service, dataset: Dataset) -> None:
    named = [column for each in asked.conditions for column in columns_in(each)]
    named += [each.column for each in asked.order]
    for number, column in enumerate(named):
        if column not in service.search:
            raise NotSearchable(
                f"column {number + 1} of the search is not one that {service.name} is searched by",
                remedy=f"it is searched by {', '.join(service.search)}",
                rule=f"service.{service.name}.search",
            )
    # What an agreement does not show must not be found out by asking for it, value by value.
    used = tuple(dict.fromkeys(column.partition(".")[0] for column in named))
    if used:
        visible_columns(dataset, grant, used)
