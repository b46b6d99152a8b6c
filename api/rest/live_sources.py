"""Connections to sources: one pool for each, which is also its bulkhead, TLS with the platform's own certificate, and
what may come back.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, NoReturn

import httpx2

from api.stopwatch import Stopwatch
from api.trace import child_of
from integrations import (
    Came,
    Exchange,
    LiveSource,
    Piecewise,
    Reply,
    SourceAnswerInvalid,
    SourceBusy,
    SourceNotConfigured,
    SourceTooSlow,
    SourceUnreachable,
)
from kernel import TraceId

FIRST_BYTES: Final = 64 * 1024
"""An answer up to this size is whole before it leaves: until then a source that breaks off is a refusal, not a cut."""
WHOLE_BYTES: Final = 1024 * 1024
"""The longest answer of a step."""
STALLED_S: Final = 30.0
LEAST_BYTES_PER_S: Final = 10_000
"""An answer that has begun to leave may keep us waiting for so long, and for so much longer as what came is worth: one
that drips would hold a place at its source for ever.
"""


class Upload(Piecewise):
    """A request body on its way in. Can be read once."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes], length: int | None) -> None:
        self._first, self._rest, self.length = first, rest, length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._first
        async for piece in self._rest:
            yield piece


class Download(Piecewise):
    """A source's answer on its way out. Can be read once; closed by whoever reads it."""

    def __init__(
        self, wanted: Exchange, response: httpx2.Response, first: bytes, rest: AsyncIterator[bytes], length: int | None
    ) -> None:
        self._wanted, self._response, self._first, self._rest, self.length = wanted, response, first, rest, length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises SourceUnreachable, SourceTooSlow, SourceAnswerInvalid."""
        size, waited_s = len(self._first), 0.0
        yield self._first
        with _failures(self._wanted.source):
            while True:
                # Only waiting for the source counts: a caller that reads slowly is no fault of its.
                began = time.monotonic()
                async with asyncio.timeout(max(0.0, STALLED_S + size / LEAST_BYTES_PER_S - waited_s)):
                    piece = await anext(self._rest, b"")
                waited_s += time.monotonic() - began
                if not piece:
                    return
                size += len(piece)
                if size > self._wanted.most_bytes:
                    _too_large(self._wanted)
                yield piece

    async def close(self) -> None:
        await self._response.aclose()


class SourceClients:
    """Of one process, on one loop. A client is made with the first call of its source."""

    def __init__(self, sources: Mapping[str, LiveSource]) -> None:
        self._sources = sources
        self._clients: dict[str, httpx2.AsyncClient] = {}

    async def exchange(self, wanted: Exchange, watch: Stopwatch, trace: TraceId) -> Came:
        """Raises SourceBusy, SourceUnreachable, SourceTooSlow, SourceAnswerInvalid; and what reading a body does."""
        watch.leaves()
        try:
            if wanted.hedge_s is None:
                return await self._once(wanted, trace)
            return await self._hedged(wanted, trace, wanted.hedge_s)
        finally:
            watch.returns()

    async def whole(self, reply: Reply) -> Reply:
        """A reply that was to be streamed, with its body in memory: an answer of up to a mebibyte. Raises nothing for a
        longer one, which is then no JSON.
        """
        download = reply.body
        if not isinstance(download, Download):
            return reply
        held = bytearray()
        try:
            async for piece in download:
                held += piece
                if len(held) > WHOLE_BYTES:
                    return replace(reply, body=b"-")
        except (SourceUnreachable, SourceTooSlow, SourceAnswerInvalid):
            return replace(reply, body=b"-")
        finally:
            await download.close()
        return replace(reply, body=bytes(held))

    async def drop(self, reply: Reply) -> None:
        if isinstance(reply.body, Download):
            await reply.body.close()

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _hedged(self, wanted: Exchange, trace: TraceId, hedge_s: float) -> Came:
        """Whichever of two comes first; the second is sent when the first keeps us waiting."""
        tasks = {asyncio.ensure_future(self._once(wanted, trace))}
        try:
            done, _ = await asyncio.wait(tasks, timeout=hedge_s)
            if not done:
                tasks.add(asyncio.ensure_future(self._once(wanted, trace)))
            while True:
                done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                good = [task for task in done if task.exception() is None]
                if good or not waiting:
                    task = (good or list(done))[0]
                    tasks.discard(task)
                    return task.result()
                tasks = waiting
        finally:
            for task in tasks:
                task.cancel()
            for late in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(late, Came) and isinstance(late.body, Download):
                    await late.body.close()

    async def _once(self, wanted: Exchange, trace: TraceId) -> Came:
        source, client = self._sources[wanted.source], self._client(wanted.source)
        fields: list[tuple[str, str]] = [
            *wanted.fields, ("accept-encoding", "identity"), ("traceparent", child_of(trace)),
        ]  # fmt: skip
        content: Any = wanted.body or None
        if isinstance(content, Upload) and content.length is not None:
            fields.append(("content-length", str(content.length)))
        response: httpx2.Response | None = None
        kept = False
        try:
            with _failures(wanted.source):
                async with asyncio.timeout(wanted.timeout_s):
                    request = client.build_request(
                        wanted.method, source.url + wanted.path, params=wanted.query or None, headers=fields,
                        content=content, timeout=httpx2.Timeout(
                            wanted.timeout_s, connect=min(source.connect_s, wanted.timeout_s), pool=source.wait_s
                        ),
                    )  # fmt: skip
                    response = await client.send(request, stream=True)
                    came = await self._came(wanted, response)
            kept = isinstance(came.body, Download)
            return came
        finally:
            if response is not None and not kept:
                await response.aclose()

    async def _came(self, wanted: Exchange, response: httpx2.Response) -> Came:
        """What came, whole when it is small. Raises SourceAnswerInvalid."""
        fields = dict(response.headers.items())
        if 300 <= response.status_code < 400 and response.status_code != 304:
            raise _invalid(wanted, "points elsewhere")
        if fields.get("content-encoding", "identity").lower() != "identity":
            raise _invalid(wanted, "is compressed though it was not asked for")
        told = fields.get("content-length", "")
        length = int(told) if told.isdigit() and wanted.method != "HEAD" else None
        if length is not None and length > wanted.most_bytes:
            _too_large(wanted)
        held, pieces = bytearray(), response.aiter_raw()
        enough = wanted.most_bytes if wanted.whole else min(FIRST_BYTES, wanted.most_bytes)
        async for piece in pieces:
            held += piece
            if len(held) > enough:
                break
        else:
            return Came(status=response.status_code, fields=fields, body=bytes(held))
        if len(held) > wanted.most_bytes:
            _too_large(wanted)
        return Came(
            status=response.status_code, fields=fields, body=Download(wanted, response, bytes(held), pieces, length)
        )

    def _client(self, name: str) -> httpx2.AsyncClient:
        if (client := self._clients.get(name)) is None:
            source = self._sources[name]
            try:
                context = ssl.create_default_context(cafile=str(source.authority))
                context.load_cert_chain(source.certificate, source.key)
            except (OSError, ssl.SSLError):
                raise SourceNotConfigured(
                    f"the certificate, key or authority for the source {name} cannot be read",
                    remedy=f"tell the operator: [live.sources.{name}]",
                    rule=f"live.sources.{name}",
                    owner="the operator",
                    retry_after_s=3_600,
                ) from None
            client = self._clients[name] = httpx2.AsyncClient(
                verify=context,
                # Neither proxies nor passwords of the machine's user: where a call goes is declared.
                trust_env=False,
                follow_redirects=False,
                # A client is shared by everybody who calls, and what a source hands to one is not for another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                headers={"user-agent": "Knudepunkt", "accept": "*/*"},
                limits=httpx2.Limits(max_connections=source.at_once, max_keepalive_connections=source.at_once),
            )
        return client


@contextlib.contextmanager
def _failures(source: str) -> Any:
    """What can happen to a connection, in the platform's own words: the library's may quote what was sent."""
    known: dict[str, Any] = {"rule": f"source.{source}", "owner": "the source", "retry_after_s": 5}
    try:
        yield
    except httpx2.PoolTimeout:
        raise SourceBusy(
            f"as many calls as may be are on their way to the source {source}",
            remedy="call again later",
            rule=f"live.sources.{source}.at_once",
            owner="the operator",
            retry_after_s=1,
        ) from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        raise SourceUnreachable(
            f"the source {source} cannot be reached", arrived=False, remedy="call again later", **known
        ) from None
    except (TimeoutError, httpx2.TimeoutException):
        raise SourceTooSlow(f"the source {source} did not answer in time", remedy="call again later", **known) from None
    except httpx2.RemoteProtocolError as error:
        if "disconnected" in str(error) or "closed" in str(error):
            raise SourceUnreachable(
                f"the source {source} broke the connection", remedy="call again later", **known
            ) from None
        raise SourceAnswerInvalid(
            f"the source {source} did not answer in HTTP", remedy="call again later", **known
        ) from None
    except httpx2.TransportError:
        raise SourceUnreachable(
            f"the connection to the source {source} broke", remedy="call again later", **known
        ) from None


def _invalid(wanted: Exchange, what: str) -> SourceAnswerInvalid:
    return SourceAnswerInvalid(
        f"the answer of the source {wanted.source} {what}",
        remedy="tell the operator",
        rule=f"source.{wanted.source}",
        owner="the source",
        retry_after_s=60,
    )


def _too_large(wanted: Exchange) -> NoReturn:
    raise _invalid(wanted, f"has more than {wanted.most_bytes} bytes")
