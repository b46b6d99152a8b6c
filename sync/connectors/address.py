"""The address of a peer in a source file."""

from typing import Annotated, Final

import httpx2
from pydantic import AfterValidator

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _absolute(text: str) -> str:
    url = httpx2.URL(text)
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.fragment:
        raise ValueError("not an address that begins with https:// and holds no password")
    return text


Address = Annotated[str, AfterValidator(_absolute)]


def in_clear(url: httpx2.URL) -> bool:
    """Whether what we send there can be read on the way."""
    return url.scheme == "http" and url.host not in LOOPBACK
