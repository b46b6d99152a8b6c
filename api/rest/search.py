"""POST /v1/services/{service}/search: records that meet conditions, page by page."""

from functools import partial
from typing import Any, Final

import orjson

from api.answer import Answer
from api.errors import BodyInvalid
from api.freshness import stamps
from api.moment import FIELDS, moment_of
from api.request import nameable
from api.rest.json_body import json_body, object_of, texts_of
from api.threads import in_thread
from api.visit import Visit, today_of
from integrations import SearchAnswer, find_by_key
from integrations import search as find_out
from kernel import Call, Grant, SnapshotId
from replica import Condition, Found, Op, Order, Search
from schemas import Dataset

_FIELDS: Final = frozenset({"where", "sort", "limit", "cursor", "columns", *FIELDS})
_OPS: Final = {op.value: op for op in Op}
_MOST_CONDITIONS: Final = 20
_MOST_ORDERS: Final = 5
_MOST_VALUES: Final = 1_000
_LONGEST_VALUE: Final = 500
_LONGEST_CURSOR: Final = 200
_REMEDY: Final = (
    'send {"where": [{"column": "...", "eq": "..."}], "sort": ["...", "-..."], "limit": 50}; '
    f"conditions are {', '.join(_OPS)}"
)


async def search(visit: Visit) -> Answer:
    """Records that meet all conditions. What is found is on record, as if each had been looked up."""
    request = visit.request
    caller = visit.identify()
    request.parameters()
    body = object_of(await json_body(request))
    asked, moment = parse(body), moment_of(body)
    columns = tuple(texts_of(body["columns"], "columns")) if body.get("columns") is not None else None
    call, grant = visit.admit(caller, columns)
    answer = await in_thread(partial(searched, visit, call, grant, asked, moment))
    page = answer.page
    visit.asks_about(list(page.found))
    records = [{"key": key, "record": row, "withheld": page.withheld.get(key, ())} for key, row in page.found.items()]
    content: dict[str, Any] = {
        "records": records, "service": visit.service.name, "snapshot": page.info.snapshot, "as_of": page.info.as_of,
        "trace": request.trace,
    }  # fmt: skip
    if answer.next is not None:
        content["next"] = answer.next
    data = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    visit.answered(grant, status=200, snapshot=page.info.snapshot, rows=len(records), size_bytes=len(data))
    headers = stamps(page.info, request.trace, request.received, personal=visit.offer.personal)
    return Answer(200, [(b"content-type", b"application/json"), *headers], data)


def searched(visit: Visit, call: Call, grant: Grant, asked: Search, moment: Any) -> SearchAnswer:
    doors, dataset = visit.doors, visit.dataset
    newest = doors.lookups.reader(dataset.id)
    info = newest.info if moment is None else doors.past(dataset, moment).info

    def reader_of(snapshot: SnapshotId) -> Any:
        # Segments hold the newest snapshot alone, and may have gone on since the search began.
        return newest if newest.info.snapshot == snapshot else doors.past(dataset, snapshot)

    def find(dataset: Dataset, search: Search) -> Found:
        found = find_by_key(dataset, search, newest) if moment is None else None
        return found or doors.find(dataset, search, info.snapshot)

    today = today_of(visit.request)
    return find_out(call, asked, grant, visit.service, dataset, find, reader_of, today)


def parse(body: dict[str, Any]) -> Search:
    """The search in a body. Raises BodyInvalid, naming the field."""
    if unknown := body.keys() - _FIELDS:
        raise _invalid(f"there is no field {nameable(min(unknown))}")
    where, sort = body.get("where", []), body.get("sort", [])
    if not isinstance(where, list) or len(where) > _MOST_CONDITIONS:
        raise _invalid(f"where is not a list of at most {_MOST_CONDITIONS} conditions")
    if not isinstance(sort, list) or len(sort) > _MOST_ORDERS or not all(isinstance(each, str) for each in sort):
        raise _invalid(f"sort is not a list of at most {_MOST_ORDERS} columns")
    limit, cursor = body.get("limit", 50), body.get("cursor")
    if type(limit) is not int:
        raise _invalid("limit is not a whole number")
    if cursor is not None and (not isinstance(cursor, str) or len(cursor) > _LONGEST_CURSOR):
        raise _invalid("cursor is not a cursor")
    return Search(
        conditions=tuple(condition for number, each in enumerate(where) for condition in _conditions(each, number)),
        order=tuple(Order(column=each.removeprefix("-"), descending=each.startswith("-")) for each in sort),
        limit=limit,
        cursor=cursor,
    )


def _conditions(given: Any, number: int) -> list[Condition]:
    """One entry of `where`: a column, and one or more conditions on it."""
    if not isinstance(given, dict) or not isinstance(given.get("column"), str):
        raise _invalid(f"condition {number + 1} names no column")
    named = [name for name in given if name != "column"]
    if not named:
        raise _invalid(f"condition {number + 1} says nothing about its column")
    for name in named:
        if name not in _OPS:
            raise _invalid(f"condition {number + 1} holds {nameable(name)}, which is no condition")
        values = given[name] if isinstance(given[name], list) else [given[name]]
        if len(values) > _MOST_VALUES or any(isinstance(each, str) and len(each) > _LONGEST_VALUE for each in values):
            most = f"{_MOST_VALUES:,} values, or one of more than {_LONGEST_VALUE} signs"
            raise _invalid(f"condition {number + 1} has more than {most}")
    return [Condition(column=given["column"], op=_OPS[name], value=given[name]) for name in named]


def _invalid(what: str) -> BodyInvalid:
    return BodyInvalid(what, remedy=_REMEDY)
