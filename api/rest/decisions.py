"""GET /v1/decisions/{trace}: what was decided about a call, for those whom it concerns."""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import DecisionNotFound
from api.request import Request
from api.rest.admin.who import Looker, looker_of
from api.threads import in_thread
from api.visit import refusal_on_record
from control import Policy
from kernel import PlatformError, TraceId

_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def decision(doors: Doors, request: Request) -> Answer:
    """Answers the system that called, the systems and people of its organisation and of the agreement's municipality,
    and operators.

    To everybody else a call of others is as if it had never been.
    """
    looker: Looker | None = None
    try:
        policy = doors.policy()
        looker = await in_thread(lambda: looker_of(doors, request))
        request.parameters()
        trace = request.last_segment.decode("ascii", "replace")
        found = []
        if _TRACE.fullmatch(trace):
            lines = await in_thread(lambda: doors.decisions(TraceId(trace)))
            found = [line for line in lines if concerns(line, looker, policy)]
        if not found:
            raise DecisionNotFound(
                "no decision with this trace id concerns you",
                remedy="give the 32 hexadecimal digits of the header Knudepunkt-Trace; decisions are found for 35 days",
            )
    except PlatformError as error:
        raise refusal_on_record(doors, request, error, caller=looker.caller if looker else None) from None
    body = {"decisions": found, "trace": request.trace}
    return Answer(200, list(_HEADERS), orjson.dumps(body, option=orjson.OPT_UTC_Z))


def concerns(line: Mapping[str, Any], looker: Looker, policy: Policy) -> bool:
    if looker.operator:
        return True
    system = line.get("system")
    if system is None:
        return False
    return (
        (looker.caller is not None and system == looker.caller.system)
        or policy.cvr_of(system) == looker.organisation_cvr
        or line.get("municipality_cvr") == looker.organisation_cvr
    )
