"""Refusals as problem documents (RFC 9457), the same form from every route."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from api.answer import Answer
from api.errors import MethodNotAllowed, RangeUnsatisfiable
from api.tokens.errors import AccessTokenExpired, AccessTokenInvalid
from kernel import PlatformError, TraceId

MEDIA_TYPE = b"application/problem+json"


def problem_body(error: PlatformError, trace: TraceId, more: Mapping[str, str] | None = None) -> bytes:
    """more   members beside those that every problem has"""
    document: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "instance": f"urn:trace:{trace}",
        "code": error.code,
    }
    for name, value in (("remedy", error.remedy), ("rule", error.rule), ("owner", error.owner)):
        if value:
            document[name] = value
    for name, known in (("left", error.left), ("ends", error.ends), ("next", error.next)):
        if known is not None:
            document[name] = known
    if error.retry_after_s is not None:
        document["retry_after"] = error.retry_after_s
        document["retry_at"] = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=error.retry_after_s)
    document |= more or {}
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def problem(
    error: PlatformError, trace: TraceId, *, more: Mapping[str, str] | None = None, challenge: bytes | None = None
) -> Answer:
    """An answer that says what is wrong, whose rule it is, and what to do next.

    more        members beside those that every problem has
    challenge   what is asked for where nobody knows the caller; None for what the error itself stands for
    """
    headers = [(b"content-type", MEDIA_TYPE), (b"cache-control", b"no-store"), (b"knudepunkt-trace", trace.encode())]
    if error.status == 401:
        # RFC 9110 wants a challenge; there is no registered scheme for client certificates. Of tokens: RFC 6750.
        token = isinstance(error, AccessTokenInvalid | AccessTokenExpired)
        headers.append(
            (b"www-authenticate", challenge or (b'Bearer error="invalid_token"' if token else b"ClientCertificate"))
        )
    if error.status == 413:
        # Else the rest of the body would have to be read before the next request.
        headers.append((b"connection", b"close"))
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.methods).encode()))
    if isinstance(error, RangeUnsatisfiable):
        headers.append((b"content-range", b"bytes */%d" % error.size_bytes))
    return Answer(error.status, headers, problem_body(error, trace, more))
