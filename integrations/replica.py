"""Replica: the answer comes from the platform's own mirror."""

import orjson

from integrations.asked import Reply, Road
from integrations.carried import Carried
from integrations.errors import InputInvalid
from integrations.lookup import lookup, today_of


def replica(carried: Carried) -> Road:
    """The record by a key, for a service that needs it beside others; `lookup` is the road of the front door."""
    key = carried.asked.document().get("key")
    if not isinstance(key, str):
        raise InputInvalid("key is not a text", remedy='send {"key": "..."}', rule="body.key")
    dataset_id = carried.service.dataset
    assert dataset_id is not None  # noqa: S101  as the descriptor's review holds
    carried.visit.asks_about([key])
    dataset, reader = carried.desk.dataset(dataset_id), carried.desk.reader(dataset_id)
    found = lookup(carried.call, [key], carried.grant, dataset, reader, today_of(carried.call))
    yield from ()
    record = found.found.get(key)
    body = orjson.dumps(record, option=orjson.OPT_UTC_Z)
    status, rows = (404, 0) if record is None else (200, 1)
    return Reply(status=status, body=body, by="replica", info=found.info, keys=1, rows=rows)
