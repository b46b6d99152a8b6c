"""What is written can be read back, by others' readers, and is what was there."""

import csv
import gzip
import hashlib
import io
import json
import math
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from extract import Compression, Format
from extract.formats import SLICE_BYTES, encode
from extract.formats.xml_text import xml_schema
from tests.extract.builders import FORMATS, residents

text = st.text(max_size=8) | st.sampled_from(['"', "\\", "\r\n", ",", "\t\x00\x1f", "æøå", "null", "", " x ", "🙂"])
moment = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31))  # noqa: DTZ001
day = st.dates()
number = st.floats(allow_nan=False, allow_infinity=False)
step = st.fixed_dictionaries({"at": st.none() | moment, "note": st.none() | text, "day": st.none() | day})
row = st.fixed_dictionaries(
    {
        "key": text,
        "note": st.none() | text,
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "share": st.none() | number,
        "yes": st.none() | st.booleans(),
        "day": st.none() | day,
        "at": st.none() | moment,
        "place": st.none()
        | st.fixed_dictionaries(
            {"road": st.none() | text, "steps": st.none() | st.lists(st.none() | step, max_size=2)}
        ),
        "steps": st.none() | st.lists(st.none() | step, max_size=3),
        "names": st.none() | st.lists(st.none() | text, max_size=3),
    }
)
_STEP = pa.struct([("at", pa.timestamp("us")), ("note", pa.string()), ("day", pa.date32())])
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("note", pa.string()),
        ("count", pa.int64()),
        ("share", pa.float64()),
        ("yes", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us")),
        ("place", pa.struct([("road", pa.string()), ("steps", pa.list_(_STEP))])),
        ("steps", pa.list_(_STEP)),
        ("names", pa.list_(pa.string())),
    ]
)
NESTED = ("place", "steps", "names")


def batches(rows: list[dict[str, Any]], size: int = 3) -> Iterator[pa.RecordBatch]:
    yield from pa.Table.from_pylist(rows, SCHEMA).combine_chunks().to_batches(max_chunksize=size)


def written(kind: Format, rows: list[dict[str, Any]], size: int = 3) -> bytes:
    return b"".join(encode(kind, SCHEMA, batches(rows, size)))


def plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


class TestCsv:
    @given(st.lists(row, max_size=7))
    @settings(max_examples=60, deadline=None)
    def test_reads_back_with_pythons_csv_reader(self, rows: list[dict[str, Any]]) -> None:
        read = list(csv.DictReader(io.StringIO(written(Format.CSV, rows).decode(), newline="")))
        assert len(read) == len(rows)
        for found, meant in zip(read, rows, strict=True):
            for name, value in meant.items():
                if name in NESTED and value is not None:
                    assert json.loads(found[name]) == plain(value)
                elif name == "share" and value is not None:
                    assert float(found[name]) == value
                elif name == "yes" and value is not None:
                    assert found[name] == str(value).lower()
                else:
                    assert found[name] == ("" if value is None else str(plain(value)))

    def test_begins_with_a_header_and_ends_each_record_with_crlf(self) -> None:
        lines = written(Format.CSV, [{"key": "1"}]).split(b"\r\n")
        assert lines[0] == b"key,note,count,share,yes,day,at,place,steps,names"
        assert lines[1] == b'"1",,,,,,,,,'
        assert lines[2:] == [b""]

    def test_tells_an_empty_text_from_none(self) -> None:
        assert b'"1","",' in written(Format.CSV, [{"key": "1", "note": ""}])
        assert b'"1",,' in written(Format.CSV, [{"key": "1", "note": None}])

    @pytest.mark.parametrize("kind", [Format.CSV, Format.CSV_DK, Format.CSV_DK_BOM])
    @pytest.mark.parametrize("text", ["=1+1", "+45", "-1", "@SUM(A1)", "\t=1", "=HYPERLINK(1)"])
    def test_leaves_what_a_spreadsheet_would_evaluate_as_it_is(self, kind: Format, text: str) -> None:
        separator = b"," if kind is Format.CSV else b";"
        assert written(kind, [{"key": "1", "note": text}]).split(b"\r\n")[1].split(separator)[1] == f'"{text}"'.encode()

    def test_has_a_header_also_without_rows(self) -> None:
        assert written(Format.CSV, []).count(b"\r\n") == 1


