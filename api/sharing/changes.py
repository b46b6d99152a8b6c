"""A delta of ours as the protocol's change feed: the same rows, with `_change_type` for what became of them."""

import os
import uuid
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from replica import OPERATION

CHANGE_TYPE: Final = "_change_type"
_TYPES: Final = {"insert": "insert", "update": "update_postimage", "delete": "delete"}


def change_feed(delta: Path, target: Path) -> int:
    """Write the change feed of a delta's Parquet file, unless it is there; under its name it is whole. Gives its
    size in bytes.
    """
    if not target.exists():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = target.with_name(f".{uuid.uuid4()}.part")
        try:
            _write(delta, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    return target.stat().st_size


def _write(delta: Path, draft: Path) -> None:
    file = pq.ParquetFile(delta)
    kept = [field for field in file.schema_arrow if field.name != OPERATION]
    schema = pa.schema([*kept, pa.field(CHANGE_TYPE, pa.string())])
    names, words = pa.array(list(_TYPES)), pa.array(list(_TYPES.values()))
    with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        for batch in file.iter_batches():
            kinds = words.take(pc.index_in(batch.column(OPERATION), value_set=names))
            columns = [batch.column(field.name) for field in kept]
            writer.write_batch(pa.record_batch([*columns, kinds], schema=schema))
    handle = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
