"""A class of a classification with those above and below it, as they were valid on a day."""

from dataclasses import replace
from datetime import date
from typing import Any, Final

import orjson

from integrations.asked import Reply, Road, Work
from integrations.carried import Carried
from integrations.components.input import fields_of
from integrations.errors import InputInvalid, RecordUnknown
from integrations.lookup import LookupAnswer, lookup, today_of
from integrations.passthrough import JSON
from kernel import Limits
from replica import MOST_ROWS, Condition, Op, Search

DEEPEST: Final = 20
"""Levels that are climbed at most: a class that lies above itself is a fault of the register."""


def class_in_hierarchy(carried: Carried) -> Road:
    """Of `code` and, if it is given, the day `on`: the class, `above` from the top, and `below` one level down."""
    code, day = _asked(carried)
    found = _look(carried, [code])
    own = found.found.get(code)
    if own is None or not _valid(own, day):
        raise RecordUnknown("no class of this code is valid on that day", remedy="check the code", rule="body.code")
    above: list[dict[str, Any]] = []
    parent = own["parent"]
    while parent is not None and len(above) < DEEPEST:
        each = _look(carried, [parent]).found.get(parent)
        if each is None:
            break
        above.insert(0, _shown(each))
        parent = each["parent"]
    dataset, desk = carried.desk.dataset(found.info.dataset), carried.desk
    search = Search(conditions=(Condition(column="parent", op=Op.EQ, value=code),), limit=MOST_ROWS)
    keys = (yield Work(lambda: desk.find(dataset, search, found.info.snapshot))).keys
    rows = _look(carried, list(keys)).found if keys else {}
    below = [_shown(row) for _, row in sorted(rows.items()) if _valid(row, day)]
    body = {"class": _shown(own), "above": above, "below": below, "on": day}
    return Reply(
        fields=JSON, body=orjson.dumps(body), by="replica", info=found.info, keys=1, rows=1 + len(above) + len(below)
    )


def _look(carried: Carried, codes: list[str]) -> LookupAnswer:
    """Within the agreement, which says nothing of how many classes there are above and below."""
    dataset_id = carried.service.dataset
    assert dataset_id is not None  # noqa: S101  as the descriptor's review holds
    grant = replace(carried.grant, limits=Limits(keys_per_call=len(codes)))
    dataset, reader = carried.desk.dataset(dataset_id), carried.desk.reader(dataset_id)
    return lookup(carried.call, codes, grant, dataset, reader, today_of(carried.call))


def _asked(carried: Carried) -> tuple[str, date]:
    """Raises InputInvalid."""
    body = fields_of(carried, "code", "on")
    code, on = body.get("code"), body.get("on")
    if not isinstance(code, str):
        raise InputInvalid("code is not a text", remedy='send {"code": "01.02"}', rule="body.code")
    try:
        return code, today_of(carried.call) if on is None else date.fromisoformat(on)
    except (TypeError, ValueError):
        raise InputInvalid("on is not a day", remedy="write it as 2026-11-28", rule="body.on") from None


def _valid(row: dict[str, Any], day: date) -> bool:
    return bool(row["valid_from"] <= day and (row["valid_to"] is None or day <= row["valid_to"]))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    names = ("code", "level", "title", "valid_from", "valid_to")
    return {name: row[name] for name in names}