class TestNdjson:
    @given(st.lists(row, max_size=7))
    @settings(max_examples=60, deadline=None)
    def test_reads_back_line_by_line(self, rows: list[dict[str, Any]]) -> None:
        lines = written(Format.NDJSON, rows).decode().split("\n")
        assert lines.pop() == ""
        assert [json.loads(line) for line in lines] == [plain(each) for each in rows]

    def test_writes_a_number_that_json_lacks_as_null(self) -> None:
        lines = written(Format.NDJSON, [{"key": "1", "share": math.nan}, {"key": "2", "share": -math.inf}]).splitlines()
        assert [json.loads(line)["share"] for line in lines] == [None, None]

    def test_gives_every_field_every_time(self) -> None:
        assert list(json.loads(written(Format.NDJSON, [{"key": "1"}]))) == SCHEMA.names


class TestParquetAndArrow:
    @given(st.lists(row, max_size=7))
    @settings(max_examples=25, deadline=None)
    def test_read_back_equal(self, rows: list[dict[str, Any]]) -> None:
        table = pa.Table.from_pylist(rows, SCHEMA)
        assert pq.read_table(pa.BufferReader(written(Format.PARQUET, rows))).equals(table)
        assert pa.ipc.open_stream(written(Format.ARROW, rows)).read_all().equals(table)

    def test_parquet_is_one_file_compressed_with_zstd(self) -> None:
        file = pq.ParquetFile(pa.BufferReader(written(Format.PARQUET, [{"key": str(n)} for n in range(9)])))
        assert file.metadata.num_rows == 9
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"


class TestDanishCsv:
    @given(st.lists(row, max_size=7))
    @settings(max_examples=40, deadline=None)
    def test_reads_back_with_semicolons_and_decimal_commas(self, rows: list[dict[str, Any]]) -> None:
        text = written(Format.CSV_DK, rows).decode()
        read = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
        assert len(read) == len(rows)
        for found, meant in zip(read, rows, strict=True):
            assert (found["key"], found["note"]) == (meant["key"], meant["note"] or "")
            assert found["count"] == ("" if meant["count"] is None else str(meant["count"]))
            assert "." not in found["share"]
            if meant["share"] is not None:
                assert float(found["share"].replace(",", ".")) == meant["share"]
            if meant["steps"] is not None:
                assert json.loads(found["steps"]) == plain(meant["steps"])

    def test_tells_an_empty_text_from_none_and_leaves_numbers_without_marks(self) -> None:
        lines = written(Format.CSV_DK, [{"key": "1", "note": "", "share": 1.5}, {"key": '"'}]).split(b"\r\n")
        assert lines[1:] == [b'"1";"";;1,5;;;;;;', b'"""";;;;;;;;;', b""]

    def test_has_a_byte_order_mark_where_one_is_asked_for(self) -> None:
        assert written(Format.CSV_DK_BOM, [{"key": "1"}]) == b"\xef\xbb\xbf" + written(Format.CSV_DK, [{"key": "1"}])


_LOST = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class TestXml:
    @given(st.lists(row, max_size=6))
    @settings(max_examples=40, deadline=None)
    def test_follows_its_schema_and_reads_back(self, rows: list[dict[str, Any]]) -> None:
        document = etree.fromstring(written(Format.XML, rows))
        schema = etree.XMLSchema(etree.fromstring(xml_schema(SCHEMA, "rows")))
        schema.assertValid(document)
        assert [as_row(each) for each in document] == [
            {name: as_xml(value) for name, value in meant.items() if value is not None} for meant in rows
        ]

    def test_writes_numbers_as_the_schema_has_them(self) -> None:
        document = written(Format.XML, [{"key": "1", "share": math.inf}, {"key": "2", "share": math.nan}])
        assert b"<share>INF</share>" in document
        assert b"<share>NaN</share>" in document
        etree.XMLSchema(etree.fromstring(xml_schema(SCHEMA, "rows"))).assertValid(etree.fromstring(document))

    def test_of_no_rows_is_a_document_too(self) -> None:
        assert len(etree.fromstring(written(Format.XML, []))) == 0


def as_row(element: Any) -> dict[str, Any]:
    """Column -> text, dictionary or list, as far as elements tell."""
    return {child.tag.partition("}")[2]: content(child) for child in element}


def content(element: Any) -> Any:
    if len(element) == 0:
        return element.text or ""
    if element[0].tag.endswith("}item"):
        return [content(each) for each in element]
    return as_row(element)


