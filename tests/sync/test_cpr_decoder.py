"""A whole delivery: every field of every record comes back."""

import csv
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from schemas import Dataset
from sync.sources import lines
from sync.sources.cpr import CprDecoder, Manner, load_layout, row_schema, spill
from sync.sources.cpr.layout import Shape
from sync.sources.decoded import Decoded
from tests.sync import slow_reader
from tests.sync.conftest import real_data
from tests.sync.reading import decoded_by, origin_of


def decode(delivery: bytes, persons: Dataset, **manner: Any) -> Decoded:
    return decoded_by(CprDecoder(load_layout("a"), persons.arrow, Manner(**manner)), delivery)


def account(delivery: bytes, decoded: Decoded) -> Counter[str]:
    readings = defaultdict(list)
    for reading in slow_reader.read(delivery):
        readings[reading.pnr].append(reading)
    rows = {row["pnr"]: row for row in decoded.rows.to_pylist()}
    assert rows.keys() == readings.keys()
    seen: Counter[str] = Counter()
    for pnr, row in rows.items():
        seen += slow_reader.account(readings[pnr], row)
    return seen


class TestEveryFieldIsAccountedFor:
    def test_in_the_real_delivery_of_80_persons(self, persons: Dataset) -> None:
        delivery = real_data("cpr", "layout_a_80_persons.txt").read_bytes()
        decoded = decode(delivery, persons)
        assert (decoded.lines_in, decoded.lines_envelope, decoded.quarantine.height) == (1_100, 2, 0)
        assert (decoded.rows_in, decoded.rows.num_rows) == (80, 80)
        assert decoded.warnings == ()
        seen = account(delivery, decoded)
        assert len(seen) == 31  # record types in it
        assert seen["099"] == 116 * 4

    def test_in_a_generated_delivery_which_has_all_records_of_the_layout(self, persons: Dataset, small: bytes) -> None:
        seen = account(small, decode(small, persons))
        assert set(seen) == {record.code for record in load_layout("a").subjects}

    def test_whatever_the_size_of_the_parts_it_is_decoded_in(
        self, persons: Dataset, small: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = decode(small, persons)
        monkeypatch.setattr(spill, "RUN_BYTES", 50_000)
        monkeypatch.setattr(spill, "STRETCH_LINES", 40)
        monkeypatch.setattr(lines, "BLOCK_BYTES", 20_000)
        in_parts = decoded_by(CprDecoder(load_layout("a"), persons.arrow, lines_at_once=500), small)
        assert in_parts.rows.num_rows == 400
        assert in_parts.rows.equals(whole.rows)
        assert len(in_parts.rows["pnr"].chunks) > 5
        assert origin_of(in_parts, "pnr").equals(origin_of(whole, "pnr"))
        some = pl.Series("key", in_parts.rows["pnr"].to_pylist()[::57])
        assert in_parts.origin.lines(some).equals(whole.origin.lines(some))
        assert set(in_parts.origin.lines(some)["key"]) == set(some)
        assert in_parts.origin.lines(pl.Series("key", ["0000000001"])).is_empty()

    def test_with_windows_line_ends_and_blanks_that_were_not_cut(self, persons: Dataset, small: bytes) -> None:
        layout = load_layout("a")
        records = small.decode("iso-8859-1").splitlines()
        padded = "\r\n".join(line.ljust(layout.records[line[:3]].length) for line in records) + "\r\n"
        assert decode(padded.encode("iso-8859-1"), persons).rows.equals(decode(small, persons).rows)


class TestTheRealDelivery:
    def test_tells_about_a_person_as_the_register_does(self, persons: Dataset) -> None:
        rows = decode(real_data("cpr", "layout_a_80_persons.txt").read_bytes(), persons).rows.to_pylist()
        row = next(row for row in rows if row["pnr"] == "0901414025")
        assert row["name"]["addressing_name"] == "Arne Henriksen"
        assert row["municipality_code"] == "0851"
        assert row["address_text"]["street_address"] == "Toregårdsvej 9,5 tv"
        assert [child["pnr"] for child in row["children"]] == ["0707614293", "0709610058"]
        assert row["citizenship"]["valid_from"] == datetime(1991, 3, 20, 12, 0)  # noqa: DTZ001
        assert row["citizenship"]["valid_from_uncertain"] is True
        assert {"field": "citizenship.valid_from", "text": "199103201299"} in row["as_delivered"]
        assert row["name_history"][0]["valid_from"] == datetime(1941, 1, 1, 12, 0)  # noqa: DTZ001

    def test_tells_protections_with_their_bounds(self, persons: Dataset) -> None:
        rows = decode(real_data("cpr", "layout_a_80_persons.txt").read_bytes(), persons).rows.to_pylist()
        row = next(row for row in rows if row["pnr"] == "2802363039")
        assert row["protections"][0] == {
            "type": "0001",
            "from_date": date(1997, 9, 9),
            "to_date": date(2001, 2, 20),
        }
        assert persons.protection is not None
        assert persons.protection.active(row, date(2001, 2, 19))
        assert not persons.protection.active(row, date(2001, 2, 20))

    def test_is_as_of_the_end_of_its_production_date(self, persons: Dataset) -> None:
        decoded = decode(real_data("cpr", "layout_a_80_persons.txt").read_bytes(), persons)
        assert decoded.as_of is not None
        assert decoded.as_of.astimezone(UTC) == datetime(2001, 11, 19, 23, 0, tzinfo=UTC)
        assert decoded.position == {"job": "110901", "produced": "2001-11-19"}


class TestTheTables:
    def test_agree_with_the_registers_published_positions(self) -> None:
        with real_data("cpr", "layout_a.csv").open(encoding="utf-8") as table:
            published = [
                (row["record"], row["field"], row["start"], row["length"], row["type"]) for row in csv.DictReader(table)
            ]
        ours = [
            (code, row["field"], row["start"], row["length"], row["type"])
            for code, rows in slow_reader.FIELDS.items()
            for row in rows
        ]
        assert ours == published

    @pytest.mark.parametrize("record", load_layout("a").records.values(), ids=lambda record: record.code)
    def test_leave_no_gap_and_no_overlap(self, record) -> None:  # type: ignore[no-untyped-def]
        fields = [(int(row["start"]), int(row["length"])) for row in slow_reader.FIELDS[record.code]]
        assert fields[0][0] == 4
        assert all(start + length == follows for (start, length), (follows, _) in pairwise(fields))
        assert sum(fields[-1]) - 1 == record.length

    def test_sort_every_list_by_a_field_it_has(self) -> None:
        for record in load_layout("a").subjects:
            if record.shape is Shape.MANY:
                assert record.order in {field.column for field in record.fields}

    def test_give_the_columns_of_the_contract(self, persons: Dataset) -> None:
        contract = pl.DataFrame(pl.from_arrow(persons.arrow.empty_table())).schema
        assert dict(contract) == row_schema(load_layout("a"))
        assert persons.names == tuple(row_schema(load_layout("a")))

    def test_are_named_by_the_contract_as_the_origin_of_each_column(self, persons: Dataset) -> None:
        for record in load_layout("a").subjects:
            for field in record.fields:
                holder = persons.column(record.column or field.column)
                inner = holder.item.fields if holder.item else holder.fields
                column = next((each for each in inner if each.name == field.column), holder)
                assert f"{record.code}.{field.name}" in (column.source or "").split(", ")
