"""Bodies in JSON: what every operation that takes one asks of it. Errors name fields, never their values."""

from typing import Any

import orjson

from api.errors import BodyInvalid, MediaTypeUnsupported
from api.request import Request


async def json_body(request: Request) -> Any:
    """The value in the body. Raises MediaTypeUnsupported, BodyInvalid."""
    kind = request.headers.get(b"content-type", b"application/json")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        raise MediaTypeUnsupported(
            "the body is not said to be JSON", remedy="send the header Content-Type: application/json"
        )
    if request.headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
        raise MediaTypeUnsupported("the body is compressed", remedy="send it as it is")
    body = await request.body()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The decoder's own message may quote the body.
        raise BodyInvalid(
            f"the body is not JSON: it breaks at line {error.lineno}, column {error.colno}",
            remedy="send a JSON object in UTF-8; GET /openapi.json says which fields it takes",
        ) from None


def object_of(body: Any) -> dict[str, Any]:
    """Raises BodyInvalid."""
    if not isinstance(body, dict):
        raise BodyInvalid(
            "the body is not a JSON object", remedy="send a JSON object; GET /openapi.json says which fields it takes"
        )
    return body


def texts_of(value: Any, field: str) -> list[str]:
    """Raises BodyInvalid."""
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise BodyInvalid(
            f"{field} is not a list of one or more texts", remedy=f'send "{field}": ["..."], a list of texts'
        )
    return value
