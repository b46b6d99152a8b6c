"""Drives the road of a live call: does what it wants done, and tells it what came of that. Everything that waits, waits
here.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, Protocol

from api.errors import MediaTypeUnsupported
from api.request import Request
from api.rest.live_sources import SourceClients, Upload
from api.stopwatch import Stopwatch
from api.threads import in_thread
from integrations import Asked, Begin, Exchange, Next, Pause, Read, Reply, Road, SourceTooSlow, Wanted, Work
from kernel import PlatformError

_AGE: Final = re.compile(r"(?:^|,)\s*(?:max-age|max-stale)\s*=\s*\"?([0-9]{1,9})\"?\s*(?=,|$)", re.IGNORECASE)
_NO_CACHE: Final = re.compile(r"(?:^|,)\s*(?:no-cache|no-store)\s*(?=,|$)", re.IGNORECASE)


class Driven(Protocol):
    """The call whose road is driven."""

    @property
    def request(self) -> Request: ...

    @property
    def watch(self) -> Stopwatch: ...


async def drive(road: Road, visit: Driven, clients: SourceClients) -> Reply:
    """The road's answer. Raises what it raises; roads beside it that are under way then are given up."""
    beside = _Beside(clients)
    go: Callable[[], Wanted] = lambda: next(road)  # noqa: E731  the first step of a generator takes no value
    try:
        while True:
            try:
                wanted = go()
            except StopIteration as done:
                reply: Reply = done.value
                return reply
            try:
                came = await _done(wanted, visit, clients, beside)
            except PlatformError as error:
                go = lambda error=error: road.throw(error)  # type: ignore[misc]  # noqa: E731
            else:
                go = lambda came=came: road.send(came)  # type: ignore[misc]  # noqa: E731
    except asyncio.CancelledError:
        # Nobody waits any more; but whom it asked about is put on record.
        with contextlib.suppress(PlatformError, StopIteration):
            road.throw(SourceTooSlow("the call was given up: its time was over", remedy="call again later"))
        raise
    finally:
        road.close()
        await beside.give_up()


async def _done(wanted: Wanted, visit: Driven, clients: SourceClients, beside: "_Beside") -> Any:
    match wanted:
        case Read():
            return await _read(visit.request, wanted)
        case Exchange():
            return await clients.exchange(wanted, visit.watch, visit.request.trace)
        case Pause(seconds=seconds):
            await asyncio.sleep(seconds)
            return None
        case Work(run=run):
            return await in_thread(run)
        case Begin(name=name, visit=other, road=road):
            beside.begin(name, drive(road, other, clients))
            return None
        case Next(timeout_s=timeout_s):
            return await beside.next(timeout_s)


class _Beside:
    """Roads that were begun by one."""

    def __init__(self, clients: SourceClients) -> None:
        self._clients = clients
        self._tasks: dict[asyncio.Task[Reply], str] = {}

    def begin(self, name: str, driving: Any) -> None:
        self._tasks[asyncio.ensure_future(driving)] = name

    async def next(self, timeout_s: float) -> tuple[str, Reply | PlatformError] | None:
        done, _ = await asyncio.wait(self._tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return None
        task = done.pop()
        name = self._tasks.pop(task)
        try:
            reply = task.result()
        except PlatformError as error:
            return name, error
        if not isinstance(reply.body, bytes):
            return name, await self._clients.whole(reply)
        return name, reply

    async def give_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Reply) and not isinstance(outcome.body, bytes):
                await self._clients.drop(outcome)


async def _read(request: Request, wanted: Read) -> Asked:
    """Raises ParameterInvalid, HeaderInvalid, MediaTypeUnsupported, BodyTooLarge; ClientGone."""
    if request.headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
        raise MediaTypeUnsupported("the body is compressed", remedy="send it as it is")
    query = tuple(request.parameters(*sorted(wanted.query)).items())
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers.items()}
    control = request.text("Cache-Control") or ""
    ages = [int(age) for age in _AGE.findall(control)] + [0] * bool(_NO_CACHE.search(control))
    pieces = request.pieces(wanted.most)
    body = await _beginning(pieces, wanted.whole)
    length = request.headers.get(b"content-length", b"")
    return Asked(
        method=request.method,
        query=query,
        headers=headers,
        body=body if len(body) <= wanted.whole else Upload(body, pieces, int(length) if length.isdigit() else None),
        oldest_s=min(ages) if ages else None,
    )


async def _beginning(pieces: AsyncGenerator[bytes], enough: int) -> bytes:
    """The body as far as it is needed to know whether it has more than `enough` bytes."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > enough:
            break
    return bytes(held)
