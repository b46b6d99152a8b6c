"""Proof of a copy: digests of the rows between keys, by which a consumer finds where its copy is not what it should be.

A digest is the SHA-256 of the rows as NDJSON, line by line in the order of their keys: the very bytes of an NDJSON
extract, so nothing else than a hash of its own lines is asked of a consumer. Pure.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from extract.formats.json_text import json_lines
from extract.formats.rows import exact


@dataclass(frozen=True, slots=True)
class Part:
    """Rows from the key `low` on and before `high`; None for no end."""

    low: str | None
    high: str | None
    rows: int
    sha256: str


def digests(batches: Iterable[pa.RecordBatch], key: str, part_rows: int) -> Iterator[Part]:
    """The parts of a whole, each of `part_rows` rows but for the last; together they leave no key out."""
    low: str | None = None
    held: tuple[int, str] | None = None
    for batch in exact(batches, part_rows):
        if not batch.num_rows:
            continue
        if held is not None:
            start = batch.column(key)[0].as_py()
            yield Part(low, start, *held)
            low = start
        held = batch.num_rows, hashlib.sha256(json_lines(batch)).hexdigest()
    rows, digest = held or (0, hashlib.sha256().hexdigest())
    yield Part(low, None, rows, digest)
