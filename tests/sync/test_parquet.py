"""Parquet: rows of any size in the order of their keys, and nothing read into a value that is not there."""

import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replica import Lake, Mode, ReplicaSettings
from schemas import Dataset
from sync import DeliveryUnreadable, FolderSpec, Outcome, ParquetSpec, SourceSpec, replay_quarantine, run_source
from sync.sources.decoded import Decoded
from sync.sources.parquet import ParquetDecoder
from tests.sync.conftest import FixedClock
from tests.sync.reading import decoded_by, origin_of

AARHUS = {"code": "0751", "name": "Aarhus", "region": "Midtjylland", "cvr": "55133018", "population": 349977}
KOEBENHAVN = {"code": "0101", "name": "København", "region": "Hovedstaden", "cvr": "64942212", "population": 623404}


def parquet(*rows: dict[str, Any], schema: pa.Schema | None = None) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), written)
    return written.getvalue()


def delivered(dataset: Dataset) -> pa.Schema:
    """The columns that a source delivers."""
    return pa.schema([dataset.arrow.field(column.name) for column in dataset.columns if column.derived is None])


def decode(data: bytes, dataset: Dataset) -> Decoded:
    decoded = decoded_by(ParquetDecoder(dataset), data)
    assert decoded.rows_in == decoded.rows.num_rows + decoded.rows_quarantined
    assert decoded.lines_in == decoded.origin.height + decoded.quarantine.height
    return decoded


class TestAFile:
    def test_gives_its_rows_sorted_by_key_each_with_its_place(self, municipalities: Dataset) -> None:
        decoded = decode(parquet(AARHUS, KOEBENHAVN), municipalities)
        assert decoded.rows.schema == municipalities.arrow
        assert decoded.rows["code"].to_pylist() == ["0101", "0751"]
        assert decoded.rows["population"].to_pylist() == [623404, 349977]
        assert dict(origin_of(decoded, "code").select("key", "line").iter_rows()) == {"0751": 1, "0101": 2}

    def test_of_nested_rows_comes_back_as_it_went(self, persons: Dataset) -> None:
        row = {
            "pnr": "0101701001",
            "birth_date": date(1970, 1, 1),
            "protections": [{"type": "0001", "from_date": date(2020, 1, 1)}],
        }
        schema = delivered(persons)
        decoded = decode(parquet(row, schema=schema), persons)
        assert decoded.rows.select(schema.names).equals(pa.Table.from_pylist([row], schema=schema))

    def test_gives_a_time_with_a_zone_as_danish_wall_clock_time(self, persons: Dataset) -> None:
        schema = pa.schema([("pnr", pa.string()), ("status", pa.string()), ("status_from", pa.timestamp("ms", "UTC"))])
        row = {"pnr": "0101701001", "status": "01", "status_from": datetime(2026, 7, 1, 12, tzinfo=UTC)}
        decoded = decode(parquet(row, schema=schema), persons)
        assert decoded.rows["status_from"].to_pylist() == [datetime.fromisoformat("2026-07-01T14:00")]

    def test_may_lack_what_the_contract_does_not_require(self, municipalities: Dataset) -> None:
        decoded = decode(parquet({"code": "0101", "name": "København", "population": 1}), municipalities)
        assert decoded.rows["cvr"].to_pylist() == [None]

    def test_takes_a_narrower_type_that_loses_nothing(self, municipalities: Dataset) -> None:
        schema = pa.schema([("code", pa.large_string()), ("name", pa.string()), ("population", pa.uint16())])
        decoded = decode(parquet({"code": "1", "name": "n", "population": 60_000}, schema=schema), municipalities)
        assert decoded.rows["population"].to_pylist() == [60_000]

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.sampled_from(["0101", "0147", "0751", "å", "", None]), max_size=12))
    def test_holds_back_rows_without_a_key_of_their_own_and_nothing_else(
        self, municipalities: Dataset, codes: list[str | None]
    ) -> None:
        rows = [{"code": code, "name": f"n{number}", "population": number} for number, code in enumerate(codes)]
        schema = pa.schema([("code", pa.string()), ("name", pa.string()), ("population", pa.int64())])
        decoded = decode(parquet(*rows, schema=schema), municipalities)
        alone = {code: number for number, code in enumerate(codes) if code is not None and codes.count(code) == 1}
        assert dict(zip(decoded.rows["code"].to_pylist(), decoded.rows["population"].to_pylist(), strict=True)) == alone
        assert decoded.rows["code"].to_pylist() == sorted(alone, key=str.encode)
        held = {line - 1: rule for line, rule in decoded.quarantine.select("line", "rule").iter_rows()}
        assert held == {
            number: "required" if code is None else "unique" for number, code in enumerate(codes) if code not in alone
        }


class TestIsRefused:
    @pytest.mark.parametrize("data", [b"", b"PAR1", b"hello" * 100, parquet(AARHUS)[:-9]])
    def test_a_file_that_is_not_sound(self, municipalities: Dataset, data: bytes) -> None:
        with pytest.raises(DeliveryUnreadable) as refused:
            decode(data, municipalities)
        assert "Parquet" in refused.value.message

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            (AARHUS | {"mayor": "Hemmelig"}, "unknown: mayor"),
            ({"code": "0751", "population": 1}, "missing: name"),
            (AARHUS | {"population": "many"}, "the column population is string"),
            (AARHUS | {"population": 1.5}, "the column population is double"),
            (AARHUS | {"code": 751}, "the column code is int64"),
        ],
    )
    def test_a_file_that_does_not_fit_the_contract(
        self, municipalities: Dataset, row: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(DeliveryUnreadable) as refused:
            decode(parquet(row), municipalities)
        assert said in refused.value.message
        assert "Hemmelig" not in refused.value.message


def test_a_row_in_quarantine_is_read_again_as_it_was(tmp_path: Path, persons: Dataset) -> None:
    """Dates and nested values survive the way through the quarantine's JSON."""
    row = {"pnr": "0101701001", "birth_date": date(1970, 1, 1), "protections": [{"type": "0001"}]}
    data = parquet(row, schema=delivered(persons))
    decoded = decode(data, persons)
    text = origin_of(decoded, "pnr")["text"].to_list()
    again = decode(ParquetDecoder(persons).again("", text), persons)
    assert again.rows.equals(decoded.rows)


def test_it_is_loaded_by_a_source_and_replayed(tmp_path: Path, municipalities: Dataset) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet(AARHUS, KOEBENHAVN | {"population": -1}))
    spec = SourceSpec(
        name="m", dataset=municipalities.id, connector=FolderSpec(path=tmp_path, pattern="*.parquet"),
        decoder=ParquetSpec(), mode=Mode.DELTA, max_quarantine_share=1.0,
    )  # fmt: skip
    with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as lake:
        report = run_source(spec, municipalities, lake, clock=FixedClock(), work=tmp_path / "work")
        assert (report.outcome, report.published, report.quarantined) == (Outcome.PUBLISHED, 1, 1)
        again = replay_quarantine(spec, municipalities, lake, clock=FixedClock(), work=tmp_path / "work")
        assert (again.published, again.quarantined) == (0, 1)
