"""The bitemporal layout: the same person row from other records."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from replica import Lake, ReplicaSettings
from schemas import Dataset
from sync import CprSpec, DeliveryMiscounted, Outcome, load_sources
from sync.sources.cpr import CprDecoder, Manner, load_layout, row_schema
from sync.sources.decoded import Decoded
from tests.sync import slow_reader
from tests.sync.conftest import real_data
from tests.sync.reading import decoded_by
from tests.sync.test_run import cpr, mirrored, run

TABLES = {name: slow_reader.table(f"layout_{name}.csv") for name in "ab"}
RECORDS = {row["record"]: row for row in slow_reader.rows("records_b.csv")}
FILES = {
    "layout_b_1000_persons.txt": ("ascii", 1_000),
    "layout_b_one_person.txt": ("ascii", 1),
    "layout_b_two_persons_history.txt": ("utf-8", 1),  # two deliveries about the same number
}


def decode(delivery: bytes, persons: Dataset, **manner: Any) -> Decoded:
    settings = {"strict": False} | manner
    return decoded_by(CprDecoder(load_layout("b"), persons.arrow, Manner(**settings)), delivery)


def told(delivery: str) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """record, number, time of registration and fields of every line, read one by one."""
    for line in delivery.splitlines():
        for code in (line[:3], f"{line[:3]}+"):
            if code not in RECORDS or RECORDS[code]["shape"] == "envelope":
                continue
            values, registered = {}, ""
            for field in TABLES["b"][code]:
                start, length = int(field["start"]), int(field["length"])
                name, text = field["column"].split(".")[-1], line[start - 1 : start - 1 + length]
                if name == "_registered":
                    registered = text
                elif name and start > 4:
                    values[name] = slow_reader.value(field["kind"], text)
            yield code, line[3:13], registered or str(values.get("from_date")), values


def expected(delivery: str) -> dict[str, dict[str, Any]]:
    """What each person's row must hold, column by column."""
    latest: dict[tuple[str, str], str] = {}
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for code, number, registered, values in told(delivery):
        record, row = RECORDS[code], rows[number]
        if record["shape"] == "many":
            items = row.setdefault(record["column"], [])
            if values not in items and values.get("correction_mark") != "A":
                items.append(values)
        elif registered >= latest.get((code, number), ""):
            latest[code, number] = registered
            row |= {record["column"]: values} if record["column"] else values
    return rows


