"""POST /v1/services/{service}/lookup and GET /v1/services/{service}/records/{key}: the hot road, from bytes to bytes.

identify -> body -> grant -> invoke -> bytes -> ledger -> the answer leaves.
"""

from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import orjson

from api.answer import Answer
from api.errors import BodyInvalid, PersonalKeyInUrl, RecordNotFound
from api.freshness import stamps
from api.moment import FIELDS, moment_of
from api.problem import problem
from api.request import columns_of, nameable
from api.rest.json_body import json_body, object_of, texts_of
from api.threads import in_thread
from api.visit import Visit, today_of
from integrations import LookupAnswer, etag_of, plain
from integrations import lookup as look_up
from kernel import Grant

FEW_KEYS: Final = 32
_FIELDS: Final = frozenset({"key", "keys", "columns", *FIELDS})
_JSON: Final = (b"content-type", b"application/json")
_OPTIONS: Final = orjson.OPT_UTC_Z


async def lookup(visit: Visit) -> Answer:
    """One key: the record, or 404. Many keys: the records that there are, and the keys that have none."""
    request = visit.request
    caller = visit.identify()
    request.parameters()
    body = object_of(await json_body(request))
    keys, columns, one = _parse(body)
    moment = moment_of(body)
    visit.asks_about(keys)
    call, grant = visit.admit(caller, columns)
    dataset, today = visit.dataset, today_of(request)
    if moment is not None:
        past = visit.doors.past
        found = await in_thread(lambda: look_up(call, keys, grant, dataset, past(dataset, moment), today))
    else:
        reader = visit.doors.lookups.reader(dataset.id)
        look = partial(look_up, call, keys, grant, dataset, reader, today)
        # One lookup takes less time than handing it to a thread; a thousand would keep everybody else waiting.
        found = look() if len(keys) <= FEW_KEYS else await in_thread(look)
    return _one(visit, grant, keys[0], found) if one else _many(visit, grant, keys, found)


async def record(visit: Visit) -> Answer:
    """One record by a key in the path, where keys are public."""
    request = visit.request
    caller = visit.identify()
    if not visit.offer.key_is_public:
        raise PersonalKeyInUrl(
            f"{visit.dataset.id} has personal keys, and an address ends up in logs and histories",
            remedy=f"POST the key in the body to /v1/services/{visit.service.name}/lookup",
            rule=f"{visit.dataset.id}.{visit.dataset.key}.classification",
        )
    columns = columns_of(request.parameters("columns"))
    key = unquote(request.last_segment.decode("ascii", "replace"))
    call, grant = visit.admit(caller, columns)
    reader = visit.doors.lookups.reader(visit.dataset.id)
    found = look_up(call, [key], grant, visit.dataset, reader, today_of(request))
    return _one(visit, grant, key, found)


def _one(visit: Visit, grant: Grant, key: str, found: LookupAnswer) -> Answer:
    request, info = visit.request, found.info
    row = found.found.get(key)
    headers = stamps(info, request.trace, request.received, personal=visit.offer.personal)
    if row is None:
        # An answer like any other, in the form of a problem: on record as answered, with status 404.
        refusal = problem(
            RecordNotFound("there is no record with this key that the agreement covers", remedy="check the key"),
            request.trace,
        )
        answer = Answer(404, [refusal.headers[0], *headers], refusal.body)
    else:
        withheld = found.withheld.get(key, ())
        if visit.offer.mastered and not withheld and row.keys() == set(visit.dataset.names):
            headers.append((b"etag", etag_of(plain(row)).encode("ascii")))
        answer = Answer(200, [_JSON, *headers], _bytes(visit, found, {"record": row, "withheld": withheld}))
    size = len(answer.body) if isinstance(answer.body, bytes) else 0
    visit.answered(
        grant, status=answer.status, snapshot=info.snapshot, keys=1, rows=0 if row is None else 1, size_bytes=size
    )
    return answer


def _many(visit: Visit, grant: Grant, keys: list[str], found: LookupAnswer) -> Answer:
    request, info, withheld = visit.request, found.info, found.withheld
    records = [{"key": key, "record": row, "withheld": withheld.get(key, ())} for key, row in found.found.items()]
    body = _bytes(visit, found, {"records": records, "missing": found.missing})
    headers = stamps(info, request.trace, request.received, personal=visit.offer.personal)
    visit.answered(grant, status=200, snapshot=info.snapshot, keys=len(keys), rows=len(records), size_bytes=len(body))
    return Answer(200, [_JSON, *headers], body)


def _bytes(visit: Visit, found: LookupAnswer, content: dict[str, Any]) -> bytes:
    content["service"] = visit.service.name
    content["snapshot"] = found.info.snapshot
    content["as_of"] = found.info.as_of
    content["trace"] = visit.request.trace
    return orjson.dumps(content, option=_OPTIONS)


def _parse(body: dict[str, Any]) -> tuple[list[str], tuple[str, ...] | None, bool]:
    """Keys, columns, and whether one key was asked for by `key`. Raises BodyInvalid, naming the field."""
    if unknown := body.keys() - _FIELDS:
        raise _invalid(f"there is no field {nameable(min(unknown))}")
    columns = body.get("columns")
    if columns is not None:
        columns = tuple(texts_of(columns, "columns"))
    if "key" in body:
        if "keys" in body:
            raise _invalid("the body holds both key and keys")
        if not isinstance(body["key"], str):
            raise _invalid("key is not a text")
        return [body["key"]], columns, True
    if "keys" not in body:
        raise _invalid("the body holds neither key nor keys")
    return texts_of(body["keys"], "keys"), columns, False


def _invalid(what: str) -> BodyInvalid:
    return BodyInvalid(what, remedy='send {"key": "..."} or {"keys": ["..."]}, and "columns": ["..."] to get less')
