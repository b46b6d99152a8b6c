"""Conditions and ranges of a download (RFC 9110, sections 13 and 14). Pure."""

import re

from api.errors import RangeUnsatisfiable

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has this file already."""
    if if_none_match is None:
        return False
    named = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in named or etag in named


def wanted_range(header: str | None, if_range: str | None, etag: str, size_bytes: int) -> tuple[int, int] | None:
    """[start, stop) of the one range asked for; None when the whole file is to be sent.

    Several ranges, another unit and what cannot be read give the whole file, as the standard allows. Raises
    RangeUnsatisfiable.
    """
    if header is None or (if_range is not None and if_range.strip() != etag):
        return None
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size_bytes - int(found[2])), size_bytes
    else:
        start, stop = int(found[1]), min(size_bytes, int(found[2]) + 1) if found[2] else size_bytes
        if found[2] and int(found[2]) < start:
            return None
    if start >= size_bytes or start >= stop:
        raise RangeUnsatisfiable(size_bytes)
    return start, stop
