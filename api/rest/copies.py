"""/v1/services/{service}/copy: whether a consumer's copy is what it should be, and the rows where it is not.

Keys stand in bodies, never in an address. Digests are streamed as they are made, and end with a line that says so: an
answer without it was cut.
"""

import dataclasses
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from typing import Any, Final

import orjson
import pyarrow as pa

from api.answer import Answer, Headers
from api.errors import BodyInvalid
from api.freshness import stamps
from api.lasting import patient
from api.moment import FIELDS as MOMENTS
from api.moment import moment_of
from api.request import Request, Send, nameable
from api.rest.extract_request import Planned, planned
from api.rest.json_body import json_body, object_of, texts_of
from api.threads import in_thread, pulled
from api.visit import Visit
from extract import CopyTooLarge, DeltaNeedsKey, ExtractRequest, Format, digests, encode
from kernel import Caller

MOST_ROWS: Final = 10_000
"""Of one part, and so of what is fetched anew at once."""
DEFAULT_ROWS: Final = 2_000
_FLUSH_BYTES: Final = 16 * 1024
_FORMATS: Final = (Format.NDJSON, Format.ARROW)


async def proof(visit: Visit) -> Answer:
    """The digests of all that the agreement shows, part by part."""
    caller = visit.identify()
    body = await _body(visit.request, "part_rows")
    part_rows = body.get("part_rows", DEFAULT_ROWS)
    if type(part_rows) is not int or not 0 < part_rows <= MOST_ROWS:
        raise BodyInvalid(f"part_rows is not a number from 1 to {MOST_ROWS}", remedy=f"leave it out for {DEFAULT_ROWS}")
    wanted = await _planned(visit, caller, body)
    read = visit.doors.rows

    def lines() -> Iterator[bytes]:
        rows, held = 0, bytearray()
        for part in digests(read(wanted.plan, None), visit.dataset.key, part_rows):
            rows += part.rows
            held += orjson.dumps(dataclasses.asdict(part)) + b"\n"
            if len(held) >= _FLUSH_BYTES:
                yield bytes(held)
                held.clear()
        yield bytes(held) + orjson.dumps({"end": True, "rows": rows}) + b"\n"

    pieces = pulled(lines())
    first = await anext(pieces)
    visit.answered(wanted.grant, status=200, snapshot=wanted.plan.snapshot)
    return Answer(200, _headers(visit, wanted), partial(_stream, visit, first, pieces))


async def rows(visit: Visit) -> Answer:
    """The rows from one key on and before another, as NDJSON or as an Arrow stream. Raises CopyTooLarge."""
    caller = visit.identify()
    body = await _body(visit.request, "low", "high", "format")
    kind = next((each for each in _FORMATS if each == body.get("format", Format.NDJSON)), None)
    if kind is None:
        raise BodyInvalid("format is none that rows are sent in", remedy=f"send {' or '.join(_FORMATS)}")
    bounds = tuple(body.get(name) for name in ("low", "high"))
    if not all(each is None or isinstance(each, str) for each in bounds):
        raise BodyInvalid("low or high is not a text", remedy="send them as a part of the proof has them")
    wanted = await _planned(visit, caller, body)
    read = visit.doors.rows

    def text() -> tuple[bytes, int]:
        batches: list[pa.RecordBatch] = []
        count = 0
        found = read(wanted.plan, (bounds[0], bounds[1]))
        for batch in found:
            count += batch.num_rows
            if count > MOST_ROWS:
                raise CopyTooLarge(
                    f"there are more than {MOST_ROWS} rows between those keys",
                    remedy="ask for one part of the proof at a time; for everything, fetch an extract",
                    rule="copy.rows",
                )
            batches.append(batch)
        return b"".join(encode(kind, found.schema, batches)), count

    data, count = await in_thread(text)
    visit.answered(wanted.grant, status=200, snapshot=wanted.plan.snapshot, rows=count, size_bytes=len(data))
    return Answer(200, _headers(visit, wanted, kind), data)


async def _stream(visit: Visit, first: bytes, pieces: AsyncGenerator[bytes], send: Send) -> None:
    try:
        piece: bytes | None = first
        # Who takes nothing must not keep a snapshot from expiring.
        hand_on = patient(visit.request, visit.doors.stall_s, send)
        while piece is not None and visit.request.connected:
            await hand_on({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await anext(pieces, None)
        if piece is None:
            await send({"type": "http.response.body", "body": b""})
    finally:
        await pieces.aclose()


async def _body(request: Request, *names: str) -> dict[str, Any]:
    request.parameters()
    body = object_of(await json_body(request))
    allowed = ("columns", *MOMENTS, *names)
    if unknown := body.keys() - set(allowed):
        raise BodyInvalid(f"there is no field {nameable(min(unknown))}", remedy=f"it takes {', '.join(allowed)}")
    return body


async def _planned(visit: Visit, caller: Caller, body: dict[str, Any]) -> Planned:
    """Raises DeltaNeedsKey where rows cannot be told apart."""
    columns = body.get("columns")
    chosen = None if columns is None else tuple(texts_of(columns, "columns"))
    wanted = await planned(visit, caller, ExtractRequest(format=Format.NDJSON, columns=chosen), moment_of(body))
    if not wanted.plan.keyed:
        raise DeltaNeedsKey(
            f"{visit.dataset.key} is not among the columns, and nothing else says which row is which",
            remedy=f"ask for {visit.dataset.key} too, or have the agreement extended with it",
            rule="copy.key",
        )
    return wanted


def _headers(visit: Visit, wanted: Planned, kind: Format = Format.NDJSON) -> Headers:
    request, plan = visit.request, wanted.plan
    found = stamps(wanted.info, request.trace, request.received, personal=visit.offer.personal)
    found.append((b"content-type", kind.media_type.encode()))
    found.append((b"knudepunkt-key", visit.dataset.key.encode()))
    if plan.cursor is not None:
        found.append((b"knudepunkt-cursor", str(plan.cursor).encode()))
    return found
