"""NDJSON: what fits the contract comes in, by columns; every other line is held back by its number."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replica import Lake, Mode, ReplicaSettings
from schemas import Column, Dataset, Kind
from sync import (
    DeliveryUnreadable,
    FolderSpec,
    NdjsonSpec,
    SourceMisfit,
    SourceSpec,
    replay_quarantine,
    run_source,
)
from sync.sources.decoded import Decoded
from sync.sources.json_lines import JsonLines
from sync.sources.ndjson import NdjsonDecoder
from sync.sources.operation import Operation
from tests.sync.conftest import FixedClock
from tests.sync.reading import decoded_by, origin_of

AARHUS = {"code": "0751", "name": "Aarhus", "region": "Midtjylland", "cvr": "55133018", "population": 349977}
KOEBENHAVN = {"code": "0101", "name": "København", "region": "Hovedstaden", "cvr": "64942212", "population": 623404}
CHANGES = Operation(column="op", delete=frozenset("D"), upsert=frozenset("IU"))

TOWNS = Dataset(
    register="town",
    name="towns",
    key="id",
    columns=(
        Column(name="id", kind=Kind.TEXT),
        Column(name="founded", kind=Kind.DATE),
        Column(name="seen", kind=Kind.TIMESTAMP),
        Column(name="area", kind=Kind.NUMBER),
        Column(name="people", kind=Kind.INTEGER),
        Column(name="harbour", kind=Kind.BOOLEAN),
        Column(name="tags", kind=Kind.ARRAY, item=Column(name="tag", kind=Kind.TEXT)),
        Column(
            name="mayors",
            kind=Kind.ARRAY,
            item=Column(
                name="mayor",
                kind=Kind.OBJECT,
                fields=(Column(name="name", kind=Kind.TEXT), Column(name="since", kind=Kind.DATE)),
            ),
        ),
        Column(name="seal", kind=Kind.OBJECT, fields=(Column(name="at", kind=Kind.TIMESTAMP),)),
    ),
)


def ndjson(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def noon(year: int, month: int, day: int) -> datetime:
    """Of a Danish wall clock."""
    return datetime.fromisoformat(f"{year}-{month:02}-{day:02}T12:00:00")


def decode(data: bytes, dataset: Dataset = TOWNS, operation: Operation | None = None) -> Decoded:
    decoded = decoded_by(NdjsonDecoder(dataset, operation), data)
    assert decoded.rows_in == decoded.rows.num_rows + len(decoded.deletes) + decoded.rows_quarantined
    assert decoded.lines_in == decoded.lines_envelope + decoded.origin.height + decoded.quarantine.height
    return decoded


class TestAFile:
    def test_gives_rows_sorted_by_key_each_with_its_line(self, municipalities: Dataset) -> None:
        data = b"\xef\xbb\xbf" + ndjson(AARHUS) + b"\r\n" + ndjson(KOEBENHAVN)
        decoded = decode(data, municipalities)
        assert decoded.rows.schema == municipalities.arrow
        assert decoded.rows["population"].to_pylist() == [623404, 349977]
        assert origin_of(decoded, "code")["line"].to_list() == [3, 1]
        assert json.loads(origin_of(decoded, "code")["text"][0]) == KOEBENHAVN

    def test_holds_nested_values_dates_and_times(self) -> None:
        town = {
            "id": "a",
            "founded": "1165-01-01",
            "seen": "2026-07-01T12:00:00.5",
            "area": 3,
            "people": -(2**63),
            "harbour": True,
            "tags": ["x", None],
            "mayors": [{"name": "Ida", "since": "2020-01-01"}, None, {"name": None}],
            "seal": {"at": "2026-07-01T12:00:00"},
        }
        row = decode(ndjson(town, {"id": "b"})).rows.to_pylist()[0]
        assert row == town | {
            "founded": date(1165, 1, 1),
            "seen": noon(2026, 7, 1) + timedelta(milliseconds=500),
            "area": 3.0,
            "mayors": [{"name": "Ida", "since": date(2020, 1, 1)}, None, {"name": None, "since": None}],
            "seal": {"at": noon(2026, 7, 1)},
        }

    def test_may_give_times_with_a_zone_or_without(self) -> None:
        zoned = [{"id": "a", "seen": "2026-07-01T10:00:00Z"}, {"id": "b", "seen": "2026-01-01T12:00:00+01:00"}]
        assert decode(ndjson(*zoned)).rows["seen"].to_pylist() == [noon(2026, 7, 1), noon(2026, 1, 1)]
        mixed = [*zoned, {"id": "c", "seen": "2026-01-01T12:00:00"}]
        assert decode(ndjson(*mixed)).rows["seen"].to_pylist()[1:] == [noon(2026, 1, 1)] * 2

    def test_of_nothing_is_a_delivery_of_no_rows(self) -> None:
        assert decode(b"").rows_in == 0

    def test_in_another_encoding_is_refused(self, municipalities: Dataset) -> None:
        with pytest.raises(DeliveryUnreadable, match="UTF-8"):
            decode(json.dumps(KOEBENHAVN, ensure_ascii=False).encode("iso-8859-1"), municipalities)


class TestALineIsHeldBack:
    @pytest.mark.parametrize(
        ("line", "rule"),
        [
            ("null", "malformed"),
            ('{"id": "x"} null {"id": "y"}', "malformed"),
            ('{"id": "x"} {"id": "y"}', "malformed"),
            ('{"id": "x"', "malformed"),
            ('{"id": "x"},', "malformed"),
            ('{"id": "x", "id": "y"}', "malformed"),
            ('{"id": "\\ud800"}', "malformed"),
            ('{"id": "x", "area": NaN}', "malformed"),
            ('["x"]', "malformed"),
            ('{"id": ' + "[" * 100_000 + "]" * 100_000 + "}", "malformed"),
            ('{"id": "x", "secret": 1}', "unknown_field"),
            ('{"id": "x", "seal": {"by": 1}}', "unknown_field"),
            ('{"id": 7}', "wrong_type"),
            ('{"id": "x", "people": "7"}', "wrong_type"),
            ('{"id": "x", "people": 7.0}', "wrong_type"),
            ('{"id": "x", "people": 9223372036854775808}', "wrong_type"),
            ('{"id": "x", "area": 1e999}', "wrong_type"),
            ('{"id": "x", "harbour": 1}', "wrong_type"),
            ('{"id": "x", "founded": "2026-02-29"}', "wrong_type"),
            ('{"id": "x", "seen": "yesterday"}', "wrong_type"),
            ('{"id": "x", "tags": [1]}', "wrong_type"),
            ('{"id": "x", "mayors": {"name": "Ida"}}', "wrong_type"),
            ('{"id": null}', "required"),
            ("{}", "required"),
        ],
    )
    def test_with_its_number_and_reason(self, line: str, rule: str) -> None:
        decoded = decode(ndjson({"id": "a"}) + line.encode() + b"\n" + ndjson({"id": "z"}))
        assert decoded.quarantine.select("line", "rule", "text").rows() == [(2, rule, line)]
        assert decoded.rows["id"].to_pylist() == ["a", "z"]

    def test_with_all_others_that_have_its_key(self) -> None:
        decoded = decode(ndjson({"id": "a"}, {"id": "b"}, {"id": "a", "people": 1}))
        assert decoded.quarantine.select("line", "rule").rows() == [(1, "unique"), (3, "unique")]

    def test_by_a_reason_without_its_values(self) -> None:
        (reason,) = decode(b'{"id": 101701234, "0101701234": 1}\n').quarantine["reason"]
        assert "0101701234" not in reason


class TestAnOperation:
    def test_tells_rows_that_are_gone(self) -> None:
        data = ndjson({"op": "U", "id": "b"}, {"op": "D", "id": "a"}, {"op": "I", "id": "c"})
        decoded = decode(data, operation=CHANGES)
        assert (decoded.rows["id"].to_pylist(), decoded.deletes.to_pylist()) == (["b", "c"], ["a"])
        assert decoded.origin.lines(pl.Series(["a"]))["line"].to_list() == [2]

    @pytest.mark.parametrize("told", [{"op": "X"}, {"op": None}, {}])
    def test_that_is_not_known_holds_its_line_back(self, told: dict[str, Any]) -> None:
        decoded = decode(ndjson({"op": "I", "id": "a"}, told | {"id": "b"}), operation=CHANGES)
        assert decoded.quarantine.select("line", "rule").rows() == [(2, "operation")]

    def test_and_another_on_the_same_key_are_held_back(self) -> None:
        decoded = decode(ndjson({"op": "I", "id": "a"}, {"op": "D", "id": "a"}), operation=CHANGES)
        assert (decoded.rows.num_rows, len(decoded.deletes), decoded.rows_quarantined) == (0, 0, 2)

    def test_stands_in_no_column_of_the_contract(self) -> None:
        with pytest.raises(SourceMisfit, match="people"):
            NdjsonDecoder(TOWNS, Operation(column="people", delete=frozenset("D"), upsert=frozenset("I")))


MAYOR = st.none() | st.fixed_dictionaries(
    {}, optional={"name": st.text(max_size=3), "since": st.none() | st.dates().map(str)}
)
TOWN = st.fixed_dictionaries(
    {"id": st.sampled_from("abcdefg")},
    optional={
        "founded": st.none() | st.dates().map(str) | st.just("soon"),
        "seen": st.datetimes().map(lambda time: time.isoformat(timespec="seconds")),
        "area": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
        "people": st.integers(-(2**64), 2**64) | st.booleans(),
        "tags": st.lists(st.none() | st.text(max_size=2), max_size=3),
        "mayors": st.none() | st.lists(MAYOR, max_size=3),
        "seal": st.none() | st.just({}) | st.just({"at": "2020-02-02T02:02:02"}),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TOWN, max_size=6))
def test_lines_read_at_once_are_what_they_are_one_by_one(towns: list[dict[str, Any]]) -> None:
    """Every line's row or fault is the same among others as alone, and alone it is what Python makes of it."""
    decoded = decode(ndjson(*towns))
    reader = JsonLines(TOWNS.columns)
    alone = [reader._alone(json.dumps(town)) for town in towns]
    kept = {row["id"]: row for row in alone if isinstance(row, dict)}
    single = {
        key
        for key in kept
        if [town["id"] for town, row in zip(towns, alone, strict=True) if isinstance(row, dict)].count(key) == 1
    }
    expected = pa.Table.from_pylist([kept[key] for key in sorted(single)], TOWNS.arrow)
    assert decoded.rows.to_pylist() == expected.to_pylist()
    held = dict(decoded.quarantine.select("line", "rule").rows())
    for number, row in enumerate(alone, start=1):
        if not isinstance(row, dict):
            assert held[number] == row.rule


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=30).map(lambda data: data.decode("utf-8", "ignore")), max_size=5))
def test_no_line_is_lost_whatever_it_holds(lines: list[str]) -> None:
    filled = [line for text in lines for line in text.split("\n") if line.rstrip("\r").lstrip(" ")]
    decoded = decode("\n".join(lines).encode())
    assert decoded.lines_in == len(filled)


def test_held_back_lines_come_in_once_they_fit(tmp_path: Path, municipalities: Dataset) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(AARHUS, KOEBENHAVN | {"population": -1}, {"code": 1}))
    spec = SourceSpec(
        name="m", dataset=municipalities.id, connector=FolderSpec(path=tmp_path, pattern="*.ndjson"),
        decoder=NdjsonSpec(), mode=Mode.DELTA, max_quarantine_share=1.0,
    )  # fmt: skip
    with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as lake:
        report = run_source(spec, municipalities, lake, clock=FixedClock(), work=tmp_path / "work")
        assert (report.published, report.quarantined) == (1, 2)
        again = replay_quarantine(spec, municipalities, lake, clock=FixedClock(), work=tmp_path / "work")
        assert (again.published, again.quarantined) == (0, 2)
