"""Lists, page by page: a token says after which name the next page begins, so that it holds when others come and go."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.sharing.errors import SharingRequestInvalid

PARAMETERS: Final = ("maxResults", "pageToken")
_MOST: Final = 2**31 - 1
Item = Mapping[str, Any]


def page_of(items: Sequence[Item], asked: Mapping[str, str]) -> dict[str, Any]:
    """The protocol's answer to a list. Raises SharingRequestInvalid."""
    ordered = sorted(items, key=_place)
    if (token := asked.get("pageToken")) is not None:
        after = _read(token)
        ordered = [each for each in ordered if _place(each) > after]
    most = _most(asked.get("maxResults"))
    page = ordered[:most]
    answer: dict[str, Any] = {"items": page}
    if len(page) < len(ordered):
        # A page of nothing leads to where it began.
        answer["nextPageToken"] = _token(_place(page[-1])) if page else asked.get("pageToken") or _token(("", ""))
    return answer


def _place(item: Item) -> tuple[str, str]:
    return str(item.get("schema", "")), str(item["name"])


def _token(place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).rstrip(b"=").decode()


def _read(token: str) -> tuple[str, str]:
    try:
        schema, name = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if not isinstance(schema, str) or not isinstance(name, str):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        raise SharingRequestInvalid(
            "pageToken is none that was given out", remedy="send nextPageToken as it came", rule="sharing.request"
        ) from None
    return schema, name


def _most(text: str | None) -> int:
    if text is None:
        return _MOST
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MOST):
        raise SharingRequestInvalid(
            "maxResults is no number of results", remedy="give 0 or more, or leave it out", rule="sharing.request"
        )
    return int(text)
