"""Answers that take their time. One lasts no longer than the permission that carries it, and waits for a reader that
takes nothing no longer than `stall_s`.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from api.answer import Stream
from api.identity import identify
from api.request import Request, Send
from api.visit import Visit
from control import Policy, Trust
from control.errors import AgreementNotLive
from kernel import Call, Grant, PlatformError

LOOK_S: Final = 0.25
"""How often it is asked whether a permission still holds. With the time the policy takes to hear of it, well within the
promised second."""
_LOOK_CLOSELY: Final = timedelta(seconds=10)
"""How often when nothing is known to have changed: for what ends by itself."""

_log = structlog.get_logger(__name__)


class Permission:
    """Whether a call's permission is still what it was when the answer began. Cheap while the policy is the same."""

    __slots__ = ("_grant", "_policy", "_trust", "_until", "_visit")

    def __init__(self, visit: Visit, grant: Grant) -> None:
        self._visit, self._grant = visit, grant
        self._policy: Policy | None = None
        self._trust: Trust | None = None
        self._until = visit.request.received

    def ensure(self) -> None:
        """Raises what keeps the caller from being let in now, and AgreementNotLive when its terms are others."""
        visit, doors, grant = self._visit, self._visit.doors, self._grant
        policy, trust, at = doors.policy(), doors.trust(), doors.clock.now()
        if policy is self._policy and trust is self._trust and at < self._until:
            return
        caller = identify(visit.request.peer, policy, trust, at)
        call = Call(
            trace=visit.request.trace, caller=caller, channel=visit.channel, service=grant.service,
            operation=visit.operation, received=at, agreement=grant.agreement,
        )  # fmt: skip
        if _seen(policy.grant(call, at)) != _seen(grant):
            raise AgreementNotLive(
                "the agreement has other terms than when the answer began",
                remedy="ask again: what it covers now comes",
                rule="agreement.terms",
            )
        self._policy, self._trust, self._until = policy, trust, _next_look(at, grant)


def _seen(grant: Grant) -> tuple[Any, ...]:
    return grant.terms_hash, grant.columns, grant.rows, grant.protected


def _next_look(at: datetime, grant: Grant) -> datetime:
    soon = at + _LOOK_CLOSELY
    return soon if grant.valid.end is None else min(soon, grant.valid.end)


def while_allowed(request: Request, ensure: Callable[[], None], body: Stream) -> Stream:
    """The stream, cut as soon as `ensure` raises. What sends it puts on record that it did not come to its end."""

    async def watch() -> None:
        while request.connected:
            await asyncio.sleep(LOOK_S)
            try:
                ensure()
            except PlatformError as error:
                _log.warning("answer_ended", trace=request.trace, code=error.code)
                request.connection.cut()
                return

    async def sent(send: Send) -> None:
        watching = asyncio.create_task(watch())
        try:
            await body(send)
        finally:
            watching.cancel()

    return sent


def patient(request: Request, stall_s: float, send: Send) -> Send:
    """Sends, and cuts a reader that takes nothing for too long; the caller sees by `request.connected`."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(stall_s):
                await send(message)
        except TimeoutError:
            _log.warning("answer_stalled", trace=request.trace, seconds=stall_s)
            request.connection.cut()

    return sent
