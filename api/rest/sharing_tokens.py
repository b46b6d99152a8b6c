"""/v1/sharing/tokens: a system's own tokens of the open bulk face, made and revoked with its certificate.

GET    /v1/sharing/tokens        those of its agreements, never their texts
POST   /v1/sharing/tokens        {"agreement": "...", "days": 90}; one token for one Idempotency-Key
DELETE /v1/sharing/tokens/{id}   revoke one

A token that is made here ends, at the latest, with the certificate that was shown: whoever stole the key keeps nothing
when the certificate is revoked.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import BodyInvalid, HeaderInvalid, MethodNotAllowed
from api.identity import identify
from api.request import Request
from api.rest.admin.who import UNKNOWN
from api.rest.components import TEXT, reference
from api.rest.json_body import json_body, object_of
from api.rest.kept_answers import HEADER, Sealed, once_of
from api.rest.record_schema import Schema
from api.sharing import SharingDesk
from api.sharing.errors import SharingUnknown
from api.threads import in_thread
from api.visit import refusal_on_record
from control import Actor, ControlStore, Role, Sharing, SharingToken
from control.repeats import Kept, Once, Repeats
from kernel import AgreementId, Caller, PlatformError

BASE: Final = "/v1/sharing/tokens"
DAYS, MOST_DAYS = 90, 365
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_Act = Callable[[Request, Caller], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class TokenRoutes:
    doors: Doors

    async def __call__(self, request: Request) -> Answer:
        caller: Caller | None = None
        try:
            caller = identify(request.peer, self.doors.policy(), self.doors.trust(), request.received)
            methods: Mapping[str, _Act] = {"GET": self._list, "POST": self._make}
            if request.path != BASE:
                methods = {"DELETE": self._revoke}
            act = methods.get("GET" if request.method == "HEAD" else request.method)
            if act is None:
                raise MethodNotAllowed(tuple(sorted({*methods, "HEAD"} if "GET" in methods else methods)))
            request.parameters()
            return await act(request, caller)
        except PlatformError as error:
            raise refusal_on_record(self.doors, request, error, caller=caller) from None

    async def _list(self, request: Request, caller: Caller) -> Answer:
        found = await in_thread(lambda: self._sharing(request, caller).tokens())
        return _answer({"tokens": [_told(each) for each in found if each.system == caller.system]}, request)

    async def _make(self, request: Request, caller: Caller) -> Answer:
        host = request.text("Host") or ""
        if not _HOST.fullmatch(host):
            raise HeaderInvalid("the header Host names no host", remedy="send it")
        told = object_of(await json_body(request))
        agreement, days = told.get("agreement"), told.get("days", DAYS)
        if set(told) - {"agreement", "days"} or not isinstance(agreement, str) or not _UUID.fullmatch(agreement):
            raise BodyInvalid("the body does not name an agreement", remedy='send {"agreement": "<id>", "days": 90}')
        if type(days) is not int or not 1 <= days <= MOST_DAYS:
            raise BodyInvalid("days is not a number of days", remedy=f"give 1 to {MOST_DAYS}")
        # A token belongs to the certificate that was shown, so the key does too.
        who = f"{caller.system} {caller.credential}"
        once = once_of(request, who, f"{agreement} {days} {host}".encode())
        body = await in_thread(lambda: self._made(request, caller, once, AgreementId(agreement), days, host))
        return _answer(orjson.loads(body), request, 201)

    def _made(
        self, request: Request, caller: Caller, once: Once | None, agreement: AgreementId, days: int, host: str
    ) -> bytes:
        """The answer but for its trace: as it was given before, where the request comes again. Blocks."""
        house, sharing = self._house()
        repeats, sealed = Repeats(house), Sealed(sharing.answers_key)
        if once is not None and (kept := repeats.answered(once)) is not None:
            return sealed.opened(once, kept.body)
        peer = request.peer
        made, text = self._sharing(request, caller, once).make(
            agreement,
            timedelta(days=days),
            ends=None if peer is None else peer.valid.end,
            by=caller.system,
            certificate=caller.credential,
        )
        profile = {
            "shareCredentialsVersion": 1,
            "endpoint": f"https://{host}/sharing",
            "bearerToken": text,
            "expirationTime": made.expires.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }
        body = orjson.dumps(_told(made) | {"profile": profile}, option=orjson.OPT_UTC_Z)
        if once is not None:
            repeats.keep(once, Kept(201, None, sealed.closed(once, body)))
        return body

    async def _revoke(self, request: Request, caller: Caller) -> Answer:
        name = request.path.removeprefix(f"{BASE}/")
        await in_thread(lambda: self._sharing(request, caller).revoke(name, by=caller.system))
        return Answer(204, [(b"cache-control", b"no-store")], b"")

    def _house(self) -> tuple[ControlStore, SharingDesk]:
        """Raises SharingUnknown where it is off."""
        control, sharing = self.doors.control, self.doors.sharing
        if control is None or sharing is None:
            raise SharingUnknown(
                "this instance offers no Delta Sharing", remedy="fetch extracts instead: see /openapi.json"
            )
        return control, sharing

    def _sharing(self, request: Request, caller: Caller, once: Once | None = None) -> Sharing:
        """In the system's name, which may do this and no more; a change takes the idempotency key with it. Blocks.
        Raises SharingUnknown where it is off.
        """
        control, _ = self._house()
        actor = Actor(
            name=f"the system {caller.name}",
            roles=frozenset({Role.USER}),
            organisation=control.owner_of(caller.system).id,
            address=request.address or UNKNOWN,
        )
        take = None if once is None else partial(Repeats(control).take, once=once)
        return Sharing(control.acting(actor, first=take))


def token_paths() -> dict[str, Any]:
    """What the OpenAPI document says of it."""
    one = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    listed = _closed({"tokens": {"type": "array", "items": _closed(_TOKEN)}, "trace": TEXT})
    asked = {
        "type": "object",
        "properties": {
            "agreement": {"type": "string", "format": "uuid"},
            "days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": DAYS},
        },
        "required": ["agreement"],
        "additionalProperties": False,
    }
    profile: Schema = {"type": "object", "description": "Save it as a file and open it with a Delta Sharing client."}
    made = _closed(_TOKEN | {"profile": profile, "trace": TEXT})
    make = _act("make_sharing_token", "A token of Delta Sharing for one of your agreements", "201", made)
    make["parameters"] = [{"name": HEADER, "in": "header", "schema": TEXT, "description": _ONCE}]
    make["requestBody"] = {"required": True, "content": {"application/json": {"schema": asked}}}
    revoke = _act("revoke_sharing_token", "Revoke a token of Delta Sharing", "204", None)
    revoke["parameters"] = [one]
    return {
        BASE: {"get": _act("sharing_tokens", "Your tokens of Delta Sharing", "200", listed), "post": make},
        f"{BASE}/{{id}}": {"delete": revoke},
    }


_REFUSALS: Final = (400, 401, 403, 404, 409, 415, 422, 500, 503)
_ONCE: Final = "The same request with the same key makes one token, and is answered alike, within two days."
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TOKEN: Final[dict[str, Schema]] = {
    "id": TEXT, "agreement": TEXT, "made": _TIME, "expires": _TIME,
    "revoked": {"type": ["string", "null"], "format": "date-time"},
}  # fmt: skip


def _closed(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _act(name: str, summary: str, status: str, schema: Schema | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if schema is not None:
        answer["content"] = {"application/json": {"schema": schema}}
    refusals = {str(each): reference("responses", f"Refused{each}") for each in _REFUSALS}
    return {
        "operationId": name, "summary": summary, "tags": ["delta sharing"],
        "security": [{"certificate": []}], "responses": {status: answer, **refusals},
    }  # fmt: skip


def _told(token: SharingToken) -> dict[str, Any]:
    return {
        "id": token.id, "agreement": token.agreement, "made": token.made, "expires": token.expires,
        "revoked": token.revoked,
    }  # fmt: skip


def _answer(body: dict[str, Any], request: Request, status: int = 200) -> Answer:
    return Answer(status, list(_HEADERS), orjson.dumps(body | {"trace": request.trace}, option=orjson.OPT_UTC_Z))
