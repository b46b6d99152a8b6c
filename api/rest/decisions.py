"""GET /v1/decisions/{trace}: what was decided about a call, for those whom it concerns."""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import DecisionNotFound
from api.identity import identify
from api.request import Request
from api.threads import in_thread
from api.visit import refusal_on_record
from control import Policy
from kernel import Caller, PlatformError, TraceId

_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def decision(doors: Doors, request: Request) -> Answer:
    """Answers the system that called, its organisation, the municipality of the agreement, and operators.

    To everybody else a call of others is as if it had never been.
    """
    caller: Caller | None = None
    try:
        policy = doors.policy()
        caller = identify(request.peer, policy, doors.trust(), request.received)
        request.parameters()
        trace = request.last_segment.decode("ascii", "replace")
        found = []
        if _TRACE.fullmatch(trace):
            lines = await in_thread(lambda: doors.decisions(TraceId(trace)))
            found = [line for line in lines if concerns(line, caller, policy)]
        if not found:
            raise DecisionNotFound(
                "no decision with this trace id concerns the system",
                remedy="give the 32 hexadecimal digits of the header Knudepunkt-Trace; decisions are found for 35 days",
            )
    except PlatformError as error:
        raise refusal_on_record(doors, request, error, caller=caller) from None
    body = {"decisions": found, "trace": request.trace}
    return Answer(200, list(_HEADERS), orjson.dumps(body, option=orjson.OPT_UTC_Z))


def concerns(line: Mapping[str, Any], caller: Caller, policy: Policy) -> bool:
    if caller.operator:
        return True
    system = line.get("system")
    if system is None:
        return False
    return (
        system == caller.system
        or policy.cvr_of(system) == caller.organisation_cvr
        or line.get("municipality_cvr") == caller.organisation_cvr
    )
