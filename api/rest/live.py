"""Live services: /v1/services/{service}/call, and where a service is. The road itself is integrations/invoke.py; here
it is driven, its answer becomes bytes, and what it streams is put on record when it ends.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

import orjson
import structlog

from api.answer import Answer, Headers
from api.doors import Doors
from api.freshness import stamps
from api.offer import Offer
from api.request import Send
from api.rest.live_drive import drive
from api.rest.live_sources import Download, SourceClients
from api.stopwatch import Stopwatch
from api.tokens import AccessToken
from api.visit import Visit
from integrations import Asked, Breakers, Desk, Reply, invoke, location
from kernel import AgreementId, Caller, Grant, Operation, PlatformError
from schemas import PassThrough, Redirect, Service

_log = structlog.get_logger(__name__)

LiveRoute = Callable[["LiveVisit"], Awaitable[Answer]]
_ANY: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class LiveVisit(Visit):
    """A call of a live service. Put on record by the road, as soon as the answer is there."""

    __slots__ = ()

    def observe(self, grant: Grant, reply: Reply) -> None:
        size = len(reply.body) if isinstance(reply.body, bytes) else 0
        snapshot = None if reply.info is None else reply.info.snapshot
        self.answered(grant, status=reply.status, snapshot=snapshot, keys=reply.keys, rows=reply.rows, size_bytes=size)

    def beside(self, service: Service, grant: Grant) -> "LiveVisit":
        dataset = None if service.dataset is None else self.doors.registers.dataset(service.dataset)
        operation = Operation.CALL if service.live is not None else Operation.LOOKUP
        return _StepVisit(self, Offer.of(service, dataset), operation, grant)


class _StepVisit(LiveVisit):
    """A call that another one needs: of the same caller, on behalf of the same municipality, under the agreement that
    carries it, whichever that is.
    """

    __slots__ = ("_municipality_cvr",)

    def __init__(self, above: Visit, offer: Offer, operation: Operation, grant: Grant) -> None:
        super().__init__(above.doors, above.request, offer, operation)
        self.watch = Stopwatch(above.watch)
        self._municipality_cvr = grant.municipality_cvr

    def _under(self) -> tuple[AgreementId | None, str | None]:
        return None, self._municipality_cvr

    def _token(self, caller: Caller) -> AccessToken | None:
        # It is for the service above, whose municipality this call has already.
        del caller
        return None

    def _purpose(self, grant: Grant, named: str | None) -> str | None:
        # The purpose that the call names may be one of another agreement.
        return named if named in grant.purposes else None


class Live:
    """The live services of one process, and its connections to their sources."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._clients = SourceClients(doors.sources)
        self._desk = Desk(
            environment=doors.environment,
            monotonic=time.monotonic,
            services={service.name: service for service in doors.registers.services},
            sources=doors.sources,
            breakers=Breakers(),
            dataset=doors.registers.dataset,
            reader=doors.lookups.reader,
            find=doors.find,
            write=doors.write,
            info=lambda name: doors.lookups.reader(name).info,
            changed=doors.changed,
            events=doors.events,
        )

    def offer(self, service: Service) -> Offer:
        registers = self._doors.registers
        return Offer.of(service, None if service.dataset is None else registers.dataset(service.dataset))

    def routes(self, service: Service) -> Iterator[tuple[str, tuple[str, ...], Operation, LiveRoute]]:
        """Path below the service's own, HTTP methods, operation, route."""
        live = service.live
        if isinstance(live, Redirect):
            yield "call", _ANY, Operation.CALL, self.call
            yield "location", ("GET", "HEAD"), Operation.LOCATION, self.where
        elif isinstance(live, PassThrough):
            yield "call", tuple(sorted(live.methods)), Operation.CALL, self.call
        elif Operation.CALL in service.operations:
            yield "call", ("POST",), Operation.CALL, self.call
        if Operation.EVENTS in service.operations:
            yield "subscriptions", ("DELETE", "GET", "HEAD", "POST"), Operation.SUBSCRIPTIONS, self.call
            yield "events", ("POST",), Operation.EVENTS, self.call
        if Operation.UPDATE in service.operations:
            yield "records", ("DELETE", "PATCH", "PUT"), Operation.UPDATE, self.call

    async def call(self, visit: LiveVisit) -> Answer:
        # Of a call that goes elsewhere, nothing but its existence is looked at here.
        elsewhere = isinstance(visit.service.live, Redirect)
        asked = Asked(method=visit.request.method) if elsewhere else None
        reply = await drive(invoke(visit, self._desk, asked), visit, self._clients)
        return _answer(visit, reply)

    async def where(self, visit: LiveVisit) -> Answer:
        """Where a redirected service is, for clients that keep the address."""
        caller = visit.identify()
        visit.request.parameters()
        _, grant = visit.admit(caller)
        live = visit.service.live
        permanent = isinstance(live, Redirect) and live.permanent
        document = {"service": visit.service.name, "location": location(visit.service, self._doors.sources)}
        body = orjson.dumps(document | {"permanent": permanent, "trace": visit.request.trace})
        visit.answered(grant, status=200, size_bytes=len(body))
        return _answer(visit, Reply(fields=(("content-type", "application/json"),), body=body))

    async def close(self) -> None:
        await self._clients.close()


