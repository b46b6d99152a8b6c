"""One document over HTTP, fetched with patience: bounded in time and size, tried again only where that is safe.

Nothing said here holds an address: its query may name persons, and its path may be a secret of the operator.
"""

import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Self

import httpx2
import stamina

from sync.errors import SourceDenied, SourceFaulty, SourceUnreachable, SourceUntrusted

MAX_REDIRECTS: Final = 5
PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a moment later (RFC 9110, RFC 6585, RFC 8470)."""
AGAIN: Final = "try again later; if it stays so, ask the owner of the source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """timeout_s   for each step: to connect, for the next bytes
    deadline_s  for all pages of a source together, waiting and trying again included
    max_bytes   of all answers together, unpacked
    attempts    for one answer
    wait_s      before the second attempt; twice that before the third, and so on. Retry-After comes first
    """

    timeout_s: float = 30.0
    deadline_s: float = 3600.0
    max_bytes: int = 10_000_000_000
    attempts: int = 5
    wait_s: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """headers         sent to the source's own origin and to no other: they may hold credentials
    other_origins   origins that the source may lead us to, by redirect or next link
    tls             None: the public authorities
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    other_origins: frozenset[httpx2.Origin] = frozenset()
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """fresh   False when the source says that we have it already (304), or that there is nothing (204)
    next    the address that `Link: rel=next` names (RFC 8288), absolute
    """

    url: httpx2.URL
    fresh: bool
    etag: str
    modified: datetime | None
    next: str | None


class _Passing(Exception):
    """An answer that may be another one a moment later."""

    def __init__(self, said: str, retry_after_s: float | None = None) -> None:
        super().__init__(said)
        self.said, self.retry_after_s = said, retry_after_s