def as_xml(value: Any) -> Any:
    """What `content` gives for a value: nothing within an element is an empty text."""
    if isinstance(value, dict):
        return {name: as_xml(each) for name, each in value.items() if each is not None} or ""
    if isinstance(value, list):
        return [as_xml(each) for each in value] or ""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return _LOST.sub("\ufffd", value) if isinstance(value, str) else plain_text(value)


def plain_text(value: Any) -> str:
    (text,) = pa.array([value]).cast(pa.string()).to_pylist() if isinstance(value, float) else (str(plain(value)),)
    return str(text)


class TestCompression:
    def test_gzip_and_zstd_unpack_to_the_file(self) -> None:
        table = residents(20_000)
        bare = b"".join(encode(Format.CSV, table.schema, table.to_batches()))
        packed = {kind: b"".join(encode(Format.CSV, table.schema, table.to_batches(), kind)) for kind in Compression}
        assert packed[Compression.NONE] == bare
        assert gzip.decompress(packed[Compression.GZIP]) == bare
        assert pa.CompressedInputStream(pa.BufferReader(packed[Compression.ZSTD]), "zstd").read() == bare
        assert max(len(packed[kind]) for kind in (Compression.GZIP, Compression.ZSTD)) < len(bare) / 2

    def test_gzip_holds_no_time_and_no_name(self) -> None:
        head = b"".join(encode(Format.CSV, SCHEMA, [], Compression.GZIP))[:10]
        assert head[:4] == b"\x1f\x8b\x08\x00"
        assert head[4:8] == b"\0\0\0\0"

    @pytest.mark.parametrize("compression", list(Compression))
    @pytest.mark.parametrize("kind", FORMATS)
    def test_how_the_rows_were_read_does_not_show(self, kind: Format, compression: Compression) -> None:
        table = residents(70_000).combine_chunks()
        made = {
            hashlib.sha256(
                b"".join(encode(kind, table.schema, table.to_batches(max_chunksize=rows), compression))
            ).hexdigest()
            for rows in (70_000, 16_384, 999)
        }
        assert len(made) == 1


TRICKY = [
    {"key": "1", "note": "", "day": date(2031, 3, 9), "at": datetime(2031, 3, 9, 23, 59, 59, 999_999)},  # noqa: DTZ001
    {"key": " 2 ", "note": None, "share": -0.5, "count": 2**63 - 1},
    {"key": "3,;", "note": 'linje\r\n"to"\n\r', "yes": True, "day": date(1, 1, 1)},
    {"key": "null", "note": "\t'æøå🙂\u2028", "share": 1e300, "count": -(2**63), "yes": False},
]


class TestOthersReadIt:
    """DuckDB and polars, which consumers load extracts with."""

    FLAT = pa.schema([field for field in SCHEMA if field.name not in NESTED])

    @pytest.mark.parametrize("kind", [Format.CSV, Format.CSV_DK, Format.NDJSON, Format.PARQUET])
    def test_in_duckdb(self, tmp_path: Path, kind: Format) -> None:
        table = pa.Table.from_pylist(TRICKY, self.FLAT)
        path = tmp_path / "rows"
        path.write_bytes(b"".join(encode(kind, self.FLAT, table.to_batches())))
        types = {"key": "VARCHAR", "note": "VARCHAR", "count": "BIGINT", "share": "DOUBLE", "yes": "BOOLEAN",
                 "day": "DATE", "at": "TIMESTAMP"}  # fmt: skip
        how = {
            Format.CSV: f"read_csv('{path}', columns={types}, allow_quoted_nulls=false)",
            Format.CSV_DK: f"read_csv('{path}', columns={types}, allow_quoted_nulls=false, delim=';',"
                           " decimal_separator=',')",
            Format.NDJSON: f"read_json('{path}', format='newline_delimited', columns={types})",
            Format.PARQUET: f"read_parquet('{path}')",
        }[kind]  # fmt: skip
        with duckdb.connect() as con:
            assert con.execute(f"FROM {how}").to_arrow_table().cast(self.FLAT).to_pylist() == table.to_pylist()

    def test_in_polars(self) -> None:
        table = pa.Table.from_pylist(TRICKY, self.FLAT)
        read = pl.read_csv(
            b"".join(encode(Format.CSV, self.FLAT, table.to_batches())),
            schema=pl.from_arrow(table).schema,  # type: ignore[union-attr]
        )
        assert read.equals(pl.from_arrow(table))  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", list(Compression))
