"""Records whose master is the platform: written one at a time, validated by their contract, in the change feed at once.

The key travels in the body, also of DELETE: an address ends up in logs and histories.
"""

from typing import Any

import orjson

from integrations.asked import Reply, Road, Work
from integrations.carried import Carried
from integrations.components.input import fields_of
from integrations.editing import Edit, Kind, Record, Written, edited, etag_of
from integrations.errors import InputInvalid
from integrations.lookup import ensure_shaped
from integrations.passthrough import JSON


def master_records(carried: Carried) -> Road:
    """PUT and PATCH {"key": ..., "record": {...}}, DELETE {"key": ...}."""
    dataset_id = carried.service.dataset
    assert dataset_id is not None  # noqa: S101  as the descriptor's review holds
    dataset, grant, edit = carried.desk.dataset(dataset_id), carried.grant, _edit(carried)
    ensure_shaped([edit.key], dataset)
    carried.visit.asks_about([edit.key])
    write = carried.desk.write

    def decide(current: Record | None) -> Record | None:
        return edited(edit, current, grant, dataset)

    written: Written = yield Work(lambda: write(dataset, edit.key, decide))
    record = written.record
    body: dict[str, Any] = {"record": None if record is None else _seen(record, carried), "trace": carried.call.trace}
    body |= {"snapshot": written.info.snapshot, "service": carried.service.name}
    fields = JSON if record is None else (*JSON, ("etag", etag_of(record)))
    return Reply(
        status=201 if written.created else 200,
        fields=fields,
        body=orjson.dumps(body),
        info=written.info,
        keys=1,
        rows=1,
    )


def _seen(record: Record, carried: Carried) -> Record:
    columns = carried.grant.columns
    return record if columns is None else {name: value for name, value in record.items() if name in columns}


def _edit(carried: Carried) -> Edit:
    """Raises InputInvalid."""
    kind, headers = Kind(carried.asked.method), carried.asked.headers
    body = fields_of(carried, "key", "record") if kind is not Kind.DELETE else fields_of(carried, "key")
    key, record = body.get("key"), body.get("record", {})
    if not isinstance(key, str) or not key:
        raise InputInvalid("key is not a text", remedy='send {"key": "..."}', rule="body.key")
    if not isinstance(record, dict) or (kind is not Kind.DELETE and "record" not in body):
        raise InputInvalid("record is not an object", remedy='send {"key": "...", "record": {...}}', rule="body.record")
    only_new = headers.get("if-none-match")
    if only_new not in {None, "*"}:
        raise InputInvalid("If-None-Match is other than *", remedy="send If-None-Match: * to make a new record only")
    if (told := record.get(_key_name(carried))) is not None and told != key:
        raise InputInvalid("the record has another key than the call", remedy="send one key", rule="body.key")
    return Edit(kind=kind, key=key, fields=record, if_match=headers.get("if-match"), only_new=only_new is not None)


def _key_name(carried: Carried) -> str:
    dataset_id = carried.service.dataset
    assert dataset_id is not None  # noqa: S101
    return carried.desk.dataset(dataset_id).key
