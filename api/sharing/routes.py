"""/sharing/...: the paths of the protocol."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import MethodNotAllowed, RouteUnknown
from api.lasting import while_allowed
from api.pieces import FileSlices
from api.request import ClientGone, Request, Send
from api.rest.outflow import Outflow
from api.rest.ranges import wanted_range
from api.rest.transfer import nothing
from api.sharing.answers import Question
from api.sharing.capabilities import HEADER, capabilities_of
from api.sharing.desk import SIGNATURE, FileAddress, SharingDesk, no_file
from api.sharing.errors import BODY, SharingRequestInvalid, SharingUnknown, SharingUnsupported
from api.sharing.moments import SPAN
from api.sharing.pages import PARAMETERS, page_of
from api.sharing.tables import Asker, SharedTable, asker, asker_again
from api.sharing.words import VERSION_HEADER
from api.threads import in_thread, in_waiting_thread
from api.unexpected import unexpected
from api.visit import refusal_on_record
from extract import Manifest
from kernel import Caller, Channel, Operation, PlatformError

PREFIX: Final = "/sharing/"
_HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")
_AT_ONCE: Final = 8
"""Files that one process waits for at once, for one agreement."""
_NDJSON: Final = b"application/x-ndjson; charset=utf-8"
_OF_CHANGES: Final = ("includeHistoricalMetadata", "maxFiles", "pageToken")
_TABLE = r"/shares/(?P<share>[^/]+)/schemas/(?P<schema>[^/]+)/tables/(?P<table>[^/]+)"


@dataclass(slots=True)
class _Seen:
    """What is known of a call by now, for its refusal in the record."""

    caller: Caller | None = None
    table: SharedTable | None = None
    operation: Operation | None = None


class SharingRoutes:
    def __init__(self, doors: Doors, desk: SharingDesk) -> None:
        self._doors, self._desk = doors, desk
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def __call__(self, request: Request) -> Answer:
        """Whatever is refused is on record first."""
        path, seen = request.path.removeprefix(PREFIX.rstrip("/")), _Seen()
        try:
            if path.startswith("/files/"):
                return await self._file(request, path.removeprefix("/files/"), seen)
            who = asker(self._doors, self._desk, request)
            seen.caller = who.caller
            return await self._answer(who, path, seen)
        except ClientGone:
            raise
        except PlatformError as error:
            refusal = error
        except Exception as error:
            refusal = unexpected(error, request)
        table = seen.table
        raise refusal_on_record(
            self._doors, request, refusal,
            service=table.service.name if table else None,
            operation=seen.operation,
            caller=seen.caller,
            grant=table.grant if table else None,
            channel=Channel.SHARING,
        )  # fmt: skip

    async def _answer(self, who: Asker, path: str, seen: _Seen) -> Answer:
        request = who.request
        if found := re.fullmatch(_TABLE + "/(?P<what>version|metadata|query|changes)", path):
            return await self._table(who, seen, **found.groupdict())
        if found := re.fullmatch(_TABLE + "/(queries(/.*)?|temporary-table-credentials)", path):
            who.table(found["share"], found["schema"], found["table"])
            raise SharingUnsupported(
                "queries are answered at once, and files have addresses of their own", remedy="POST .../query",
                rule="sharing.request",
            )  # fmt: skip
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(("GET", "HEAD"))
        asked = request.parameters(*PARAMETERS)
        if path == "/shares":
            return _json(page_of([{"name": who.share, "id": who.share}], asked))
        found = re.fullmatch(r"/shares/(?P<share>[^/]+)(?P<rest>/.*)?", path)
        if found is None:
            raise RouteUnknown("there is nothing under this path", remedy="GET /sharing/shares")
        if found["share"].lower() != who.share:
            raise SharingUnknown("the token has no such share", remedy="GET /sharing/shares", rule="agreement.system")
        if not found["rest"]:
            return _json({"share": {"name": who.share, "id": who.share}})
        return _json(page_of(self._listed(who, found["rest"]), asked))

    def _listed(self, who: Asker, rest: str) -> list[dict[str, Any]]:
        tables = who.tables()
        if rest == "/schemas":
            return [{"name": name, "share": who.share} for name in {each.dataset.register for each in tables}]
        if rest == "/all-tables":
            return [each.named(who.share) for each in tables]
        found = re.fullmatch(r"/schemas/([^/]+)/tables", rest)
        if found is None:
            raise RouteUnknown("there is nothing under this path", remedy="GET /sharing/shares")
        items = [each.named(who.share) for each in tables if each.dataset.register == found[1].lower()]
        if not items:
            raise SharingUnknown("the share has no such schema", remedy=f"GET /sharing/shares/{who.share}/schemas")
        return items

    async def _table(self, who: Asker, seen: _Seen, *, share: str, schema: str, table: str, what: str) -> Answer:
        request = who.request
        posts = what == "query"
        if request.method not in ({"POST"} if posts else {"GET", "HEAD"}):
            raise MethodNotAllowed(("POST",) if posts else ("GET", "HEAD"))
        host = request.text("Host") or ""
        if not _HOST.fullmatch(host):
            raise SharingRequestInvalid("the header Host names no host", remedy="send it", rule="sharing.request")
        seen.operation = Operation.EXTRACT if what in {"query", "changes"} else Operation.DESCRIBE
        seen.table = who.table(share, schema, table)
        client = capabilities_of(request.joined(HEADER))
        question = Question(self._desk, who, seen.table, host, client)
        work: Callable[[], tuple[int, bytes]]
        if posts:
            request.parameters()
            work = partial(question.query, _document(await request.body()))
        elif what == "changes":
            work = partial(question.changes, request.parameters(*SPAN, *_OF_CHANGES))
        elif what == "metadata":
            work = partial(question.metadata, request.parameters("version", "timestamp"))
        else:
            work = partial(question.version, request.parameters("startingTimestamp"))

        if seen.operation is Operation.EXTRACT:
            async with self._turn(who.share):
                version, body = await in_waiting_thread(work)
        else:
            version, body = await in_thread(work)
        headers = [(b"content-type", _NDJSON), (b"cache-control", b"no-store"), (VERSION_HEADER, b"%d" % version)]
        return Answer(200, headers + client.told_back(ends=what in {"query", "changes"}), body)

    def _turn(self, agreement: str) -> asyncio.Semaphore:
        """Held while a file is waited for, so that one agreement does not take all threads that do."""
        turn = self._turns.get(agreement)
        if turn is None:
            turn = self._turns[agreement] = asyncio.Semaphore(_AT_ONCE)
        return turn

    async def _file(self, request: Request, name: str, seen: _Seen) -> Answer:
        """The address says it all; it opens nothing that the agreement, as it stands now, does not cover."""
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(("GET", "HEAD"))
        signature = request.parameters(SIGNATURE).get(SIGNATURE, "")
        desk, doors = self._desk, self._doors
        address = FileAddress.read(name, signature, desk.key, request.received.timestamp())
        table = seen.table = asker_again(doors, desk, request, address.token, address.service)
        path = (desk.changes if address.changes else desk.files) / f"{address.plan}.parquet"

        def looked() -> tuple[Manifest, int]:
            manifest = Manifest.from_json((desk.files / f"{address.plan}.manifest.json").read_bytes())
            return manifest, path.stat().st_size

        try:
            manifest, size = await in_thread(looked)
        except FileNotFoundError:
            raise no_file() from None
        if not manifest.covered_by(table.grant):
            raise no_file()

        def ensure() -> None:
            now = asker_again(doors, desk, request, address.token, address.service, doors.clock.now())
            if not manifest.covered_by(now.grant):
                raise no_file()

        etag = f'"{address.plan[:32]}-{size}"'
        part = wanted_range(request.text("Range"), request.text("If-Range"), etag, size)
        start, stop = part or (0, size)
        headers = [
            (b"content-type", b"application/vnd.apache.parquet"), (b"cache-control", b"private, no-store"),
            (b"accept-ranges", b"bytes"), (b"etag", etag.encode()), (b"content-length", b"%d" % (stop - start)),
        ]  # fmt: skip
        if part is not None:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))

        status = 200 if part is None else 206
        if request.method == "HEAD":
            return Answer(status, headers, nothing)
        try:
            pieces = await in_thread(lambda: FileSlices(path, start, stop))
        except FileNotFoundError:
            raise no_file() from None

        async def send(send: Send) -> None:
            last = await Outflow(request, doors.stall_s).last_of(pieces, send)
            if last is not None:
                await send({"type": "http.response.body", "body": last})

        return Answer(status, headers, while_allowed(request, ensure, send))


def _json(value: dict[str, Any]) -> Answer:
    return Answer(
        200,
        [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store")],
        orjson.dumps(value),
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise SharingRequestInvalid("the body is no JSON object", remedy="send one", rule=BODY)
    return asked
