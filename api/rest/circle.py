"""A circle of persons over REST: whom a subscriber follows. Personal numbers stand in bodies only.

GET    /v1/services/{service}/circle                   all filters
POST   /v1/services/{service}/circle                   {"add": [{"kind": "number", "value": "..."}], "remove": [...]}
DELETE /v1/services/{service}/circle[?kind=number]     all filters, or all of a kind
"""

from typing import Any, Final

import orjson

from api.answer import Answer
from api.errors import BodyInvalid, ParameterInvalid, RouteUnknown
from api.rest.json_body import json_body, object_of
from api.threads import in_thread
from api.visit import Visit
from extract import Circles, Filter, FilterKind
from kernel import Grant

MOST_AT_ONCE: Final = 1_000
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def shown(visit: Visit) -> Answer:
    caller = visit.identify()
    visit.request.parameters()
    _, grant = visit.admit(caller)
    circles = _circles(visit)
    found = await in_thread(lambda: circles.filters(grant))
    visit.asks_about([each.value for each in found if each.kind is FilterKind.NUMBER])
    return _answer(visit, grant, {"filters": [{"kind": each.kind, "value": each.value} for each in found]})


async def changed(visit: Visit) -> Answer:
    """What became of each, in the order given: those to add, then those to remove; all of it, or nothing."""
    caller = visit.identify()
    visit.request.parameters()
    told = object_of(await json_body(visit.request))
    if not told or set(told) - {"add", "remove"}:
        raise BodyInvalid(
            "the body says neither add nor remove", remedy='send {"add": [...]}, {"remove": [...]} or both'
        )
    added, removed = (_filters(told.get(name, []), name) for name in ("add", "remove"))
    if len(added) + len(removed) > MOST_AT_ONCE:
        raise BodyInvalid("there are too many filters at once", remedy=f"send up to {MOST_AT_ONCE} at a time")
    visit.asks_about([each.value for each in (*added, *removed) if each.kind is FilterKind.NUMBER])
    _, grant = visit.admit(caller)
    circles = _circles(visit)

    said = await in_thread(lambda: circles.change(grant, add=added, remove=removed))
    return _answer(visit, grant, dict(zip(("added", "removed"), said, strict=True)))


async def cleared(visit: Visit) -> Answer:
    caller = visit.identify()
    kind = visit.request.parameters("kind").get("kind")
    if kind is not None and kind not in set(FilterKind):
        raise ParameterInvalid(
            "there is no such kind of filter", remedy=f"kind is one of {', '.join(FilterKind)}", rule="parameter.kind"
        )
    _, grant = visit.admit(caller)
    circles = _circles(visit)
    gone = await in_thread(lambda: circles.clear(grant, None if kind is None else FilterKind(kind)))
    return _answer(visit, grant, {"removed": gone})


def _circles(visit: Visit) -> Circles:
    if visit.doors.circles is None:
        raise RouteUnknown("there are no circles here", remedy="see /docs and /openapi.json")
    return visit.doors.circles


def _filters(told: Any, name: str) -> list[Filter]:
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise BodyInvalid(f"{name} is not a list of filters", remedy='give filters as {"kind": "...", "value": "..."}')
    found = []
    for each in told:
        kind, value = each.get("kind"), each.get("value", "")
        if set(each) - {"kind", "value"} or kind not in set(FilterKind) or not isinstance(value, str):
            raise BodyInvalid(
                f"a filter of {name} is not as it must be",
                remedy=f'give {{"kind": "...", "value": "..."}}; kind is one of {", ".join(FilterKind)}',
            )
        found.append(Filter.of(FilterKind(kind), value))
    return found


def _answer(visit: Visit, grant: Grant, told: dict[str, Any]) -> Answer:
    body = orjson.dumps({**told, "trace": visit.request.trace})
    snapshot = visit.doors.lookups.reader(visit.dataset.id).info.snapshot
    visit.answered(grant, status=200, snapshot=snapshot, keys=len(visit.subjects), size_bytes=len(body))
    return Answer(200, list(_HEADERS), body)