def holds(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for column, value in wanted.items():
        held = row[column]
        if isinstance(value, list):
            assert len(held) == len(value), column
            shown = [{name: item[name] for name in value[0]} for item in held] if value else []
            assert sorted(map(repr, shown)) == sorted(map(repr, value)), column
        elif isinstance(value, dict):
            assert {name: held[name] for name in value} == value, column
            assert not any(held[name] for name in set(held) - set(value)), column
        else:
            assert held == value, column


class TestEveryFieldIsAccountedFor:
    @pytest.mark.parametrize("name", FILES)
    def test_in_real_deliveries(self, name: str, persons: Dataset) -> None:
        delivery = real_data("cpr", name).read_bytes()
        encoding, count = FILES[name]
        decoded = decode(delivery, persons, encoding="utf-8")
        assert (decoded.rows.num_rows, decoded.quarantine.height, decoded.lines_envelope) == (count, 0, 2)
        assert len(decoded.warnings) == 1
        wanted = expected(delivery.decode(encoding))
        rows = {row["pnr"]: row for row in decoded.rows.to_pylist()}
        assert rows.keys() == wanted.keys()
        for number, row in rows.items():
            holds(row, wanted[number])

    def test_in_a_delivery_of_all_records(self, persons: Dataset) -> None:
        delivery = "\n".join([START, *every_record("0101001234"), *every_record("0101001235"), END, ""])
        decoded = decode(delivery.encode("iso-8859-1"), persons)
        assert (decoded.rows.num_rows, decoded.quarantine.rows()) == (2, [])
        wanted = expected(delivery)
        for row in decoded.rows.to_pylist():
            holds(row, wanted[row["pnr"]])
            assert all(row[record["column"]] for record in RECORDS.values() if record["column"])


START, END = "00037071320150202", "99900109711"


def every_record(number: str) -> list[str]:
    """One line of each record, with something in every field."""
    lines = []
    for code, record in RECORDS.items():
        if record["shape"] == "envelope" or code.endswith("+"):
            continue
        line = [" "] * int(record["length"])
        line[:13] = f"{code}{number}"
        fields = [field for each in (code, f"{code}+") for field in TABLES["b"].get(each, ())]
        kinds = {(field["start"], field["length"]): field["kind"] for field in fields}
        kinds |= {(field["start"], field["length"]): field["kind"] for field in fields if field["kind"]}
        for place, ((start, length), kind) in enumerate(sorted(kinds.items(), key=lambda each: int(each[0][0]))):
            if int(start) > 4:
                line[int(start) - 1 : int(start) - 1 + int(length)] = something(kind, int(length), place)
        lines.append("".join(line))
    return lines


def something(kind: str, length: int, place: int) -> str:
    match kind:
        case "date":
            return f"20{place % 25:02}-03-1{place % 9}"
        case "timestamp":
            return f"20{place % 25:02}031{place % 9}1200"
        case "mark":
            return "*"
        case "code" | "number":
            return f"{place + 1:0{length}}"
        case _:
            return f"{chr(65 + place)}ø{place}".ljust(length)[:length] if length > 1 else "F"


class TestADelivery:
    def test_tells_what_was_registered_last_where_it_tells_twice(self, persons: Dataset) -> None:
        delivery = real_data("cpr", "layout_b_two_persons_history.txt").read_bytes()
        (row,) = decode(delivery, persons, encoding="utf-8").rows.to_pylist()
        assert (row["status"], row["name"]["surname"]) == ("01", "Tystersen")
        assert [name["surname"] for name in row["name_history"]] == ["Tastersen", "Testersen"]
        assert row["church"]["from_date"] == date(2018, 7, 1)
        assert row["municipality_code"] == "0958"
        assert row["address"]["moved_in"] == datetime(2015, 1, 30, 12, 0)  # noqa: DTZ001 -- as delivered
        assert row["protection_history"] == [
            {"type": "0002", "from_date": date(1992, 1, 11), "to_date": date(2018, 7, 2)}
        ]

    def test_with_another_count_is_refused_when_the_source_is_strict(self, persons: Dataset) -> None:
        delivery = "\n".join([START, *every_record("0101001234"), END, ""]).encode("iso-8859-1")
        assert "counts 109,711 records" in decode(delivery, persons).warnings[0]
        with pytest.raises(DeliveryMiscounted):
            decode(delivery, persons, strict=True)

    def test_of_one_record_after_the_other_is_cut_by_their_lengths(self, persons: Dataset) -> None:
        lengths = {code: int(record["length"]) for code, record in RECORDS.items()}
        lines = [START, *every_record("0101001234"), END]
        whole = "".join(line.ljust(lengths[line[:3]]) for line in lines).encode("iso-8859-1")
        separated = decode("\n".join(lines).encode("iso-8859-1"), persons)
        assert decode(whole, persons, separated=False).rows.equals(separated.rows)

    def test_leaves_out_what_was_undone(self, persons: Dataset) -> None:
        undone = [
            f"{line[:13]}A{line[14:]}" for line in every_record("0101001234") if line[:3] in ("021", "026", "029")
        ]
        current = [line for line in every_record("0101001234") if line[:3] == "001"]
        delivery = "\n".join([START, *current, *undone, END]).encode("iso-8859-1")
        (row,) = decode(delivery, persons).rows.to_pylist()
        assert (row["name_history"], row["address_history"], row["foreign_stays"]) == ([], [], [])

    def test_is_published_into_the_same_dataset_as_layout_a(self, persons: Dataset, tmp_path: Path) -> None:
        (tmp_path / "inbox").mkdir()
        delivery = "\n".join([START, *every_record("0101001234"), END, ""])
        (tmp_path / "inbox" / "d150202.l370713").write_bytes(delivery.encode("iso-8859-1"))
        spec = replace(cpr(tmp_path / "inbox"), decoder=CprSpec(layout="b", manner=Manner(strict=False)))
        with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as lake:
            report = run(spec, persons, lake)
            assert (report.outcome, report.published) == (Outcome.PUBLISHED, 1)
            assert (
                mirrored(lake, persons)["0101001234"]["status"]
                == decode(delivery.encode("iso-8859-1"), persons).rows["status"][0].as_py()
            )


class TestASource:
    @pytest.mark.parametrize(("layout", "strict"), [("a", True), ("b", False), ("b\n  strict: true", True)])
    def test_is_strict_by_default_in_layout_a_only(self, layout: str, strict: bool, tmp_path: Path) -> None:
        (tmp_path / "b.source.yaml").write_text(
            "name: persons\ndataset: cpr.persons\nconnector: {kind: folder, path: in, pattern: '*'}\n"
            f"decoder:\n  kind: cpr\n  layout: {layout}\nmode: delta\n"
        )
        (source,) = load_sources(tmp_path, root=tmp_path)
        assert isinstance(source.decoder, CprSpec)
        assert source.decoder.manner.strict is strict


class TestTheTables:
    def test_agree_with_the_published_positions(self) -> None:
        with real_data("cpr", "layout_b.csv").open(encoding="utf-8") as lines:
            published = {
                (row["record"], row["field"], row["start"], row["length"])
                for row in csv.DictReader(lines)
                if row["file"] == "person" and row["field"] != "type"
            }
        ours = {
            (code, field["field"].lower(), field["start"], field["length"])
            for code, fields in TABLES["b"].items()
            for field in fields
        }
        # Sixteen overlaps the field before: a slip in the table that was published.
        assert published - ours == {("029", "start_mynkod-udrindrejse", "16", "4")}

    @pytest.mark.parametrize("code", [code for code in RECORDS if not code.endswith("+")])
    def test_leave_no_gap_and_no_overlap(self, code: str) -> None:
        fields = [(int(row["start"]), int(row["length"])) for row in TABLES["b"][code]]
        assert fields[0][0] == 4
        assert all(start + length == follows for (start, length), (follows, _) in pairwise(fields))
        assert sum(fields[-1]) - 1 == int(RECORDS[code]["length"])

    def test_fill_only_columns_of_the_person_row_and_of_its_types(self) -> None:
        whole, filled = row_schema(load_layout("a")), row_schema(load_layout("b"))
        assert set(filled) <= set(whole)
        for column, dtype in filled.items():
            mine, theirs = (getattr(each, "inner", each) for each in (dtype, whole[column]))
            fields = {field.name: field.dtype for field in getattr(theirs, "fields", ())}
            for field in getattr(mine, "fields", ()):
                assert fields[field.name] == field.dtype, f"{column}.{field.name}"
