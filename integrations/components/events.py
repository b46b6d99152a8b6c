"""The event broker: what changes in a dataset, told as CloudEvents to who subscribes to it.

A subscription says which rows and which columns are of interest; it begins now. What is told is the difference between
the dataset as the subscriber saw it and as it sees it, in the agreement's view and the subscription's: who moves into
the rows is an insert, who moves out a delete. An event tells the key and what became of it, nothing of the record: who
needs that looks it up. A page is fetched by a cursor, and the cursor of the last page is the receipt for it, so every
change is told at least once.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Self

import orjson

from integrations.asked import Reply, Road, Work
from integrations.carried import Carried, Changed
from integrations.components.input import fields_of
from integrations.errors import CursorUnknown, EventsNotOffered, EventViewChanged, InputInvalid
from integrations.event_store import EventSubscription, EventSubscriptions
from integrations.lookup import today_of
from integrations.passthrough import JSON
from kernel import Grant, Operation, SnapshotId
from replica import AsOf, SnapshotInfo, View
from schemas import ColumnsNotCovered, Dataset, visible_columns

MOST_EVENTS: Final = 1_000
MOST_VALUES: Final = 1_000
_WORDS: Final = {"insert": "inserted", "update": "updated", "delete": "deleted"}
_POINT: Final = r"([1-9][0-9]{0,14})\.(0|[0-9]{8})"
_CURSOR: Final = re.compile(rf"{_POINT}(?:_{_POINT}_([0-9]{{1,12}}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subscriber stands: at `since`, or behind the first `skip` changes between `since` and `until`."""

    since: AsOf
    until: AsOf | None = None
    skip: int = 0

    def __str__(self) -> str:
        return _text(self.since) if self.until is None else f"{_text(self.since)}_{_text(self.until)}_{self.skip}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises CursorUnknown."""
        found = _CURSOR.fullmatch(text)
        try:
            if found is None:
                raise ValueError
            since = _moment(found[1], found[2])
            return cls(since) if found[3] is None else cls(since, _moment(found[3], found[4]), int(found[5]))
        except ValueError:
            raise CursorUnknown(
                "after is not a cursor of events",
                remedy="send the `cursor` of the last page as it is",
                rule="body.after",
            ) from None


def event_broker(carried: Carried) -> Road:
    """POST .../subscriptions begins one, GET lists, DELETE ends; POST .../events fetches a page."""
    store = carried.desk.events
    if store is None:
        raise EventsNotOffered("this process tells no events", remedy="ask the operator")
    if carried.call.operation is Operation.EVENTS:
        return (yield from _events(carried, store))
    match carried.asked.method:
        case "POST":
            return (yield from _begin(carried, store))
        case "DELETE":
            ended = _text_field(fields_of(carried, "id"), "id")
            yield Work(lambda: store.end(ended, carried.grant.system, carried.service.name))
            return Reply(status=204)
        case _:
            held = yield Work(lambda: store.listed(carried.grant.system, carried.service.name))
            return _answer({"subscriptions": [_shown(each) for each in held]}, rows=len(held))


def _begin(carried: Carried, store: EventSubscriptions) -> Road:
    dataset, grant = _dataset(carried), carried.grant
    body = fields_of(carried, "where", "columns")
    where, watched = _where(body.get("where", {}), grant, dataset), _watched(body.get("columns"), grant, dataset)
    info = carried.desk.info(dataset.id)
    cursor = str(Place(AsOf(snapshot=info.snapshot, day=_day(carried, dataset))))
    made: EventSubscription = yield Work(
        lambda: store.add(
            system=grant.system, agreement=grant.agreement, service=carried.service.name, where=where, watched=watched,
            view=_hash(grant, where, watched), cursor=cursor, at=carried.call.received,
        )
    )  # fmt: skip
    return _answer(_shown(made), status=201, rows=1, info=info)


def _events(carried: Carried, store: EventSubscriptions) -> Road:
    dataset, grant = _dataset(carried), carried.grant
    body = fields_of(carried, "subscription", "after", "limit")
    name, limit = _text_field(body, "subscription"), _limit(body.get("limit", 100))
    subscription: EventSubscription = yield Work(lambda: store.get(name, grant.system, carried.service.name))
    if subscription.view != _hash(grant, subscription.where, subscription.watched):
        raise EventViewChanged(
            "the agreement shows other rows or columns than when the subscription began",
            remedy="end it, begin another, and look up or extract what is to be known from now on",
            rule="agreement.view",
            owner=f"municipality {grant.municipality_cvr}",
        )
    after = body.get("after")
    place = Place.read(subscription.cursor if after is None else _text_field(body, "after"))
    if after is not None and after != subscription.cursor:
        yield Work(lambda: store.confirm(subscription.id, str(place)))
    info = carried.desk.info(dataset.id)
    until = place.until or AsOf(snapshot=max(info.snapshot, place.since.snapshot), day=_day(carried, dataset))
    found: list[Changed] = []
    if until != place.since:
        view = View(columns=subscription.watched, rows=_rows(grant, subscription.where))
        changed = carried.desk.changed
        found = yield Work(lambda: changed(dataset, view, place.since, until, place.skip, limit + 1))
    page, more = found[:limit], len(found) > limit
    carried.visit.asks_about([key for _, key in page])
    next_place = Place(place.since, until, place.skip + limit) if more else Place(until)
    events = [
        _event(carried, dataset, subscription, f"{_text(place.since)}_{_text(until)}_{place.skip + number}", each)
        for number, each in enumerate(page)
    ]
    return _answer({"events": events, "cursor": str(next_place), "more": more}, rows=len(events), info=info)


