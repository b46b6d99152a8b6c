"""Municipality and age of a person, for whoever needs no more: nothing else of the record leaves the house."""

from dataclasses import replace
from datetime import date
from typing import Any, Final

import orjson

from integrations.asked import Reply, Road
from integrations.carried import Carried
from integrations.components.input import field_of
from integrations.errors import RecordUnknown
from integrations.lookup import lookup, today_of
from integrations.passthrough import JSON
from kernel import DatasetId
from replica import DatasetNotReady

MUNICIPALITIES: Final = DatasetId("municipality.municipalities")
_READ: Final = ("birth_date", "birth_date_uncertain", "municipality_code", "status")
_DEAD: Final = "90"


def municipality_and_age(carried: Carried) -> Road:
    """Of `pnr`: the municipality, and the age in whole years on this day in Copenhagen; null for who is dead."""
    number = field_of(carried, "pnr", "[0-9]{10}")
    carried.visit.asks_about([number])
    dataset_id = carried.service.dataset
    assert dataset_id is not None  # noqa: S101  as the descriptor's review holds
    desk, today = carried.desk, today_of(carried.call)
    call = replace(carried.call, columns=_READ)
    found = lookup(call, [number], carried.grant, desk.dataset(dataset_id), desk.reader(dataset_id), today)
    record = found.found.get(number)
    yield from ()
    if record is None:
        raise RecordUnknown(
            "there is no person with this number that the agreement covers", remedy="check the number", rule="body.pnr"
        )
    born, alive = record["birth_date"], record["status"] != _DEAD
    code = record["municipality_code"]
    facts: dict[str, Any] = {
        "municipality_code": code,
        "municipality": _name(carried, code),
        "age": age_on(born, today) if born is not None and alive else None,
        "uncertain": bool(record["birth_date_uncertain"]),
        "alive": alive,
    }
    return Reply(fields=JSON, body=orjson.dumps(facts), by="replica", info=found.info, keys=1, rows=1)


def age_on(born: date, day: date) -> int | None:
    """Whole years: one more on each birthday; who was born on 29 February has it on 1 March of other years."""
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return years if years >= 0 else None


def _name(carried: Carried, code: str | None) -> str | None:
    """The municipality's name, which is public; None when the register of them is not mirrored."""
    if code is None:
        return None
    try:
        rows, _ = carried.desk.reader(MUNICIPALITIES).get_many([code], ("name",))
    except DatasetNotReady:
        return None
    name: str | None = rows.get(code, {}).get("name")
    return name