class HttpSession:
    """origin   of the source: credentials are sent there, and next links and redirects lead there"""

    def __init__(self, origin: httpx2.Origin, peer: Peer, patience: Patience) -> None:
        self._origin, self._peer, self._patience = origin, peer, patience
        self._end = time.monotonic() + patience.deadline_s
        self._room = patience.max_bytes
        self._client = httpx2.Client(verify=peer.tls or True, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def fetch(
        self, url: httpx2.URL, into: Path, *, conditions: Mapping[str, str] | None = None, max_bytes: int | None = None
    ) -> Answer:
        """Write what is at an address into a file, anew at each attempt.

        conditions   headers that make the answer 304 when we have it
        max_bytes    of this answer, where it must be less than all together

        Raises SourceUnreachable, SourceFaulty, SourceDenied, SourceUntrusted.
        """
        try:
            for attempt in stamina.retry_context(
                on=self._waits, attempts=self._patience.attempts, timeout=None,
                wait_initial=self._patience.wait_s, wait_max=60.0, wait_jitter=self._patience.wait_s,
            ):  # fmt: skip
                with attempt:
                    answer = self._once(url, into, conditions or {}, min(self._room, max_bytes or self._room))
                    self._room -= into.stat().st_size if answer.fresh else 0
                    return answer
        except _Passing as passing:
            after = passing.retry_after_s
            raise SourceUnreachable(
                f"the source {passing.said}", remedy=AGAIN, retry_after_s=None if after is None else round(after)
            ) from None
        raise AssertionError("an attempt either answers or raises")

    def _waits(self, problem: Exception) -> bool | float:
        """Whether to try again, and after how many seconds when the source said so."""
        if not isinstance(problem, _Passing):
            return False
        after = problem.retry_after_s
        left = self._end - time.monotonic()
        if after is None:
            return left > self._patience.wait_s
        return after if after < left else False

    def _once(self, url: httpx2.URL, into: Path, conditions: Mapping[str, str], max_bytes: int) -> Answer:
        try:
            for _ in range(MAX_REDIRECTS + 1):
                url = self._allowed(url)
                headers = {"Accept-Encoding": "gzip", **conditions, **self._credentials(url)}
                with self._client.stream("GET", url, headers=headers, timeout=self._step_s()) as response:
                    if response.has_redirect_location:
                        url = url.join(response.headers["Location"])
                        continue
                    _judge(response)
                    self._take(response, into, max_bytes)
                    return _answer(url, response)
        except httpx2.TimeoutException:
            raise _Passing("did not answer in time") from None
        except httpx2.DecodingError:
            raise SourceFaulty("the source packed its answer wrongly", remedy=AGAIN) from None
        except httpx2.TransportError as problem:
            if _mistrusted(problem):
                raise SourceUntrusted(
                    "the source has a certificate that is not valid for its name, or from no authority we trust",
                    remedy="check the address; for an authority of the source's own, name it as `authority`",
                ) from None
            raise _Passing("cannot be reached, or hung up") from None
        except httpx2.InvalidURL:
            raise SourceFaulty("the source leads to an address that is none", remedy=AGAIN) from None
        raise SourceFaulty("the source leads us in a circle of redirects", remedy="check the address of the source")

    def _allowed(self, url: httpx2.URL) -> httpx2.URL:
        """An address that the source leads us to, if it may. Raises SourceFaulty and InvalidURL."""
        try:
            origin = httpx2.Origin(url)
        except ValueError:
            raise httpx2.InvalidURL("no origin") from None
        if origin != self._origin and origin not in self._peer.other_origins:
            raise SourceFaulty(
                "the source leads to another server than its own",
                remedy="ask its owner whether that is meant, and list the server in other_origins if it is",
            )
        return url

    def _credentials(self, url: httpx2.URL) -> Mapping[str, str]:
        return self._peer.headers if httpx2.Origin(url) == self._origin else {}

    def _take(self, response: httpx2.Response, into: Path, max_bytes: int) -> None:
        came = 0
        with into.open("wb") as file:
            for block in response.iter_bytes():
                came += file.write(block)
                if came > max_bytes:
                    raise SourceFaulty(
                        f"the source gives more than the {max_bytes:,} bytes allowed",
                        remedy="check it; if it is right, ask for smaller pages, or raise max_bytes of the source",
                    )
                # A time-out is for the next bytes alone: a peer that drips could hold us for ever.
                self._step_s()

    def _step_s(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise SourceUnreachable(
                f"the source was not read within {self._patience.deadline_s:g} s",
                remedy="try again later, or raise deadline_s of the source",
            )
        return min(self._patience.timeout_s, left)


def _judge(response: httpx2.Response) -> None:
    status = response.status_code
    if status in {401, 403, 407}:
        raise SourceDenied(
            f"the source does not let us in (HTTP {status})",
            remedy="check the secret that the source names, and what its owner allows us",
        )
    if status in {404, 410}:
        raise SourceUnreachable(
            f"there is nothing at the address of the source (HTTP {status})", remedy="check the url of the source"
        )
    if status in PASSING:
        raise _Passing(f"cannot answer just now (HTTP {status})", _retry_after_s(response))
    if status not in {200, 204, 304}:
        raise SourceFaulty(f"the source answers HTTP {status}", remedy="check its url and parameters")


def _answer(url: httpx2.URL, response: httpx2.Response) -> Answer:
    follows = [link["url"] for link in response.links.values() if "next" in link.get("rel", "").lower().split()]
    modified = None
    with suppress(ValueError):
        modified = parsedate_to_datetime(response.headers.get("Last-Modified", "")).astimezone(UTC)
    return Answer(
        url=url,
        fresh=response.status_code == 200,
        etag=response.headers.get("ETag", ""),
        modified=modified,
        next=follows[0] if follows else None,
    )


def _retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds or a date (RFC 9110, section 10.2.3); None when the source does not say, or says what is neither."""
    said = response.headers.get("Retry-After", "")
    if said.isascii() and said.isdigit():
        return float(said)
    with suppress(ValueError):
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    return None


def _mistrusted(problem: BaseException | None) -> bool:
    while problem is not None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False
