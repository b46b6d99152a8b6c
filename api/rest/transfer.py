"""The transfer of one file over HTTPS: conditions, ranges, and an end that is on record before the last piece leaves.

A reader that takes nothing for too long is cut: it would hold its place for ever.
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from api.answer import Answer, Headers
from api.request import Send
from api.rest.pace import LOOK_S, ROOM_BYTES, Pace
from api.rest.ranges import matches, wanted_range
from api.threads import file_slices, in_thread
from api.visit import Visit, keep
from extract import Extract, Manifest
from kernel import Channel, Grant, PlatformError, RowsDelivered, SnapshotId, new_event_id

_log = structlog.get_logger(__name__)


async def finished(visit: Visit, grant: Grant, file: Extract, headers: Headers) -> Answer:
    """A file that is there: with ETag, length and ranges; it stands on the agreement's shelf from now on."""
    shelf, known = visit.doors.shelf, file.manifest
    await in_thread(lambda: shelf.put(grant.agreement, file))
    return await finished_path(visit, grant, known, file.path, headers)


async def finished_path(visit: Visit, grant: Grant, known: Manifest, path: Path, headers: Headers) -> Answer:
    """As `finished`, for a file that stands on the shelf already."""
    request, etag = visit.request, f'"{known.sha256}"'
    digest = base64.b64encode(bytes.fromhex(known.sha256)).decode()
    headers += [
        (b"etag", etag.encode()),
        (b"accept-ranges", b"bytes"),
        (b"repr-digest", f"sha-256=:{digest}:".encode()),
    ]
    snapshot = SnapshotId(known.snapshot)
    if matches(request.text("If-None-Match"), etag):
        visit.answered(grant, status=304, snapshot=snapshot)
        return Answer(304, headers, b"")
    part = wanted_range(request.text("Range"), request.text("If-Range"), etag, known.size_bytes)
    start, stop = part or (0, known.size_bytes)
    headers.append((b"content-length", b"%d" % (stop - start)))
    if part is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, known.size_bytes)))
    status = 200 if part is None else 206
    visit.answered(grant, status=status, snapshot=snapshot)
    if request.method == "HEAD":
        return Answer(status, headers, nothing)
    pace = Pace()
    transfer = Transfer(
        visit, grant, extract=known.plan, snapshot=snapshot, known=known, start=start, stop=stop, pace=pace,
        pieces=file_slices(path, start, stop, lambda: pace.size_bytes),
    )  # fmt: skip
    return Answer(status, headers, transfer.send)


async def nothing(send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


@dataclass(slots=True)
class Transfer:
    """One transfer. Its end is on record before the last piece leaves: nothing is whole that is not accounted for.

    extract       the plan's id
    pace          how large the next piece is
    file          that is being made, to be put on the shelf at its end; None for one that is there
    known         the manifest of a file that is there
    start, stop   where in the file it begins and ends; a stop of None is the end of a file that is being made
    """

    visit: Visit
    grant: Grant
    extract: str
    snapshot: SnapshotId
    pieces: AsyncGenerator[bytes]
    pace: Pace
    file: Extract | None = None
    known: Manifest | None = None
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
            await self._unless_it_stalls(send, b"")
            if not request.connected:
                return
            if self.file is not None:
                await self._to_shelf(self.file)
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

    async def _to_shelf(self, file: Extract) -> None:
        await in_thread(lambda: self.visit.doors.shelf.put(self.grant.agreement, file))

    async def _piece(self, send: Send, piece: bytes) -> None:
        if piece:
            await self._unless_it_stalls(send, piece)
            self._sent += len(piece)
            # A client as fast as the page cache never makes `send` wait; others want their turn too.
            await asyncio.sleep(0)

    async def _unless_it_stalls(self, send: Send, piece: bytes) -> None:
        stall_s, began = self.visit.doors.stall_s, time.monotonic()
        try:
            if self.pace.careful:
                await self._room(stall_s)
            async with asyncio.timeout(stall_s):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            _log.warning("delivery_stalled", trace=self.visit.request.trace, seconds=stall_s)
            self.visit.request.cut()
        else:
            self.pace.sent(len(piece), time.monotonic() - began)

    async def _room(self, stall_s: float) -> None:
        """Return when the system has room for a piece. Raises TimeoutError when nothing is taken for too long."""
        request, (look_s, rarest_s) = self.visit.request, LOOK_S
        unsent, since = request.unsent_bytes, time.monotonic()
        while unsent >= ROOM_BYTES and request.connected:
            await asyncio.sleep(look_s)
            look_s = min(rarest_s, 2 * look_s)
            now = request.unsent_bytes
            if now < unsent:
                since = time.monotonic()
            elif time.monotonic() - since > stall_s:
                raise TimeoutError
            unsent = now

    def _on_record(self, *, whole: bool) -> None:
        visit, grant, known = self.visit, self.grant, self.known
        if known is None and self.file is not None and self.file.ready:
            known = self.file.manifest
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
                extract=self.extract,
                snapshot=self.snapshot,
                rows=0 if known is None else known.rows_between(self.start, self.start + self._sent),
                size_bytes=self._sent,
                whole=whole and (self.stop is None or known is None or self.stop == known.size_bytes),
                timing=visit.request.timing(),
            ),
        )
