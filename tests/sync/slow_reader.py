"""A second reading of layout A, slow and straightforward, that shares nothing with the decoder but the table.

It reads one line and one field at a time with slices and the standard library's dates.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from typing import Any

TABLES = files("sync.sources.cpr")


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((TABLES / name).read_text(encoding="utf-8").splitlines()))


def table(name: str) -> dict[str, list[dict[str, str]]]:
    """Fields by record."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(name):
        found[row["record"]].append(row)
    return found


FIELDS = table("layout_a.csv")
RECORDS = {row["record"]: row for row in rows("records_a.csv")}


@dataclass
class Reading:
    """values   field -> value; odd: field -> text as delivered, where the value says less"""

    record: str
    pnr: str
    values: dict[str, Any]
    odd: dict[str, str]


def read(delivery: bytes) -> Iterator[Reading]:
    for line in delivery.decode("iso-8859-1").split("\n"):
        code = line[:3]
        if code and RECORDS[code]["shape"] != "envelope":
            yield _line(code, line)


def _line(code: str, line: str) -> Reading:
    reading = Reading(code, line[3:13], {}, {})
    for field in FIELDS[code]:
        start, length = int(field["start"]), int(field["length"])
        if start == 4:
            continue
        name, text = field["column"].split(".")[-1], line[start - 1 : start - 1 + length]
        reading.values[name] = value(field["kind"], text)
        if _is_odd(field["kind"], text):
            reading.odd[name] = text
    return reading


def value(kind: str, text: str) -> Any:
    bare = text.strip(" ")
    if kind == "mark":
        return bool(bare)
    if not bare or (kind in ("number", "date", "timestamp") and not bare.strip("0-")):
        return None
    if kind not in ("date", "timestamp"):
        return bare
    digits = bare.replace("-", "")
    day = date(int(digits[:4]), int(digits[4:6]) or 1, int(digits[6:8]) or 1)
    if kind == "date":
        return day
    hour, minute = int(digits[8:10]), int(digits[10:12])
    hour, minute = (hour, minute if minute < 60 else 0) if hour < 24 else (0, 0)
    return datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 -- as delivered, without a zone


def _is_odd(kind: str, text: str) -> bool:
    bare = text.strip(" ")
    if kind == "mark":
        return bare not in ("", "*")
    if kind not in ("date", "timestamp") or not bare.strip("0-"):
        return False
    digits = bare.replace("-", "")
    uncertain = digits[4:6] == "00" or digits[6:8] == "00"
    return uncertain or (kind == "timestamp" and (digits[8:10] > "23" or digits[10:12] > "59"))


def account(readings: list[Reading], row: Mapping[str, Any]) -> Counter[str]:
    """Find every field of every record of one person in its row; gives how many fields were found, by record.

    Raises AssertionError for a field that is not there, and for anything in the row that no record told.
    """
    seen: Counter[str] = Counter()
    grouped: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        assert reading.pnr == row["pnr"]
        grouped[RECORDS[reading.record]["column"]].append(reading)
        seen[reading.record] += len(reading.values)
    flat = {name: value for reading in grouped.pop("", []) for name, value in reading.values.items()}
    for name in flat:
        assert row[name] == flat[name], name
    for column in {record["column"] for record in RECORDS.values()} - {""}:
        told, held = [reading.values for reading in grouped[column]], row[column]
        if RECORDS_OF[column] == "one":
            assert len(told) <= 1
            assert held == (told[0] | _unheard(held, told[0]) if told else None), column
        else:
            # What was undone never was: it is told by the register and not shown.
            told = [values for values in told if values.get("correction_mark") != "A"]
            assert sorted(map(repr, held)) == sorted(map(repr, told)), column
    expected = Counter(
        (RECORDS[reading.record]["column"], name, text)
        for reading in readings
        if reading.values.get("correction_mark") != "A"
        for name, text in reading.odd.items()
    )
    assert Counter(map(_path, row["as_delivered"])) == expected
    for entry in row["as_delivered"]:
        _follow(row, entry["field"])
    return seen


RECORDS_OF = {record["column"]: record["shape"] for record in RECORDS.values()}


def _unheard(held: Mapping[str, Any] | None, told: Mapping[str, Any]) -> dict[str, None]:
    """Fields that only the other record of the same column has: they must be null."""
    return dict.fromkeys(set(held or ()) - set(told))


def _path(entry: Mapping[str, str]) -> tuple[str, str, str]:
    column, _, name = entry["field"].rpartition(".")
    return column.partition("[")[0], name, entry["text"]


def _follow(row: Mapping[str, Any], path: str) -> Any:
    """What stands at a path such as `name_history[1].valid_from`."""
    column, _, name = path.rpartition(".")
    if not column:
        return row[name]
    column, _, place = column.partition("[")
    return (row[column][int(place.rstrip("]"))] if place else row[column])[name]