def _event(
    carried: Carried, dataset: Dataset, subscription: EventSubscription, mark: str, changed: Changed
) -> dict[str, Any]:
    """In CloudEvents 1.0, JSON format. The key is in `data`: the other fields may end up in logs."""
    operation, key = changed
    return {
        "specversion": "1.0",
        "id": hashlib.sha256(f"{subscription.id} {mark}".encode()).hexdigest()[:32],
        "source": f"/v1/services/{carried.service.name}",
        "type": f"dk.knudepunkt.record.{_WORDS[operation]}",
        "dataset": dataset.id,
        "time": carried.call.received,
        "datacontenttype": "application/json",
        "data": {"key": key},
    }


def _dataset(carried: Carried) -> Dataset:
    dataset_id = carried.service.dataset
    assert dataset_id is not None  # noqa: S101  as the descriptor's review holds
    return carried.desk.dataset(dataset_id)


def _day(carried: Carried, dataset: Dataset) -> date | None:
    """On which protection is judged; None when nothing is withheld."""
    return None if carried.grant.protected or dataset.protection is None else today_of(carried.call)


def _where(given: Any, grant: Grant, dataset: Dataset) -> dict[str, frozenset[str]]:
    """Raises InputInvalid, ColumnUnknown, ColumnsNotCovered."""
    right = isinstance(given, dict) and all(
        isinstance(values, list) and 0 < len(values) <= MOST_VALUES and all(isinstance(each, str) for each in values)
        for values in given.values()
    )
    if not right:
        raise InputInvalid(
            "where is not columns with lists of texts", remedy='send {"municipality_code": ["0851"]}', rule="body.where"
        )
    if given:
        visible_columns(dataset, grant, tuple(given))
        if not grant.protected and (hidden := set(given) & set(dataset.protected_columns)):
            # Whether somebody turns up under a hidden name would tell that name.
            raise ColumnsNotCovered(
                f"the agreement does not show {', '.join(sorted(hidden))} of protected persons",
                remedy="leave it out of where",
                rule="agreement.protected",
                owner=f"municipality {grant.municipality_cvr}",
            )
    return {column: frozenset(values) for column, values in given.items()}


def _watched(given: Any, grant: Grant, dataset: Dataset) -> tuple[str, ...]:
    """The columns whose changes are told, the key with them. Raises InputInvalid, ColumnUnknown, ColumnsNotCovered."""
    if given is not None and not (isinstance(given, list) and given and all(isinstance(each, str) for each in given)):
        raise InputInvalid("columns is not a list of texts", remedy='send ["status"]', rule="body.columns")
    asked = None if given is None else tuple(dict.fromkeys((dataset.key, *given)))
    seen = visible_columns(dataset, grant, asked)
    if dataset.key not in seen:
        visible_columns(dataset, grant, (dataset.key,))
    return tuple(seen)


def _rows(grant: Grant, where: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Those of the agreement and those of the subscription."""
    both = dict(grant.rows)
    for column, values in where.items():
        both[column] = values & both[column] if column in both else values
    return both


def _hash(grant: Grant, where: Mapping[str, frozenset[str]], watched: tuple[str, ...]) -> str:
    rows = {column: sorted(values) for column, values in _rows(grant, where).items()}
    shown = orjson.dumps([rows, watched, grant.protected], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(shown).hexdigest()


def _text_field(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or len(value) > 200:
        raise InputInvalid(f"{name} is not a text", remedy=f'send {{"{name}": "..."}}', rule=f"body.{name}")
    return value


def _limit(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MOST_EVENTS:
        raise InputInvalid(f"limit is not a number up to {MOST_EVENTS}", remedy="leave it out", rule="body.limit")
    return int(value)


def _shown(subscription: EventSubscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "where": {column: sorted(values) for column, values in subscription.where.items()},
        "columns": subscription.watched,
        "cursor": subscription.cursor,
        "created": subscription.created,
    }


def _answer(document: dict[str, Any], *, status: int = 200, rows: int = 0, info: SnapshotInfo | None = None) -> Reply:
    body = orjson.dumps(document, option=orjson.OPT_UTC_Z)
    return Reply(status=status, fields=JSON, body=body, info=info, rows=rows)


def _text(moment: AsOf) -> str:
    return f"{moment.snapshot}.{f'{moment.day:%Y%m%d}' if moment.day else 0}"


def _moment(snapshot: str, day: str) -> AsOf:
    return AsOf(snapshot=SnapshotId(int(snapshot)), day=None if day == "0" else date.fromisoformat(day))
