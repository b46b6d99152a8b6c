"""Documents over HTTP: one, or the pages of an interface as one stream of NDJSON lines or CSV."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Self

import httpx2

from sync.errors import SourceFaulty
from sync.sources.http_pages import REMEDY, Format, Page, Paging, csv_page, json_page, text_of, value_at
from sync.sources.http_session import Answer, HttpSession, Patience, Peer
from sync.sources.port import Offered
from sync.sources.spool import Spool

MAX_PAGES: Final = 100_000
MAX_PAGE_BYTES: Final = 64_000_000
"""A page is read in memory, where its values take several times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Only what is new since the last time is asked for.

    parameter   takes the position; on the first run `first`, left out when that is empty
    path        where the next position stands (JMESPath)
    of_body     in the body of the last page; otherwise in the last record of all
    """

    parameter: str
    path: str
    of_body: bool = False
    first: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """url       with all parameters that are always sent
    records   where records stand in a JSON page (JMESPath)
    paging    None: one document, given on as it is
    changes   None: all there is, each time
    """

    url: httpx2.URL
    format: Format = Format.JSON
    records: str = "@"
    paging: Paging | None = None
    changes: Changes | None = None

    @property
    def mark(self) -> str:
        """Positions of another interface than this mean nothing here."""
        return hashlib.sha256(f"{self.url} {self.changes}".encode()).hexdigest()[:16]


class HttpDocuments:
    """What it offers is fetched when it is asked what there is: an address does not tell without."""

    def __init__(self, interface: Interface, peer: Peer, patience: Patience, work: Path) -> None:
        self._interface, self._peer, self._patience = interface, peer, patience
        self._spool = Spool(work)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._spool)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def offered(self, since: Mapping[str, str]) -> tuple[Offered, ...]:
        """One file, or none: when the source says that it is as before, or when nothing changed since."""
        since = since if since.get("of") == self._interface.mark else {}
        origin = httpx2.Origin(self._interface.url)
        begun = datetime.now(UTC)
        with HttpSession(origin, self._peer, self._patience) as session:
            pages = _Pages(session, self._interface, self._spool)
            paging = self._interface.paging
            found = pages.document(since) if paging is None else pages.all(since, paging)
        if found is None:
            return ()
        path = self._spool.path
        with path.open("rb") as file:
            version = hashlib.file_digest(file, "sha256").hexdigest()
        position = {"of": self._interface.mark, **found.position}
        modified = min(found.modified or begun, begun)
        name = _name(self._interface)
        return (
            Offered(name=name, size_bytes=path.stat().st_size, version=version, modified=modified, position=position),
        )

    @contextmanager
    def open(self, offered: Offered) -> Iterator[BinaryIO]:  # noqa: ARG002
        with self._spool.path.open("rb") as stream:
            yield stream


@dataclass(frozen=True, slots=True)
class _Found:
    position: Mapping[str, str]
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class _Pages:
    session: HttpSession
    interface: Interface
    spool: Spool

    def document(self, since: Mapping[str, str]) -> _Found | None:
        conditions = {"If-None-Match": since["etag"]} if since.get("etag") else {}
        with self.spool.fill():
            answer = self.session.fetch(self.interface.url, self.spool.path, conditions=conditions)
        return _Found({"etag": answer.etag}, answer.modified) if answer.fresh else None

    def all(self, since: Mapping[str, str], paging: Paging) -> _Found | None:
        """Fetch page after page into the spool. None when only changes were asked for, and there are none."""
        records, last, body, header = 0, None, None, b""
        with self.spool.fill() as spool:
            for page in self._each(since, paging):
                if page.header:
                    header = _one_header(header, page.header, spool)
                spool.write(page.data)
                records, body = records + page.records, page.body
                last = page.last if page.last is not None else last
        changes = self.interface.changes
        if changes is None:
            return _Found({}, None)
        if not records:
            return None
        at = value_at(body if changes.of_body else last, changes.path)
        if at is None:
            raise SourceFaulty(f"the source gives no position at `{changes.path}`", remedy=REMEDY)
        return _Found({"at": text_of(at)}, None)

    def _each(self, since: Mapping[str, str], paging: Paging) -> Iterator[Page]:
        url: httpx2.URL | None = paging.first(self._from(since))
        seen: set[bytes] = set()
        file = self.spool.folder / "page"
        for number in range(MAX_PAGES):
            if url is None:
                return
            answer = self.session.fetch(url, file, max_bytes=MAX_PAGE_BYTES)
            page = self._page(file.read_bytes(), answer)
            if page.records:
                # A peer that leads in a circle would fill the disk with what we have.
                digest = hashlib.sha256(page.data).digest()
                if digest in seen:
                    raise SourceFaulty("the source gave the same page twice", remedy=REMEDY)
                seen.add(digest)
            yield page
            url = paging.after(page, answer, number)
        raise SourceFaulty(f"the source has more than {MAX_PAGES:,} pages", remedy="ask for larger pages")

    def _page(self, data: bytes, answer: Answer) -> Page:
        if not answer.fresh:
            return Page(data=b"", records=0)
        return csv_page(data) if self.interface.format is Format.CSV else json_page(data, self.interface.records)

    def _from(self, since: Mapping[str, str]) -> httpx2.URL:
        changes = self.interface.changes
        at = since.get("at") or changes.first if changes else ""
        return self.interface.url.copy_set_param(changes.parameter, at) if changes and at else self.interface.url


def _one_header(first: bytes, header: bytes, spool: BinaryIO) -> bytes:
    if not first:
        spool.write(header)
    elif header.rstrip() != first.rstrip():
        raise SourceFaulty("the pages of the source do not have the same header", remedy=REMEDY)
    return first or header


def _name(interface: Interface) -> str:
    """The last part of the path, without its query, in harmless characters."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", interface.url.path.rstrip("/").rsplit("/", 1)[-1]).lstrip(".-")[:80]
    ending = "" if interface.paging is None else ".csv" if interface.format is Format.CSV else ".ndjson"
    return f"{stem or 'document'}{ending}"
