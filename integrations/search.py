"""The road of one search: what may be searched by, then the records that were found, as a lookup gives them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from integrations.errors import NotSearchable
from integrations.invoke import LookupAnswer, RecordReader, lookup
from kernel import Call, Grant, Limits, SnapshotId
from replica import Found, Search
from schemas import Dataset, Service, visible_columns

Finder = Callable[[Dataset, Search], Found]
"""Raises SearchInvalid, CursorInvalid, SearchTooSlow, HistoryExpired."""
ReaderOf = Callable[[SnapshotId], RecordReader]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """page   the records found, in the order of the search
    next   cursor of the next page, None at the end
    """

    page: LookupAnswer
    next: str | None


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
    return SearchAnswer(page=page, next=found.next)


def _ensure_searchable(asked: Search, grant: Grant, service: Service, dataset: Dataset) -> None:
    named = [each.column for each in asked.conditions] + [each.column for each in asked.order]
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