def _answer(visit: LiveVisit, reply: Reply) -> Answer:
    """Never to be kept on the way: what it says may be about anybody.

    Knudepunkt-Answered-By is a Token of RFC 9651 (source, replica, stub, platform); its parameter `why` says what kept
    the source from answering.
    """
    request = visit.request
    by = reply.by if reply.why is None else f"{reply.by};why={reply.why}"
    headers: Headers = [(name.encode("ascii"), text.encode("utf-8")) for name, text in reply.fields]
    headers.append((b"knudepunkt-answered-by", by.encode("ascii")))
    if reply.info is not None:
        headers += stamps(reply.info, request.trace, request.received, personal=True)
    else:
        headers += [(b"knudepunkt-trace", request.trace.encode()), (b"cache-control", b"no-store")]
    if isinstance(reply.body, bytes):
        return Answer(reply.status, headers, reply.body)
    assert isinstance(reply.body, Download)  # noqa: S101  the one kind that the drive hands out
    if reply.body.length is not None:
        headers.append((b"content-length", b"%d" % reply.body.length))
    return Answer(reply.status, headers, partial(_relay, visit, reply.body))


async def _relay(visit: LiveVisit, download: Download, send: Send) -> None:
    """Hand on what the source sends. Its end is on record before the last piece leaves; a broken one has no end."""
    sent, held, whole = 0, b"", False
    try:
        async for piece in download:
            if not visit.request.connected:
                return
            if held:
                # A caller that takes nothing would hold a place at the source.
                async with asyncio.timeout(visit.doors.stall_s):
                    await send({"type": "http.response.body", "body": held, "more_body": True})
                sent += len(held)
            held = piece
        sent += len(held)
        _delivered(visit, sent, whole=True)
        whole = True
        await send({"type": "http.response.body", "body": held})
    except PlatformError as error:
        # The head has left: all that can be said now is that there is no end.
        _log.warning("relay_cut", trace=visit.request.trace, code=error.code)
    except TimeoutError:
        _log.warning("relay_stalled", trace=visit.request.trace, seconds=visit.doors.stall_s)
    finally:
        await download.close()
        if not whole:
            with contextlib.suppress(PlatformError):
                _delivered(visit, sent, whole=False)


def _delivered(visit: LiveVisit, sent: int, *, whole: bool) -> None:
    grant = visit.grant
    assert grant is not None  # noqa: S101  an answer that leaves was admitted
    visit.delivered(grant, size_bytes=sent, whole=whole)
