"""What the OpenAPI document says of subscriptions, deliveries and circles."""

from typing import Any, Final

from api.rest.components import TEXT, reference
from api.rest.record_schema import Schema
from extract import Compression, FilterKind, Format, Kind, Outcome, Standing, State
from schemas import Service

_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_MAYBE: Final[Schema] = {"type": ["string", "null"]}
_COUNT: Final[Schema] = {"type": ["integer", "null"]}
_ID: Final[Schema] = {"type": "string", "format": "uuid"}
_TRACE: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


def service_paths(service: Service, *, circle: bool) -> dict[str, Any]:
    """Paths of an extract service; `circle` where its rows are persons."""
    base = f"/v1/services/{service.name}"
    paths: dict[str, Any] = {f"{base}/subscriptions": {"post": _subscribe(service)}}
    if circle:
        paths[f"{base}/circle"] = _circle(service)
    return paths


def delivery_paths() -> dict[str, Any]:
    """Paths that are no service's."""
    ended = {"name": "ended", "in": "query", "schema": {"type": "string", "enum": ["true", "false"]}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000}}
    state = {"name": "state", "in": "query", "schema": {"type": "string", "enum": [each.value for each in State]}}
    of = {"name": "subscription", "in": "query", "schema": _ID}
    one = {"name": "id", "in": "path", "required": True, "schema": _ID}
    turn = _closed({"state": {"enum": [each.value for each in Standing]}, "reason": TEXT}, ("state",))
    receipt = _closed({"status": {"enum": ["received", "damaged"]}, "sha256": TEXT}, ("status",))
    subscriptions = _closed({"subscriptions": _list("Subscription"), "trace": _TRACE})
    deliveries = _closed({"deliveries": _list("Delivery"), "trace": _TRACE})
    subscription, delivery = reference("schemas", "Subscription"), reference("schemas", "Delivery")
    return {
        "/v1/subscriptions": {"get": _act("subscriptions", "The system's subscriptions", subscriptions, [ended])},
        "/v1/subscriptions/{id}": {
            "get": _act("subscription", "One subscription", subscription, [one]),
            "patch": _act("turn_subscription", "Pause, resume or end a subscription", subscription, [one], turn),
        },
        "/v1/deliveries": {"get": _act("deliveries", "Deliveries, newest first", deliveries, [of, state, limit])},
        "/v1/deliveries/{id}": {"get": _act("delivery", "One delivery, and every step it took", delivery, [one])},
        "/v1/deliveries/{id}/receipt": {
            "post": _act("receipt", "Say that a delivery was received, or is damaged", delivery, [one], receipt)
        },
        "/v1/deliveries/{id}/redelivery": {
            "post": _act("redelivery", "Have a delivery sent once more", delivery, [one])
        },
    }


def delivery_schemas() -> dict[str, Schema]:
    columns: Schema = {"type": ["array", "null"], "items": TEXT}
    rows: Schema = {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}}
    subscription = {
        "id": _ID, "service": TEXT, "agreement": _ID, "system": _ID,
        "kind": {"enum": [each.value for each in Kind]}, "format": {"enum": [each.value for each in Format]},
        "compression": {"enum": [each.value for each in Compression]}, "columns": columns, "rows": rows,
        "name": _MAYBE, "schedule": TEXT, "target": {"type": "object"}, "confirm_within_s": _COUNT,
        "purpose": _MAYBE,
        "state": {"enum": [each.value for each in Standing]}, "reason": TEXT, "created": _TIME,
        "deliveries": {"type": "integer"}, "snapshot": _COUNT, "cursor": _MAYBE,
    }  # fmt: skip
    delivery = {
        "id": _ID, "subscription": _ID, "number": {"type": "integer"},
        "state": {"enum": [each.value for each in State]}, "kind": {"enum": ["full", "changes"]}, "why_full": _MAYBE,
        "snapshot": {"type": "integer"}, "cursor_from": _MAYBE, "cursor": _MAYBE, "file": _MAYBE, "rows": _COUNT,
        "bytes": _COUNT, "sha256": _MAYBE, "attempts": {"type": "integer"}, "due": _TIME, "fault": _MAYBE,
        "fault_code": _MAYBE, "planned": _TIME, "sent": _MAYBE, "received": _MAYBE, "alarmed": _MAYBE,
    }  # fmt: skip
    steps: Schema = {"type": "array", "items": _closed(dict.fromkeys(("at", "step", "state", "note"), TEXT))}
    return {
        "Subscription": _closed(
            {**subscription, "secret": {**TEXT, "description": "What an HTTPS endpoint checks signatures with; once."},
             "trace": _TRACE},
            tuple(subscription),
        ),
        "Delivery": _closed({**delivery, "steps": steps, "trace": _TRACE}, tuple(delivery)),
    }  # fmt: skip


