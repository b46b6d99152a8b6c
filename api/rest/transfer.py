"""The transfer of one file over HTTPS: conditions, ranges, and an end on record before the last piece leaves."""

import base64
import contextlib
from dataclasses import dataclass
from pathlib import Path

import structlog

from api.answer import Answer, Headers
from api.pieces import FileSlices, Pieces
from api.request import Send
from api.rest.outflow import Outflow
from api.rest.ranges import matches, wanted_range
from api.threads import in_thread
from api.visit import Visit
from extract import Extract, ExtractBroken, Manifest, ShelfFull
from kernel import DiskFull, Grant, PlatformError, SnapshotId

_log = structlog.get_logger(__name__)


async def finished(visit: Visit, grant: Grant, file: Extract, headers: Headers) -> Answer:
    """A file that is there: with ETag, length and ranges; it stands on the agreement's shelf from now on, when that has
    room.
    """
    known = file.manifest
    await shelved(visit, grant, file)
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
    # A range is a matter of GET alone (RFC 9110, section 14.2).
    asked = None if request.method == "HEAD" else request.text("Range")
    part = wanted_range(asked, request.text("If-Range"), etag, known.size_bytes)
    start, stop = part or (0, known.size_bytes)
    headers.append((b"content-length", b"%d" % (stop - start)))
    if part is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, known.size_bytes)))
    status = 200 if part is None else 206
    if request.method == "HEAD":
        visit.answered(grant, status=status, snapshot=snapshot)
        return Answer(status, headers, nothing)
    try:
        # Before anything is promised: from here on it is read whole, also when expiry takes its name meanwhile.
        slices = await in_thread(lambda: FileSlices(path, start, stop))
    except FileNotFoundError:
        raise ExtractBroken("the file has expired this moment", remedy="ask for it again", retry_after_s=1) from None
    try:
        visit.answered(grant, status=status, snapshot=snapshot)
    except BaseException:
        await slices.close()
        raise
    transfer = Transfer(
        visit, grant, extract=known.plan, snapshot=snapshot, pieces=slices, flow=Outflow(request, visit.doors.stall_s),
        known=known, start=start, stop=stop,
    )  # fmt: skip
    return Answer(status, headers, transfer.send)


async def shelved(visit: Visit, grant: Grant, file: Extract) -> ShelfFull | DiskFull | None:
    """Put a file on the agreement's shelf; why not, when there is no room. A download goes on all the same."""
    try:
        await in_thread(lambda: visit.doors.shelf.put(grant.agreement, file))
    except (ShelfFull, DiskFull) as refusal:
        _log.warning("not_on_shelf", trace=visit.request.trace, agreement=grant.agreement, code=refusal.code)
        return refusal
    return None


async def nothing(send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


@dataclass(slots=True)
class Transfer:
    """One transfer. Its end is on record before the last piece leaves: nothing is whole that is not accounted for.

    extract       the plan's id
    flow          to its reader
    file          that is being made, to be put on the shelf at its end; None for one that is there
    known         the manifest of a file that is there
    start, stop   where in the file it begins and ends; a stop of None is the end of a file that is being made
    """

    visit: Visit
    grant: Grant
    extract: str
    snapshot: SnapshotId
    pieces: Pieces
    flow: Outflow
    file: Extract | None = None
    known: Manifest | None = None
    start: int = 0
    stop: int | None = None

    async def send(self, send: Send) -> None:
        whole = False
        try:
            last = await self.flow.last_of(self.pieces, send)
            if last is None:
                return
            if self.file is not None:
                await shelved(self.visit, self.grant, self.file)
            self._on_record(self.flow.sent_bytes + len(last), whole=True)
            whole = True
            await send({"type": "http.response.body", "body": last})
        except PlatformError as error:
            # The head has left: all that can be said now is that there is no end.
            _log.warning("delivery_cut", trace=self.visit.request.trace, code=error.code)
        finally:
            if not whole:
                with contextlib.suppress(PlatformError):
                    self._on_record(self.flow.sent_bytes, whole=False)

    def _on_record(self, size_bytes: int, *, whole: bool) -> None:
        known = self.known
        if known is None and self.file is not None and self.file.ready:
            known = self.file.manifest
        self.visit.delivered(
            self.grant,
            extract=self.extract,
            snapshot=self.snapshot,
            rows=0 if known is None else known.rows_between(self.start, self.start + size_bytes),
            size_bytes=size_bytes,
            whole=whole and (self.stop is None or known is None or self.stop == known.size_bytes),
        )
