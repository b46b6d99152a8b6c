"""A copy in any form tells its rows as the digests have them, and is written again as it was."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract import Compression, Format, encode
from extract.formats.json_text import json_lines
from runtime.copy_file import File
from runtime.copy_forms import form_of, names_of
from tests.extract.test_formats import SCHEMA, row

FORMS = st.sampled_from([
    (Format.CSV, Compression.NONE), (Format.CSV_DK, Compression.GZIP), (Format.CSV_DK_BOM, Compression.NONE),
    (Format.NDJSON, Compression.ZSTD), (Format.PARQUET, Compression.NONE), (Format.ARROW, Compression.GZIP),
])  # fmt: skip


@settings(max_examples=90, deadline=None)
@given(FORMS, st.lists(row, max_size=6))
def test_rows_are_the_same_in_each(form: tuple[Format, Compression], rows: list[dict[str, Any]]) -> None:
    """Nulls beside empty texts, line ends and quotation marks within texts, nested lists, times, large numbers."""
    kind, packed = form
    table = pa.Table.from_pylist(rows, SCHEMA).combine_chunks()
    whole = b"".join(encode(kind, SCHEMA, table.to_batches(2), packed))
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"copy.{kind.ending}"
        path.write_bytes(whole)
        file = File.seen(path)
        found = form_of(file, "key", SCHEMA)
        batches = list(found.batches())
        assert (file.format, file.compression) == (kind, packed)
        assert names_of(file) == (None if kind is Format.NDJSON else SCHEMA.names)
        assert b"".join(map(found.text, batches)) == b"".join(map(json_lines, table.to_batches()))
        assert b"".join(found.written(batches)) == whole
        # What is fetched is told alike.
        answer = b"".join(encode(Format.ARROW, SCHEMA, table.to_batches()))
        assert found.text(found.taken(answer)) == b"".join(map(json_lines, table.to_batches()))


@pytest.mark.parametrize("kind", [Format.CSV, Format.PARQUET, Format.ARROW])
def test_columns_may_stand_in_another_order(tmp_path: Path, kind: Format) -> None:
    table = pa.Table.from_pylist([{"key": "1", "count": 2, "names": ["a"]}], SCHEMA)
    turned = table.select(list(reversed(SCHEMA.names)))
    path = tmp_path / "copy"
    path.write_bytes(b"".join(encode(kind, turned.schema, turned.to_batches())))
    form = form_of(File.seen(path), "key", SCHEMA)
    assert b"".join(map(form.text, form.batches())) == b"".join(map(json_lines, table.to_batches()))
