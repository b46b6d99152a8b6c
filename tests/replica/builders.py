"""Small datasets and deliveries for the mirror's tests."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from kernel import new_id
from replica import QUARANTINE, Delivery, Mode, ReplicaSettings, RunRecord
from schemas import Classification, Column, Dataset, Kind, ProtectionRule

SETTINGS = ReplicaSettings(memory_limit="500MB", threads=1)
DAY = date(2031, 2, 10)

ELEMENT = Column(
    name="item",
    kind=Kind.OBJECT,
    fields=(
        Column(name="type", kind=Kind.TEXT),
        Column(name="from_date", kind=Kind.DATE),
        Column(name="to_date", kind=Kind.DATE),
    ),
)
PERSONS = Dataset(
    register="cpr",
    name="persons",
    key="pnr",
    protection=ProtectionRule(),
    columns=(
        Column(name="pnr", kind=Kind.TEXT, required=True, unique=True, classification=Classification.PERSONAL),
        Column(name="status", kind=Kind.TEXT, classification=Classification.PERSONAL),
        Column(name="name", kind=Kind.TEXT, classification=Classification.PROTECTED),
        Column(name="born", kind=Kind.DATE, classification=Classification.PERSONAL),
        Column(name="protections", kind=Kind.ARRAY, item=ELEMENT, classification=Classification.PERSONAL),
    ),
)


def a_row(pnr: str, **values: Any) -> dict[str, Any]:
    return {"pnr": pnr, "status": "01", "name": f"navn {pnr}", "born": date(1980, 1, 2), "protections": []} | values


def a_table(rows: list[dict[str, Any]], dataset: Dataset = PERSONS) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=dataset.arrow)


def a_delivery(
    rows: list[dict[str, Any]],
    mode: Mode = Mode.DELTA,
    *,
    deletes: list[str] | None = None,
    dataset: Dataset = PERSONS,
    **run: Any,
) -> Delivery:
    now = datetime.now(UTC)
    given: Mapping[str, Any] = {
        "run": new_id(), "source": "a source", "mode": mode, "started": now, "content_sha256": "0" * 64,
        "cursor": "{}", "as_of": now, "lines_in": len(rows), "lines_quarantined": 0, "rows_in": len(rows),
        "rows_quarantined": 0,
    } | run  # fmt: skip
    return Delivery(
        rows=a_table(rows, dataset),
        mode=mode,
        quarantine=QUARANTINE.empty_table(),
        run=RunRecord(**given),
        deletes=None if deletes is None else pa.array(deletes, pa.string()),
    )
