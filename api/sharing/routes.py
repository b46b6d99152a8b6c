"""/sharing/...: the paths of the protocol."""

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import MethodNotAllowed, RouteUnknown
from api.request import Request, Send
from api.rest.ranges import wanted_range
from api.sharing.answers import Question
from api.sharing.desk import FileAddress, SharingDesk, no_file
from api.sharing.errors import SharingRequestInvalid, SharingUnknown
from api.sharing.tables import Asker, asker, asker_again
from api.sharing.words import VERSION_HEADER
from api.threads import file_slices, in_thread
from api.visit import refusal_on_record
from extract import Manifest
from kernel import PlatformError

PREFIX: Final = "/sharing/"
_HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")
_NDJSON: Final = b"application/x-ndjson; charset=utf-8"
_TABLE = r"/shares/(?P<share>[^/]+)/schemas/(?P<schema>[^/]+)/tables/(?P<table>[^/]+)"


class SharingRoutes:
    def __init__(self, doors: Doors, desk: SharingDesk) -> None:
        self._doors, self._desk = doors, desk

    async def __call__(self, request: Request) -> Answer:
        """Whatever is refused is on record first."""
        path, who = request.path.removeprefix(PREFIX.rstrip("/")), None
        try:
            if path.startswith("/files/"):
                return await self._file(request, path.removeprefix("/files/"))
            who = asker(self._doors, self._desk, request)
            return await self._answer(who, path)
        except PlatformError as error:
            raise refusal_on_record(self._doors, request, error, caller=who.caller if who else None) from None

    async def _answer(self, who: Asker, path: str) -> Answer:
        request = who.request
        if found := re.fullmatch(_TABLE + "/(?P<what>version|metadata|query|changes)", path):
            return await self._table(who, **found.groupdict())
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(("GET", "HEAD"))
        request.parameters("maxResults", "pageToken")
        if path == "/shares":
            return _json({"items": [{"name": who.share, "id": who.share}]})
        found = re.fullmatch(r"/shares/(?P<share>[^/]+)(?P<rest>/.*)?", path)
        if found is None:
            raise RouteUnknown("there is nothing under this path", remedy="GET /sharing/shares")
        if found["share"] != who.share:
            raise SharingUnknown("the token has no such share", remedy="GET /sharing/shares", rule="agreement.system")
        return _json(self._listed(who, found["rest"] or ""))

    def _listed(self, who: Asker, rest: str) -> dict[str, Any]:
        tables = who.tables()
        if not rest:
            return {"share": {"name": who.share, "id": who.share}}
        if rest == "/schemas":
            schemas = sorted({each.dataset.register for each in tables})
            return {"items": [{"name": name, "share": who.share} for name in schemas]}
        if rest == "/all-tables":
            return {"items": [each.named(who.share) for each in tables]}
        found = re.fullmatch(r"/schemas/([^/]+)/tables", rest)
        if found is None:
            raise RouteUnknown("there is nothing under this path", remedy="GET /sharing/shares")
        items = [each.named(who.share) for each in tables if each.dataset.register == found[1]]
        if not items:
            raise SharingUnknown("the share has no such schema", remedy=f"GET /sharing/shares/{who.share}/schemas")
        return {"items": items}

    async def _table(self, who: Asker, *, share: str, schema: str, table: str, what: str) -> Answer:
        request = who.request
        posts = what == "query"
        if request.method not in ({"POST"} if posts else {"GET", "HEAD"}):
            raise MethodNotAllowed(("POST",) if posts else ("GET", "HEAD"))
        host = request.text("Host") or ""
        if not _HOST.fullmatch(host):
            raise SharingRequestInvalid("the header Host names no host", remedy="send it", rule="sharing.request")
        question = Question(self._desk, who, who.table(share, schema, table), host)
        work: Callable[[], tuple[int, bytes]]
        if what == "version":
            request.parameters()

            def work() -> tuple[int, bytes]:
                return question.version(), b""
        elif what == "metadata":
            request.parameters()
            work = question.metadata
        elif what == "query":
            request.parameters()
            asked = _document(await request.body())

            def work() -> tuple[int, bytes]:
                return question.query(asked)
        else:
            span = request.parameters("startingVersion", "endingVersion", "includeHistoricalMetadata")

            def work() -> tuple[int, bytes]:
                return question.changes(span)

        version, body = await in_thread(work)
        headers = [(b"content-type", _NDJSON), (b"cache-control", b"no-store"), (VERSION_HEADER, b"%d" % version)]
        return Answer(200, headers, body)

    async def _file(self, request: Request, name: str) -> Answer:
        """The address says it all; it opens nothing that the agreement, as it stands now, does not cover."""
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(("GET", "HEAD"))
        request.parameters()
        desk, doors = self._desk, self._doors
        address = FileAddress.read(name, desk.key, request.received.timestamp())
        table = asker_again(doors, desk, request, address.token, address.service)
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
        etag = f'"{address.plan[:32]}-{size}"'
        part = wanted_range(request.text("Range"), request.text("If-Range"), etag, size)
        start, stop = part or (0, size)
        headers = [
            (b"content-type", b"application/vnd.apache.parquet"), (b"cache-control", b"private, no-store"),
            (b"accept-ranges", b"bytes"), (b"etag", etag.encode()), (b"content-length", b"%d" % (stop - start)),
        ]  # fmt: skip
        if part is not None:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))

        async def send(send: Send) -> None:
            if request.method != "HEAD":
                async for piece in file_slices(path, start, stop):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        return Answer(200 if part is None else 206, headers, send)


def _json(value: dict[str, Any]) -> Answer:
    return Answer(200, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")], orjson.dumps(value))


def _document(body: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise SharingRequestInvalid("the body is no JSON object", remedy="send one", rule="sharing.request")
    return asked
