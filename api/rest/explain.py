"""POST /v1/explain: what a call would meet, before it is made. For the system itself, and for operators."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import BodyInvalid, OperatorsOnly
from api.explaining import Asked, Judges
from api.request import Request, nameable
from api.rest.admin.who import Looker, looker_of
from api.rest.components import TEXT, reference
from api.rest.json_body import json_body, object_of
from api.rest.record_schema import Schema
from api.threads import in_thread
from api.visit import refusal_on_record
from control import System
from control.errors import AgreementAmbiguous, ControlNotReady, Unregistered
from kernel import PlatformError, ServiceName

PATH: Final = "/v1/explain"
MOST_KEYS: Final = 1_000_000
AHEAD: Final = timedelta(days=3_660)
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_NAME, _UUID = re.compile(r".{1,200}"), re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXTS: Final = {
    "system": (_NAME, "the name or id of a system"),
    "service": (_NAME, "the name of a service"),
    "municipality": (re.compile(r"[0-9]{8}"), "a CVR number of eight digits"),
    "agreement": (_UUID, "the id of an agreement"),
    "purpose": (re.compile(r"[a-z0-9][a-z0-9._-]{0,59}"), "the code of a purpose"),
}
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


async def explain(doors: Doors, request: Request) -> Answer:
    looker: Looker | None = None
    try:
        looker = await in_thread(lambda: looker_of(doors, request))
        request.parameters()
        asked = asked_of(object_of(await json_body(request)), looker, request.received)
        told = await in_thread(_judged(doors, asked, request.received))
    except PlatformError as error:
        raise refusal_on_record(doors, request, error, caller=looker.caller if looker else None) from None
    return Answer(200, list(_HEADERS), orjson.dumps(told | {"trace": request.trace}, option=orjson.OPT_UTC_Z))


def asked_of(body: dict[str, Any], looker: Looker, now: datetime) -> Asked:
    """Raises BodyInvalid, naming the field and not what stands in it; OperatorsOnly."""
    if unknown := body.keys() - _TEXTS.keys() - {"columns", "keys", "at"}:
        raise _invalid(f"there is no field {nameable(min(unknown))}")
    texts: dict[str, str | None] = {}
    for field, (shape, what) in _TEXTS.items():
        value = body.get(field)
        if value is not None and not (isinstance(value, str) and shape.fullmatch(value)):
            raise _invalid(f"{field} is not {what}")
        texts[field] = value
    columns, keys, service = body.get("columns"), body.get("keys", 1), texts["service"]
    if service is None:
        raise _invalid("service is missing")
    if columns is not None and not _names(columns):
        raise _invalid("columns is not a list of columns' names")
    if type(keys) is not int or not 1 <= keys <= MOST_KEYS:
        raise _invalid(f"keys is not a number from 1 to {MOST_KEYS}")
    return Asked(
        system=_whom(texts["system"], looker), service=service, municipality=texts["municipality"],
        agreement=texts["agreement"], purpose=texts["purpose"], keys=keys,
        columns=None if columns is None else tuple(columns), at=_moment(body.get("at"), now),
    )  # fmt: skip


def one_of(systems: tuple[System, ...], name: str) -> System:
    """By name or id. Raises Unregistered, AgreementAmbiguous."""
    # A name may be written like another's id.
    found = [each for each in systems if each.id == name] or [each for each in systems if each.name == name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Unregistered("no system is registered under this name or id", remedy="check the name")
    ids = ", ".join(each.id for each in found)
    raise AgreementAmbiguous("several systems have this name", remedy=f"name one by its id: {ids}")


def explain_path() -> dict[str, Any]:
    """What the OpenAPI document says of it."""
    moment: Schema = {"type": "string", "format": "date-time"}
    fields: dict[str, Schema] = {
        "system": {**TEXT, "description": "Name or id; a system asks about itself, and may leave it out."},
        "service": TEXT,
        "municipality": {"type": "string", "pattern": "^[0-9]{8}$"},
        "agreement": {"type": "string", "format": "uuid"},
        "columns": {"type": "array", "items": TEXT, "minItems": 1},
        "keys": {"type": "integer", "minimum": 1, "maximum": MOST_KEYS, "default": 1},
        "purpose": TEXT,
        "at": {**moment, "description": "When the call would be made; now when it is left out."},
    }
    asked = {"type": "object", "properties": fields, "required": ["service"], "additionalProperties": False}
    told = {
        "type": "object",
        "properties": {
            "admitted": {"type": "boolean"}, "refusals": {"type": "array", "items": {"type": "object"}}, "trace": TEXT,
        },
        "required": ["admitted", "refusals", "trace"],
    }  # fmt: skip
    refusals = {
        str(each): reference("responses", f"Refused{each}") for each in (400, 401, 403, 404, 413, 415, 500, 503)
    }
    answer = {"description": "The verdict.", "content": {"application/json": {"schema": told}}}
    return {
        PATH: {
            "post": {
                "operationId": "explain",
                "summary": "What a call would meet, before it is made",
                "description": "Judged by the same policy and limits as calls; nothing is called or counted.",
                "security": [{"certificate": []}, {"employee": []}],
                "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
                "responses": {"200": answer, **refusals},
            }
        }
    }


def _judged(doors: Doors, asked: Asked, now: datetime) -> Callable[[], dict[str, Any]]:
    def judged() -> dict[str, Any]:
        if doors.control is None:
            raise ControlNotReady("there is no control database here", remedy="ask where calls are answered")
        system = one_of(doors.control.systems(), asked.system)
        service = doors.registers.service(ServiceName(asked.service))
        judges = Judges(doors.policy(), doors.counters, doors.registers, doors.environment)
        return judges.told(asked, system, service, asked.at or now)

    return judged


def _whom(named: str | None, looker: Looker) -> str:
    """The system that is asked about. Raises OperatorsOnly, alike for those that are and those that are not."""
    mine = looker.caller
    if mine is not None and named in {None, mine.system, mine.name}:
        return mine.system
    if not looker.operator:
        raise OperatorsOnly(
            "a system asks about itself alone, and of people only operators ask",
            remedy="leave system out, and call with the certificate of the system that would call",
            rule="organisation.kind",
            owner=f"organisation {looker.organisation_cvr}",
        )
    if named is None:
        raise _invalid("system is missing")
    return named


def _names(columns: Any) -> bool:
    if not isinstance(columns, list) or not columns:
        return False
    return all(isinstance(each, str) and _COLUMN.fullmatch(each) for each in columns)


def _moment(text: Any, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        if moment.tzinfo is None or abs(moment - now) > AHEAD:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid("at is not a time with its zone, of these ten years") from None


def _invalid(what: str) -> BodyInvalid:
    return BodyInvalid(what, remedy='send {"service": "...", "keys": 1}; all fields are in /openapi.json')
