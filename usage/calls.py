"""One row per event: the flat shape of the view `calls`, of a ledger line and of the usage lake.

The moment is called `time`, as in CloudEvents: `at` is a reserved word in DuckDB's SQL and would need quotes
in every question.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from kernel import NOTHING_SAID, CallAnswered, CallRefused, Observation, RowsDelivered, Said, Timing

KINDS: Final = frozenset({"answered", "refused", "delivered"})

_text = pa.string()
_count = pa.int64()
SCHEMA: Final = pa.schema(
    [
        pa.field("event", _text, nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("kind", _text, nullable=False),
        ("trace", _text),
        ("channel", _text),
        ("service", _text),
        ("operation", _text),
        ("system", _text),
        ("agreement", _text),
        ("terms_hash", _text),
        ("municipality_cvr", _text),
        ("status", pa.int32()),
        ("code", _text),
        ("reason", _text),
        ("snapshot", _count),
        ("extract", _text),
        ("keys", _count),
        ("rows", _count),
        ("size_bytes", _count),
        ("whole", pa.bool_()),
        ("own_us", _count),
        ("source_us", _count),
        ("total_us", _count),
        ("subjects", pa.list_(_text)),
        ("credential", _text),
        ("peer", _text),
        ("node", _text),
        ("role", _text),
    ]
)
"""kind        answered, refused, or delivered (the end of a bulk transfer; its answer has the same trace)
status      as in HTTP, whatever the channel
code        why refused, in one word that never changes; `reason` is the sentence
extract     identity of the file that was delivered
whole       whether a delivery reached its end
own_us, source_us, total_us   microseconds: ours, waiting for a source outside the house, together
subjects    keyed hashes of the identifiers asked about
credential  SHA-256 fingerprint of the certificate or key
node, role  the machine and the kind of process that wrote the line
"""

LINE_ALONE: Final = frozenset({"rule", "owner", "remedy", "to_source_us", "on_behalf_of", "call_id", "accounting"})
"""What a ledger line says beyond its row: why a call was refused, which whoever opens the decision reads there; when a
source was asked; and what the caller said of its call, its end user as a keyed hash.
"""

_PERSONAL_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])[0-9]{6}[- ]?[0-9]{4}(?![0-9A-Za-z])")

STORED: Final = pa.schema([*SCHEMA, pa.field("file", _text, nullable=False), pa.field("line", _count, nullable=False)])
"""As kept in the usage lake: the row, and where in the ledger it came from."""


def row_of(observation: Observation, hashed: Callable[[str], str]) -> dict[str, Any]:
    """The row of one observation, without node and role, which are the ledger file's. Pure.

    Fields that the observation does not have are left out. `hashed` gives the keyed hash of an identifier.
    """
    match observation:
        case CallAnswered() as seen:
            return {
                "event": seen.event,
                "time": seen.at,
                "kind": "answered",
                "trace": seen.trace,
                "channel": seen.channel,
                "service": seen.service,
                "operation": seen.operation,
                "system": seen.system,
                "agreement": seen.agreement,
                "terms_hash": seen.terms_hash,
                "municipality_cvr": seen.municipality_cvr,
                "status": seen.status,
                "snapshot": seen.snapshot,
                "keys": seen.keys,
                "rows": seen.rows,
                "size_bytes": seen.size_bytes,
                **_spent(seen.timing),
                "subjects": [hashed(subject) for subject in seen.subjects],
                **_said(seen.said, hashed),
            }
        case CallRefused() as seen:
            return {
                "event": seen.event,
                "time": seen.at,
                "kind": "refused",
                "trace": seen.trace,
                "channel": seen.channel,
                "service": seen.service,
                "operation": seen.operation,
                "system": seen.system,
                "agreement": seen.agreement,
                "municipality_cvr": seen.municipality_cvr,
                "status": seen.status,
                "code": seen.code,
                "reason": seen.reason,
                "rule": seen.rule,
                "owner": seen.owner,
                "remedy": seen.remedy,
                **_spent(seen.timing),
                "subjects": [hashed(subject) for subject in seen.subjects],
                "credential": seen.credential,
                "peer": seen.peer,
                **_said(seen.said, hashed),
            }
        case RowsDelivered() as seen:
            return {
                "event": seen.event,
                "time": seen.at,
                "kind": "delivered",
                "trace": seen.trace,
                "channel": seen.channel,
                "service": seen.service,
                "operation": seen.operation,
                "system": seen.system,
                "agreement": seen.agreement,
                "terms_hash": seen.terms_hash,
                "municipality_cvr": seen.municipality_cvr,
                "snapshot": seen.snapshot,
                "extract": seen.extract,
                "rows": seen.rows,
                "size_bytes": seen.size_bytes,
                "whole": seen.whole,
                **_spent(seen.timing),
                "subjects": [],
            }


def _said(said: Said, hashed: Callable[[str], str]) -> dict[str, str]:
    """What looks like a personal number in a caller's free text is not kept."""
    if said is NOTHING_SAID:
        return {}
    made = {} if said.on_behalf_of is None else {"on_behalf_of": hashed(said.on_behalf_of)}
    for name, value in (("call_id", said.call_id), ("accounting", said.accounting)):
        if value is not None:
            made[name] = _PERSONAL_NUMBER.sub("[number]", value)
    return made


def _spent(timing: Timing | None) -> dict[str, int]:
    if timing is None:
        return {}
    spent = {
        "own_us": timing.own_us,
        "source_us": timing.from_source_us - timing.to_source_us,
        "total_us": timing.out_us,
    }
    # With `time`, the fourth of four time stamps: in, to the source, from the source, out.
    return spent | {"to_source_us": timing.to_source_us} if timing.from_source_us else spent


def table_of(rows: Iterable[Mapping[str, Any]], *, file: str, node: str, role: str) -> pa.Table:
    """Rows read back from one ledger file (`seq` is their line) as a table of shape STORED.

    Raises pa.ArrowException or ValueError when a row does not fit the shape.
    """
    rows = list(rows)
    given = {"node": node, "role": role, "file": file}
    columns = []
    for field in STORED:
        values: list[Any]
        if field.name in given:
            values = [given[field.name]] * len(rows)
        elif field.name == "line":
            values = [row["seq"] for row in rows]
        elif field.name == "time":
            values = [datetime.fromisoformat(row["time"]) for row in rows]
        elif field.nullable:
            values = [row.get(field.name) for row in rows]
        else:
            values = [row[field.name] for row in rows]
        columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=STORED)
