"""Lists that may grow, a page at a time. A cursor is opaque: it holds where the next page begins."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from api.answer import Answer
from api.errors import ParameterInvalid
from api.request import Request
from api.rest.admin.errand import answer_of, encoded
from api.rest.admin.errors import CursorUnknown

T = TypeVar("T")

FEW: Final = 50
MOST: Final = 200
_LAST: Final = re.compile(r"[0-9A-Za-z:.+-]{1,80}")


def asked(request: Request, name: str, *also: str) -> tuple[dict[str, str], str, int]:
    """The parameters of a list, the place after which the page begins (empty for the first), and its length.

    name   of the list, so that a cursor of another is refused

    Raises ParameterInvalid, CursorUnknown.
    """
    parameters = request.parameters("cursor", "limit", *also)
    limit = parameters.pop("limit", str(FEW))
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MOST:
        raise ParameterInvalid(f"limit is no number from 1 to {MOST}", remedy="mend or omit it")
    cursor = parameters.pop("cursor", None)
    return parameters, "" if cursor is None else _place(cursor, name), int(limit)


def page(
    found: Sequence[T], place: Callable[[T], str], shown: Callable[[T], Any], request: Request, name: str, *also: str
) -> Answer:
    """A page of what was found, which must be in the order of `place`, rising."""
    _, after, limit = asked(request, name, *also)
    rest = [each for each in found if place(each) > after]
    return listed([shown(each) for each in rest[:limit]], name, place(rest[limit - 1]) if len(rest) > limit else None)


def listed(items: Sequence[Any], name: str, last: str | None) -> Answer:
    """last   where this page ends; None when there is no other"""
    cursor = None if last is None else base64.urlsafe_b64encode(f"{name} {last}".encode()).decode().rstrip("=")
    return answer_of(encoded({"items": items, "next": cursor}), tagged=False)


def _place(cursor: str, name: str) -> str:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        of, _, last = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(" ")
    except (ValueError, binascii.Error):
        of, last = "", ""
    if of != name or not _LAST.fullmatch(last):
        raise CursorUnknown(
            "the cursor is not one of this list's", remedy="send `next` of the page before, or no cursor"
        )
    return last
