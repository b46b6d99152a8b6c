"""Refusals in the protocol's words: each problem document has its `errorCode` and `message` too. Pure.

The protocol names the two fields and leaves the codes to servers. These are its reference server's, and where that has
none, the ones of gRPC.
"""

from typing import Final

from api.answer import Answer
from api.errors import BodyInvalid, MethodNotAllowed
from api.problem import problem
from api.sharing.errors import BODY, SharingTokenMissing, SharingUnsupported
from kernel import PlatformError, TraceId

MALFORMED: Final = "MALFORMED_REQUEST"
INVALID: Final = "INVALID_PARAMETER_VALUE"
UNSUPPORTED: Final = "UNSUPPORTED_OPERATION"
INTERNAL: Final = "INTERNAL_ERROR"
_OF_STATUS: Final = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    408: MALFORMED,
    410: "RESOURCE_DOES_NOT_EXIST",
    413: MALFORMED,
    415: MALFORMED,
    429: "RESOURCE_EXHAUSTED",
    431: MALFORMED,
    503: "UNAVAILABLE",
}


def error_code(error: PlatformError) -> str:
    if isinstance(error, SharingUnsupported | MethodNotAllowed):
        return UNSUPPORTED
    if isinstance(error, BodyInvalid) or error.rule == BODY:
        return MALFORMED
    return _OF_STATUS.get(error.status) or (INVALID if error.status < 500 else INTERNAL)


def sharing_problem(error: PlatformError, trace: TraceId) -> Answer:
    """A problem document that the protocol's clients understand. What to do stands in the message too: some show no
    more than that.
    """
    message = f"{error.message}; {error.remedy}" if error.remedy else error.message
    challenge = b"Bearer" if isinstance(error, SharingTokenMissing) else b'Bearer error="invalid_token"'
    return problem(error, trace, more={"errorCode": error_code(error), "message": message}, challenge=challenge)
