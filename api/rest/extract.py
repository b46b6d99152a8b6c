"""GET /v1/services/{service}/extract: a whole dataset, streamed while it is written, or from the finished file.

identify -> grant -> plan -> file -> ledger -> the first byte leaves. The end is on record before the last piece leaves.
"""

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import unquote

import structlog

from api.answer import Answer, Headers
from api.doors import Moment
from api.errors import FileNotFound, ParameterInvalid
from api.freshness import stamps
from api.moment import FIELDS, moment_of
from api.request import Request, Send, columns_of
from api.rest.ranges import matches, wanted_range
from api.threads import file_slices, in_thread, pulled
from api.visit import Visit, keep, today_of
from extract import (
    Compression,
    Cursor,
    Extract,
    ExtractPlan,
    ExtractRequest,
    Format,
    Manifest,
    plan_extract,
    xml_schema_of,
)
from kernel import Channel, Grant, PlatformError, RowsDelivered, new_event_id
from replica import SnapshotInfo

_log = structlog.get_logger(__name__)

E = TypeVar("E", bound=StrEnum)

_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


async def extract(visit: Visit) -> Answer:
    """The file. Ready: with ETag, Content-Length and Range. Being made: as it grows, and cut if it fails."""
    request = visit.request
    caller = visit.identify()
    wanted, moment = _asked(request)
    _, grant = visit.admit(caller, wanted.columns)
    if moment is None:
        info = visit.doors.lookups.reader(visit.dataset.id).info
    else:
        past = visit.doors.past
        info = await in_thread(lambda: past(visit.dataset, moment).info)
    corrections, today = visit.doors.corrections, today_of(request)
    if wanted.since is None:
        plan = plan_extract(wanted, grant, visit.dataset, info, today)
    else:
        plan = await in_thread(lambda: plan_extract(wanted, grant, visit.dataset, info, today, corrections))
    store = visit.doors.extracts
    # HEAD starts no production: it tells what is known now.
    file = await in_thread(lambda: store.find(plan) if request.method == "HEAD" else store.open(plan))
    headers = stamps(info, request.trace, request.received, personal=visit.offer.personal) + _described(plan)
    if file is not None and file.ready:
        return await _finished(visit, grant, info, file, headers)
    if file is None:
        visit.answered(grant, status=200, snapshot=info.snapshot)
        return Answer(200, headers, _nothing)
    pieces = pulled(file.chunks())
    # Before anything is promised: a production that fails at once is a refusal, not a cut download.
    first = await anext(pieces, b"")
    visit.answered(grant, status=200, snapshot=info.snapshot)
    return Answer(200, headers, _Delivery(visit, grant, file, first=first, pieces=pieces).send)


async def schema(visit: Visit) -> Answer:
    """The schema (XSD) of the service's XML extracts, of all columns; a delta's rows begin with `_operation`."""
    request = visit.request
    caller = visit.identify()
    request.parameters()
    _, grant = visit.admit(caller)
    body = xml_schema_of(visit.dataset)
    visit.answered(grant, status=200, snapshot=visit.doors.lookups.reader(visit.dataset.id).info.snapshot)
    headers = [(b"content-type", b"application/xml"), (b"cache-control", b"no-cache")]
    return Answer(200, [*headers, (b"knudepunkt-trace", request.trace.encode())], body)


async def manifest(visit: Visit) -> Answer:
    """The manifest of a file on the agreement's own shelf."""
    request = visit.request
    caller = visit.identify()
    request.parameters()
    _, grant = visit.admit(caller)
    name = unquote(request.last_segment.decode("ascii", "replace")).removesuffix(".manifest.json")
    found: Manifest | None = None
    if _FILE.fullmatch(name):
        shelf, service = visit.doors.shelf, visit.service.name
        found = await in_thread(lambda: shelf.manifest(grant.agreement, service, name))
    if found is None:
        raise FileNotFound(
            "the agreement's shelf holds no such file",
            remedy="fetch the extract first; name the same agreement as when it was fetched",
        )
    info = visit.doors.lookups.reader(visit.dataset.id).info
    body = found.to_json()
    visit.answered(grant, status=200, snapshot=info.snapshot, size_bytes=len(body))
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    return Answer(200, [*headers, (b"knudepunkt-trace", request.trace.encode())], body)


async def _finished(visit: Visit, grant: Grant, info: SnapshotInfo, file: Extract, headers: Headers) -> Answer:
    request, shelf = visit.request, visit.doors.shelf
    known = file.manifest
    etag = f'"{known.sha256}"'
    digest = base64.b64encode(bytes.fromhex(known.sha256)).decode()
    headers += [
        (b"etag", etag.encode()),
        (b"accept-ranges", b"bytes"),
        (b"repr-digest", f"sha-256=:{digest}:".encode()),
    ]
    await in_thread(lambda: shelf.put(grant.agreement, file))
    if matches(request.text("If-None-Match"), etag):
        visit.answered(grant, status=304, snapshot=info.snapshot)
        return Answer(304, headers, b"")
    part = wanted_range(request.text("Range"), request.text("If-Range"), etag, known.size_bytes)
    start, stop = part or (0, known.size_bytes)
    headers.append((b"content-length", b"%d" % (stop - start)))
    if part is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, known.size_bytes)))
    status = 200 if part is None else 206
    visit.answered(grant, status=status, snapshot=info.snapshot)
    if request.method == "HEAD":
        return Answer(status, headers, _nothing)
    pieces = file_slices(file.path, start, stop)
    return Answer(status, headers, _Delivery(visit, grant, file, start=start, stop=stop, pieces=pieces).send)