class TestOfNoRows:
    @pytest.mark.parametrize("kind", [Format.CSV, Format.CSV_DK, Format.CSV_DK_BOM, Format.NDJSON, Format.XML])
    def test_a_text_is_its_head_and_its_end(self, kind: Format, compression: Compression) -> None:
        packed = b"".join(encode(kind, SCHEMA, [], compression))
        assert packed == b"".join(encode(kind, SCHEMA, list(batches([])), compression))
        one = unpacked(b"".join(encode(kind, SCHEMA, batches([{"key": "1"}]), compression)), compression)
        text = unpacked(packed, compression)
        assert len(text) < len(one)
        assert one.startswith(text.removesuffix(b"</rows>\n"))

    def test_parquet_and_arrow_hold_the_schema(self, compression: Compression) -> None:
        whole = unpacked(b"".join(encode(Format.ARROW, SCHEMA, [], compression)), compression)
        assert pa.ipc.open_stream(whole).read_all().equals(SCHEMA.empty_table())
        if compression is Compression.NONE:
            table = pq.read_table(pa.BufferReader(b"".join(encode(Format.PARQUET, SCHEMA, []))))
            assert table.equals(SCHEMA.empty_table())


def unpacked(data: bytes, compression: Compression) -> bytes:
    if compression is Compression.NONE:
        return data
    return bytes(pa.CompressedInputStream(pa.BufferReader(data), compression.value).read())


def test_times_in_parquet_have_no_zone() -> None:
    """A register's times are those of its clocks: told as moments in UTC they would shift in who reads them."""
    file = pq.ParquetFile(pa.BufferReader(written(Format.PARQUET, [{"key": "1"}])))
    kinds = {column.name: json.loads(column.logical_type.to_json()) for column in map(file.schema.column, range(7))}
    assert kinds["at"]["isAdjustedToUTC"] is False
    assert kinds["at"]["timeUnit"] == "microseconds"
    assert kinds["day"]["Type"] == "Date"


@pytest.mark.parametrize("kind", FORMATS)
class TestEveryFormat:
    def test_the_same_rows_give_the_same_bytes(self, kind: Format) -> None:
        table = residents(20_000)
        assert [b"".join(encode(kind, table.schema, table.to_batches(max_chunksize=6_000))) for _ in range(2)].count(
            b"".join(encode(kind, table.schema, table.to_batches(max_chunksize=6_000)))
        ) == 2

    def test_comes_in_slices(self, kind: Format) -> None:
        table = residents(20_000)
        pieces = list(encode(kind, table.schema, table.to_batches()))
        assert max(map(len, pieces)) <= SLICE_BYTES
        assert len(pieces) > 1

    def test_writes_nothing_of_what_stands_behind_a_null(self, kind: Format) -> None:
        # As an engine may hand it over when it withholds a value: the mark says null, the bytes are still there.
        secret = pa.array(["Hidden Road 1", "Open Road 2"])
        hidden = pa.array([True, False])
        place = pa.StructArray.from_arrays([secret], names=["road"], mask=hidden)
        places = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), secret, mask=hidden)
        mark = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x02"), pa.py_buffer(b"SECRETS!" + b"\7" * 8)])
        text = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\x02"), *secret.buffers()[1:]])
        batch = pa.record_batch([place, places, mark, text], names=["place", "places", "mark", "text"])
        assert [column.null_count for column in batch] == [1, 1, 1, 1]
        written_ = b"".join(encode(kind, batch.schema, [batch]))
        assert b"Hidden" not in written_
        assert b"SECRETS" not in written_

    def test_a_slice_of_a_larger_batch_is_written_as_itself(self, kind: Format) -> None:
        # A sliced Arrow array shares its buffers with the whole: an encoder that forgets its offset writes other rows.
        (whole,) = residents(100).combine_chunks().to_batches()
        alone = pa.Table.from_pylist(whole.slice(37, 20).to_pylist(), whole.schema).to_batches()
        text = b"".join(encode(kind, whole.schema, [whole.slice(37, 20)]))
        if kind not in {Format.PARQUET, Format.ARROW}:
            assert text == b"".join(encode(kind, whole.schema, alone))
        elif kind is Format.ARROW:
            assert pa.ipc.open_stream(text).read_all().to_batches()[0].equals(alone[0])
        else:
            assert pq.read_table(pa.BufferReader(text)).to_batches()[0].equals(alone[0])
