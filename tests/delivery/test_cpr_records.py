"""Persons written as the register writes them, and read again by the decoder."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from extract.formats.cpr_records import end_line, lines_of, start_line
from runtime.record_forms import record_forms
from schemas import SHIPPED, Dataset, load_registers
from sync.sources.cpr import CprDecoder, Manner, load_layout
from sync.testdata.delivery import generate
from tests.sync.conftest import real_data
from tests.sync.reading import decoded_by


@pytest.fixture(scope="module")
def persons() -> Dataset:
    return load_registers(SHIPPED).dataset("cpr.persons")  # type: ignore[arg-type]


def decoded(delivery: bytes, persons: Dataset) -> list[dict[str, Any]]:
    found = decoded_by(CprDecoder(load_layout("a"), persons.arrow, Manner()), delivery)
    assert found.quarantine.height == 0, found.quarantine
    rows: list[dict[str, Any]] = found.rows.to_pylist()
    return rows


def lines_in(rows: list[dict[str, Any]], persons: Dataset) -> tuple[bytes, int]:
    return lines_of(record_forms(), pa.RecordBatch.from_pylist(rows, persons.arrow))


def written(rows: list[dict[str, Any]], persons: Dataset) -> bytes:
    text, lines = lines_in(rows, persons)
    start, end = start_line(7, date(2031, 3, 10), date(2031, 3, 7)), end_line(lines)
    return f"{start}\n".encode() + text + f"{end}\n".encode()


@pytest.mark.parametrize("which", ["generated", "real"])
def test_a_person_read_written_and_read_again_is_the_same(persons: Dataset, which: str) -> None:
    delivery = (
        b"".join(generate(200, 7)) if which == "generated"
        else real_data("cpr", "layout_a_80_persons.txt").read_bytes()
    )  # fmt: skip
    rows = decoded(delivery, persons)
    assert decoded(written(rows, persons), persons) == rows


def test_start_and_end_are_as_the_register_has_them() -> None:
    assert start_line(7, date(2031, 3, 10), None) == "000" + "0" * 10 + "000007" + "20310310" + "00000000"
    assert end_line(12) == "999" + "9" * 10 + "00000012"
    assert end_line(10**9).endswith("99999999")


def test_what_may_not_be_seen_leaves_no_record(persons: Dataset) -> None:
    (row, *_) = decoded(b"".join(generate(4, 7)), persons)
    hidden = {name: None if name in {"name", "address", "address_text"} else value for name, value in row.items()}
    codes = {line[:3] for line in lines_in([hidden], persons)[0].splitlines()}
    assert codes.isdisjoint({b"002", b"003", b"008"})
    assert b"001" in codes
