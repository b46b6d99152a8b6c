"""Answers: a status, headers, and bytes that are ready, or a stream."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from api.request import Send

Headers = list[tuple[bytes, bytes]]
Stream = Callable[[Send], Awaitable[None]]


@dataclass(slots=True)
class Answer:
    """body   ready bytes, or a function that sends the pieces and, when all is well, the end"""

    status: int
    headers: Headers
    body: bytes | Stream

    async def send(self, send: Send) -> None:
        if isinstance(self.body, bytes):
            if self.status not in {204, 304}:
                self.headers.append((b"content-length", b"%d" % len(self.body)))
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": self.body})
        else:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await self.body(send)


def json_answer(document: Any, *, status: int = 200, media_type: bytes = b"application/json") -> Answer:
    """A public document; may be kept and asked for again."""
    headers = [(b"content-type", media_type), (b"cache-control", b"no-cache")]
    return Answer(status, headers, orjson.dumps(document, option=orjson.OPT_UTC_Z))


def html_answer(page: str) -> Answer:
    """A page without scripts, styles or anything from elsewhere."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"content-security-policy", b"default-src 'none'"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Answer(200, headers, page.encode())
