"""One row per event: the flat shape of the view `calls`, of a ledger line and of the usage lake.

The moment is called `time`, as in CloudEvents: `at` is a reserved word in DuckDB's SQL and would need quotes
in every question.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

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

STORED: Final = pa.schema([*SCHEMA, pa.field("file", _text, nullable=False), pa.field("line", _count, nullable=False)])
"""As kept in the usage lake: the row, and where in the ledger it came from."""


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