def _subscribe(service: Service) -> dict[str, Any]:
    wanted = _closed(
        {
            "kind": {"enum": [each.value for each in Kind], "default": "changes"},
            "format": {"enum": [each.value for each in Format], "default": "csv"},
            "compression": {"enum": [each.value for each in Compression], "default": "none"},
            "columns": {"type": "array", "items": TEXT, "minItems": 1},
            "rows": {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}},
            "name": {**TEXT, "description": "Template of file names, for instance D{yymmdd}.L{number}."},
            "schedule": {
                **TEXT,
                "default": "publication",
                "description": "`publication`, `working MINUTE HOUR`, or five fields of cron with named days.",
            },
            "target": {
                "type": "object",
                "description": "kind: shelf, inbox, sftp (host, port, user, folder, host_key, trigger, "
                "document, sender, recipients, manifest, receipts) or https "
                "(url, notify).",
                "examples": [{"kind": "shelf"}, {"kind": "https", "url": "https://hub.town.example/in"}],
            },
            "confirm_within_s": {"type": ["integer", "null"], "minimum": 60},
            "purpose": {**TEXT, "description": "Code of the agreement's purpose that deliveries count for."},
            "service": TEXT,
            "agreement": _ID,
        },
        (),
    )
    made = _act(f"subscribe_{service.name.replace('-', '_')}", f"{service.title['en']}: have it delivered",
                reference("schemas", "Subscription"), [], wanted, status="201")  # fmt: skip
    made["tags"] = [service.name]
    made["parameters"] = [reference("parameters", name) for name in ("Agreement", "Municipality")]
    return made


def _circle(service: Service) -> dict[str, Any]:
    name = service.name.replace("-", "_")
    one = _closed({"kind": {"enum": [each.value for each in FilterKind]}, "value": TEXT}, ("kind",))
    many: Schema = {"type": "array", "items": one, "maxItems": 1000}
    outcomes: Schema = {"type": "array", "items": {"enum": [each.value for each in Outcome]}}
    kind = {"name": "kind", "in": "query", "schema": {"enum": [each.value for each in FilterKind]}}
    changes = _closed({"added": outcomes, "removed": outcomes, "trace": _TRACE})
    acts = {
        "get": _act(f"circle_{name}", "Whom the subscriber follows", _closed({"filters": many, "trace": _TRACE}), []),
        "post": _act(f"change_circle_{name}", "Follow persons, or follow them no longer", changes, [],
                     _closed({"add": many, "remove": many}, ())),
        "delete": _act(f"clear_circle_{name}", "Remove all filters, or all of a kind",
                       _closed({"removed": {"type": "integer"}, "trace": _TRACE}), [kind]),
    }  # fmt: skip
    for act in acts.values():
        act["tags"] = [service.name]
        act["parameters"] += [reference("parameters", each) for each in ("Agreement", "Municipality")]
    return acts


def _act(
    name: str,
    summary: str,
    answer: Schema,
    parameters: list[dict[str, Any]],
    body: Schema | None = None,
    *,
    status: str = "200",
) -> dict[str, Any]:
    refusals = ("400", "401", "403", "404", "409", "413", "415", "429", "500", "503")
    made: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            status: {"description": "Done.", "content": {"application/json": {"schema": answer}}},
            **{each: reference("responses", f"Refused{each}") for each in refusals},
        },
    }
    if body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return made


def _list(name: str) -> Schema:
    return {"type": "array", "items": reference("schemas", name)}


def _closed(properties: dict[str, Schema], required: tuple[str, ...] | None = None) -> Schema:
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}
