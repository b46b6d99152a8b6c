"""Versions and times in the protocol's questions, and which span of changes they mean. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.sharing.errors import SharingRequestInvalid, SharingUnsupported
from kernel import SnapshotId

SPAN = ("startingVersion", "startingTimestamp", "endingVersion", "endingTimestamp")


@dataclass(frozen=True, slots=True)
class AskedSpan:
    """Changes from a moment on, up to another: both are in it. end   None for the newest version"""

    start: datetime | SnapshotId
    end: datetime | SnapshotId | None


def asked_moment(
    asked: Mapping[str, Any], version: str = "version", timestamp: str = "timestamp"
) -> datetime | SnapshotId | None:
    """A version or a time, None where neither is asked for. Raises SharingRequestInvalid."""
    number, moment = asked.get(version), asked.get(timestamp)
    if number is not None and moment is not None:
        raise invalid(f"{version} and {timestamp} stand there together", "give one of them")
    if moment is not None:
        return _time(moment, timestamp)
    return None if number is None else _number(number, version)


def asked_span(asked: Mapping[str, str]) -> AskedSpan:
    """Raises SharingRequestInvalid."""
    start = asked_moment(asked, "startingVersion", "startingTimestamp")
    if start is None:
        raise invalid(
            "startingVersion is missing", "give the first version whose changes are wanted, or startingTimestamp"
        )
    end = asked_moment(asked, "endingVersion", "endingTimestamp")
    # A version and a time are not compared: a span without a publication is empty.
    match start, end:
        case datetime() as since, datetime() as until:
            backward = until < since
        case int() as first, int() as last:
            backward = last < first
        case _:
            backward = False
    if backward:
        raise invalid("the span of changes ends before it starts", "give a later end, or an earlier start")
    return AskedSpan(start, end)


def ensure_no_feed(asked: Mapping[str, Any]) -> None:
    """The protocol lets a query ask for what was added since a version. Rows here are replaced and leave too, so that
    would be half an answer. Raises SharingUnsupported.
    """
    if any(asked.get(name) is not None for name in SPAN):
        raise SharingUnsupported(
            "a query gives a table at one version, not what came since", remedy="ask for changes: GET .../changes",
            rule="sharing.request",
        )  # fmt: skip
    ensure_one_page(asked)


def ensure_one_page(asked: Mapping[str, Any]) -> None:
    """An answer has one file, so `maxFiles` leaves nothing for a second page. Raises SharingRequestInvalid."""
    if asked.get("pageToken") is not None:
        raise invalid("an answer with files has one page, and no token leads to another", "leave pageToken out")


def not_yet() -> SharingRequestInvalid:
    return invalid("the table has no version that new", "ask again when there is a later one")


def invalid(what: str, remedy: str) -> SharingRequestInvalid:
    return SharingRequestInvalid(what, remedy=remedy, rule="sharing.request")


def _number(value: Any, name: str) -> SnapshotId:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 16):
        raise invalid(f"{name} is no version", "give the number of a version")
    return SnapshotId(int(text))


def _time(value: Any, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise invalid(f"{name} is no time", "give one as in ISO 8601, with its zone") from None
    if moment.tzinfo is None:
        raise invalid(f"{name} has no zone", "give one as in ISO 8601, for instance 2026-11-28T04:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise invalid(f"{name} is no time that a clock shows", "give one of this century") from None