async def _nothing(send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


@dataclass(slots=True)
class _Delivery:
    """One transfer. Its end is on record before the last piece leaves: nothing is whole that is not accounted for.

    start, stop   where in the file it begins and ends; a stop of None is the end of a file that is being made
    """

    visit: Visit
    grant: Grant
    file: Extract
    pieces: AsyncGenerator[bytes]
    first: bytes = b""
    start: int = 0
    stop: int | None = None
    _sent: int = field(default=0, init=False)

    async def send(self, send: Send) -> None:
        request, whole = self.visit.request, False
        try:
            held = self.first
            async for piece in self.pieces:
                if not request.connected:
                    return
                await self._piece(send, held)
                held = piece
            # Nothing to send, but it waits until what was sent before has left the buffers.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            if not request.connected:
                return
            if self.stop is None:
                await in_thread(lambda: self.visit.doors.shelf.put(self.grant.agreement, self.file))
            self._sent += len(held)
            self._on_record(whole=True)
            whole = True
            await send({"type": "http.response.body", "body": held})
        except PlatformError as error:
            # The head has left: all that can be said now is that there is no end.
            _log.warning("delivery_cut", trace=self.visit.request.trace, code=error.code)
        finally:
            await self.pieces.aclose()
            if not whole:
                with contextlib.suppress(PlatformError):
                    self._on_record(whole=False)

    async def _piece(self, send: Send, piece: bytes) -> None:
        if piece:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            self._sent += len(piece)
            # A client as fast as the page cache never makes `send` wait; others want their turn too.
            await asyncio.sleep(0)

    def _on_record(self, *, whole: bool) -> None:
        visit, grant, plan = self.visit, self.grant, self.file.plan
        known = self.file.manifest if self.file.ready else None
        keep(
            visit.doors,
            RowsDelivered(
                event=new_event_id(),
                at=visit.doors.clock.now(),
                trace=visit.request.trace,
                channel=Channel.REST,
                service=visit.service.name,
                system=grant.system,
                agreement=grant.agreement,
                terms_hash=grant.terms_hash,
                municipality_cvr=grant.municipality_cvr,
                extract=plan.id,
                snapshot=plan.snapshot,
                rows=0 if known is None else known.rows_between(self.start, self.start + self._sent),
                size_bytes=self._sent,
                whole=whole and (self.stop is None or known is None or self.stop == known.size_bytes),
                timing=visit.request.timing(),
            ),
        )


def _asked(request: Request) -> tuple[ExtractRequest, Moment | None]:
    asked = request.parameters("format", "compression", "columns", "since", "otherwise", *FIELDS)
    since, otherwise = asked.get("since"), asked.get("otherwise")
    if otherwise not in {None, "full"} or (otherwise is not None and since is None):
        raise ParameterInvalid(
            "otherwise does not say what it may",
            remedy="with since, otherwise=full takes the whole dataset when a delta is not possible; else leave it out",
            rule="parameter.otherwise",
        )
    wanted = ExtractRequest(
        format=_one_of(Format, asked, "format", Format.CSV),
        compression=_one_of(Compression, asked, "compression", Compression.NONE),
        columns=columns_of(asked),
        since=None if since is None else Cursor.read(since),
        otherwise_full=otherwise is not None,
    )
    return wanted, moment_of(asked)


def _one_of(kind: type[E], asked: Mapping[str, str], name: str, default: E) -> E:
    try:
        return kind(asked.get(name, default))
    except ValueError:
        raise ParameterInvalid(
            f"there is no such {name}", remedy=f"{name} is one of {', '.join(kind)}", rule=f"parameter.{name}"
        ) from None


def _described(plan: ExtractPlan) -> Headers:
    name = plan.file_name
    fields = [
        (b"content-type", plan.media_type.encode()),
        (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        (b"link", f'</v1/services/{plan.service}/files/{name}.manifest.json>; rel="describedby"'.encode()),
        (b"knudepunkt-extract", plan.kind.encode()),
    ]
    if plan.cursor is not None:
        fields.append((b"knudepunkt-cursor", str(plan.cursor).encode()))
    if plan.full_because is not None:
        fields.append((b"knudepunkt-full-because", plan.full_because.encode()))
    if plan.corrections:
        fields.append((b"knudepunkt-corrections", ", ".join(map(str, plan.corrections)).encode()))
    return fields
