"""Subscriptions and deliveries, for the systems that they are for, and for operators.

POST /v1/services/{service}/subscriptions    subscribe, under the agreement that the call names
GET  /v1/subscriptions[/{id}]                the system's own; an operator sees all
PATCH /v1/subscriptions/{id}                 {"state": "paused" | "active" | "ended", "reason": "..."}
GET  /v1/deliveries[/{id}]                   what became of each
POST /v1/deliveries/{id}/receipt             {"status": "received" | "damaged", "sha256": "..."}
POST /v1/deliveries/{id}/redelivery          once more
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import BodyInvalid, MethodNotAllowed, ParameterInvalid, RouteUnknown
from api.identity import identify
from api.request import Request
from api.rest.json_body import json_body, object_of
from api.threads import in_thread
from api.visit import Visit, refusal_on_record
from extract import DeliveryDesk, Standing, State, told_delivery, told_subscription, wish_of
from kernel import Caller, PlatformError, SystemId

PREFIXES: Final = ("/v1/subscriptions", "/v1/deliveries")
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_MOST: Final = 1_000


async def subscribe(visit: Visit) -> Answer:
    """The subscription, and what an HTTPS endpoint checks our signatures with: shown here and never again."""
    request, desk = visit.request, _desk(visit.doors)
    caller = visit.identify()
    request.parameters()
    told = object_of(await json_body(request))
    _, grant = visit.admit(caller)
    for field, value in (("service", grant.service), ("agreement", grant.agreement)):
        if told.get(field, value) != value:
            raise BodyInvalid(
                f"{field} is another than the call's", remedy=f"leave {field} out, or name the same in path and header"
            )
    wish = wish_of(told, agreement=grant.agreement, system=grant.system, service=grant.service)
    found = await in_thread(lambda: desk.subscribe(wish, grant, by=f"the system {caller.name}"))
    body = told_subscription(found)
    if body["target"]["kind"] == "https":
        body["secret"] = desk.secret(found.id)
    snapshot = visit.doors.lookups.reader(visit.dataset.id).info.snapshot
    visit.answered(grant, status=201, snapshot=snapshot)
    headers = [*_HEADERS, (b"location", f"/v1/subscriptions/{found.id}".encode())]
    return Answer(201, headers, _json(body, request))


@dataclass(frozen=True, slots=True)
class DeskRoutes:
    """Everything below PREFIXES."""

    doors: Doors

    async def __call__(self, request: Request) -> Answer:
        caller: Caller | None = None
        try:
            caller = identify(request.peer, self.doors.policy(), self.doors.trust(), request.received)
            methods = self._methods(request.path)
            act = methods.get("GET" if request.method == "HEAD" else request.method)
            if act is None:
                raise MethodNotAllowed(tuple(sorted({*methods, "HEAD"} if "GET" in methods else methods)))
            return await act(request, None if caller.operator else caller.system, caller)
        except PlatformError as error:
            raise refusal_on_record(self.doors, request, error, caller=caller) from None

    def _methods(self, path: str) -> Mapping[str, "_Act"]:
        match [part for part in path.split("/") if part][1:]:
            case ["subscriptions"]:
                return {"GET": self._subscriptions}
            case ["subscriptions", _]:
                return {"GET": self._subscription, "PATCH": self._turn}
            case ["deliveries"]:
                return {"GET": self._deliveries}
            case ["deliveries", _]:
                return {"GET": self._delivery}
            case ["deliveries", _, "receipt"]:
                return {"POST": self._receipt}
            case ["deliveries", _, "redelivery"]:
                return {"POST": self._redeliver}
            case _:
                raise RouteUnknown("there is nothing under this path", remedy="see /docs and /openapi.json")

    async def _subscriptions(self, request: Request, viewer: SystemId | None, caller: Caller) -> Answer:
        del caller
        ended = request.parameters("ended").get("ended", "false")
        if ended not in {"true", "false"}:
            raise ParameterInvalid("ended is true or false", remedy="mend or omit it", rule="parameter.ended")
        desk = _desk(self.doors)
        found = await in_thread(lambda: desk.subscriptions.listed(system=viewer, ended=ended == "true"))
        return _answer({"subscriptions": [told_subscription(each) for each in found]}, request)

    async def _subscription(self, request: Request, viewer: SystemId | None, caller: Caller) -> Answer:
        del caller
        request.parameters()
        desk = _desk(self.doors)
        return _answer(told_subscription(await in_thread(lambda: desk.subscription(viewer, _id(request, 2)))), request)

    async def _turn(self, request: Request, viewer: SystemId | None, caller: Caller) -> Answer:
        request.parameters()
        told = object_of(await json_body(request))
        state, reason = told.get("state"), told.get("reason", f"by the system {caller.name}")
        if set(told) - {"state", "reason"} or not isinstance(state, str) or state not in set(Standing):
            raise BodyInvalid(
                "the body does not say what to do",
                remedy='send {"state": "paused"}, "active" or "ended"',
            )
        if not isinstance(reason, str) or len(reason) > 400 or not reason.isprintable():
            raise BodyInvalid("reason is not a line of text", remedy="send a line of up to 400 signs that can be shown")
        desk = _desk(self.doors)
        found = await in_thread(lambda: desk.turn(viewer, _id(request, 2), Standing(state), reason))
        return _answer(told_subscription(found), request)

    async def _deliveries(self, request: Request, viewer: SystemId | None, caller: Caller) -> Answer:
        del caller
        asked = request.parameters("subscription", "state", "limit")
        limit = asked.get("limit", "100")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:6]) <= _MOST:
            raise ParameterInvalid(
                "limit is not a number of deliveries", remedy=f"give 1 to {_MOST}", rule="parameter.limit"
            )
        state = asked.get("state")
        if state is not None and state not in set(State):
            raise ParameterInvalid(
                "there is no such state of a delivery", remedy=f"state is one of {', '.join(State)}",
                rule="parameter.state",
            )  # fmt: skip
        of, in_state, desk = asked.get("subscription"), None if state is None else State(state), _desk(self.doors)
        found = await in_thread(lambda: desk.deliveries(viewer, subscription=of, state=in_state, limit=int(limit)))
        return _answer({"deliveries": [told_delivery(each) for each in found]}, request)

    async def _delivery(self, request: Request, viewer: SystemId | None, caller: Caller) -> Answer:
        del caller
        request.parameters()
        desk = _desk(self.doors)
        found, steps = await in_thread(lambda: desk.delivery(viewer, _id(request, 2)))
        taken = [{"at": each.at, "step": each.step, "state": each.state, "note": each.note} for each in steps]
        return _answer(told_delivery(found) | {"steps": taken}, request)

    async def _receipt(self, request: Request, viewer: SystemId | None, caller: Caller) -> Answer:
        del caller
        request.parameters()
        told = object_of(await json_body(request))
        status, sha256 = told.get("status"), told.get("sha256")
        if set(told) - {"status", "sha256"} or status not in {"received", "damaged"}:
            raise BodyInvalid(
                "the body is no receipt", remedy='send {"status": "received"} or "damaged", with sha256 if you like'
            )
        if sha256 is not None and not isinstance(sha256, str):
            raise BodyInvalid("sha256 is not a text", remedy="send it as 64 hexadecimal digits")
        desk = _desk(self.doors)
        found = await in_thread(
            lambda: desk.receipt(viewer, _id(request, 2), sha256=sha256, damaged=status == "damaged")
        )
        return _answer(told_delivery(found), request)

    async def _redeliver(self, request: Request, viewer: SystemId | None, caller: Caller) -> Answer:
        request.parameters()
        await request.body()
        desk = _desk(self.doors)
        found = await in_thread(lambda: desk.redeliver(viewer, _id(request, 2), by=f"the system {caller.name}"))
        return _answer(told_delivery(found), request)


_Act = Callable[[Request, SystemId | None, Caller], Awaitable[Answer]]


def _desk(doors: Doors) -> DeliveryDesk:
    if doors.delivery is None:
        raise RouteUnknown("there are no subscriptions here", remedy="see /docs and /openapi.json")
    return doors.delivery


def _id(request: Request, place: int) -> str:
    return request.path.split("/")[place + 1]


def _answer(told: dict[str, Any], request: Request) -> Answer:
    return Answer(200, list(_HEADERS), _json(told, request))


def _json(told: dict[str, Any], request: Request) -> bytes:
    return orjson.dumps({**told, "trace": request.trace}, option=orjson.OPT_UTC_Z)
