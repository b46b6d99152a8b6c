"""The pages of a source: what stands in one, and which comes next. Pure: bytes in, values out."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol

import httpx2
import jmespath
import msgspec

from sync.errors import SourceFaulty
from sync.sources.http_session import Answer

READ: Final = msgspec.json.Decoder(float_hook=Decimal)
"""Numbers keep their digits: a float would lose some of them."""
WRITE: Final = msgspec.json.Encoder(decimal_format="number")
REMEDY: Final = "compare the source's own documentation with what the source file says of its pages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """data      what goes into the spool: NDJSON lines, or CSV without its header
    header    of CSV; it ends with its newline
    records   how many there are
    body      a JSON page as values; None for CSV
    last      its last record; None for CSV, and without records
    """

    data: bytes
    header: bytes = b""
    records: int
    body: Any = None
    last: Any = None


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


def json_page(data: bytes, records: str) -> Page:
    """records   where they stand in the body (JMESPath)

    Raises SourceFaulty.
    """
    try:
        body = READ.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SourceFaulty("a page of the source is not JSON", remedy=REMEDY) from None
    found = value_at(body, records)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SourceFaulty(f"a page of the source has no list of records at `{records}`", remedy=REMEDY)
    return Page(data=WRITE.encode_lines(found), records=len(found), body=body, last=found[-1] if found else None)


def csv_page(data: bytes) -> Page:
    """The first line is the header. `records` counts lines, as good as any count to know an empty page."""
    head, _, rest = data.partition(b"\n")
    rest = rest if not rest or rest.endswith(b"\n") else rest + b"\n"
    return Page(data=rest, header=head + b"\n" if head else b"", records=rest.count(b"\n"))


def value_at(value: Any, path: str) -> Any:
    """What stands at a JMESPath. Raises SourceFaulty where the path does not fit the value."""
    try:
        return jmespath.search(path, value)
    except jmespath.exceptions.JMESPathError:
        raise SourceFaulty(f"`{path}` does not fit what the source gives", remedy=REMEDY) from None


class Paging(Protocol):
    def after(self, page: Page, answer: Answer, number: int) -> httpx2.URL | None:
        """The address of the next page, None after the last.

        number   how many pages came before this one
        """
        ...

    def first(self, url: httpx2.URL) -> httpx2.URL: ...


class _FromUrl:
    def first(self, url: httpx2.URL) -> httpx2.URL:
        return url


@dataclass(frozen=True, slots=True)
class OnePage(_FromUrl):
    def after(self, page: Page, answer: Answer, number: int) -> httpx2.URL | None:  # noqa: ARG002
        return None


@dataclass(frozen=True, slots=True)
class NextLink(_FromUrl):
    """path   where the body names the next address (JMESPath); "" for `Link: rel=next` in the head (RFC 8288)"""

    path: str = ""

    def after(self, page: Page, answer: Answer, number: int) -> httpx2.URL | None:  # noqa: ARG002
        link = value_at(page.body, self.path) if self.path else answer.next
        if not link:
            return None
        if not isinstance(link, str):
            raise SourceFaulty("the next address that the source names is not text", remedy=REMEDY)
        try:
            return answer.url.join(link)
        except httpx2.InvalidURL:
            raise SourceFaulty("the next address that the source names is none", remedy=REMEDY) from None


@dataclass(frozen=True, slots=True)
class PageNumber:
    """Pages are numbered in a parameter; the first one without records ends them."""

    parameter: str
    start: int = 1

    def first(self, url: httpx2.URL) -> httpx2.URL:
        return url.copy_set_param(self.parameter, self.start)

    def after(self, page: Page, answer: Answer, number: int) -> httpx2.URL | None:
        if not page.records:
            return None
        return answer.url.copy_set_param(self.parameter, self.start + number + 1)


@dataclass(frozen=True, slots=True)
class PageCursor(_FromUrl):
    """The body names a value (JMESPath) that a parameter takes for the next page; no value ends them."""

    parameter: str
    path: str

    def after(self, page: Page, answer: Answer, number: int) -> httpx2.URL | None:  # noqa: ARG002
        cursor = value_at(page.body, self.path)
        if cursor in (None, "", False):
            return None
        return answer.url.copy_set_param(self.parameter, text_of(cursor))


def text_of(value: Any) -> str:
    """A value of JSON as a parameter. Raises SourceFaulty for one that is neither text nor number."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise SourceFaulty("the source's cursor is neither text nor a number", remedy=REMEDY)
