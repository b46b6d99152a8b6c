"""Persons as an extract in the register's own lines, read again by the decoder that takes the register's deliveries."""

from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract import (
    Compression,
    Cursor,
    ExtractPlan,
    ExtractRequest,
    ExtractStore,
    Format,
    FormatImpossible,
    formats_of,
    plan_extract,
)
from extract.formats import encode
from extract.formats.cpr_records import lines_of
from extract.formats.record_lines import Records
from kernel import COPENHAGEN, SnapshotId
from replica import SnapshotInfo
from runtime.record_forms import record_forms
from schemas import SHIPPED, Dataset, load_registers
from sync.sources.cpr import CprDecoder, Manner, load_layout
from sync.sources.cpr.layout import Layout
from sync.testdata.delivery import generate
from tests.extract.builders import FORMATS, PUBLISHED, TODAY, grant, plan
from tests.extract.plain_lines import plain_lines
from tests.sync.reading import decoded_by

_REGISTERS = load_registers(SHIPPED)
PERSONS: Dataset = next(each for each in _REGISTERS.datasets if each.id == "cpr.persons")
RECORDS = Records(record_forms(), 7, date(2031, 3, 9))
INFO = SnapshotInfo(dataset=PERSONS.id, snapshot=SnapshotId(7), published=PUBLISHED, as_of=PUBLISHED, rows=3)
HELD = {form.column or field.column for form in record_forms() for field in form.fields}
"""What has a place in the lines; other columns are worked out from these."""
COLUMNS = st.sets(st.sampled_from([each for each in PERSONS.names if each != "pnr"]))


def asking_for_nothing() -> Layout:
    """The register's layout for a reader who knows that an agreement may leave out what a whole person has."""
    layout = load_layout("a")
    records = {
        code: replace(
            record,
            minimum=1 if code == "001" else 0,
            fields=tuple(replace(field, required=False) for field in record.fields),
        )
        for code, record in layout.records.items()
    }
    return replace(layout, records=records)


def decoded(text: bytes, layout: Layout | None = None) -> list[dict[str, Any]]:
    found = decoded_by(CprDecoder(layout or load_layout("a"), PERSONS.arrow, Manner()), text)
    assert found.quarantine.height == 0, found.quarantine
    rows: list[dict[str, Any]] = found.rows.to_pylist()
    return rows


@cache
def persons() -> pa.Table:
    return pa.Table.from_pylist(decoded(b"".join(generate(24, 7))), PERSONS.arrow)


def written(table: pa.Table, rows: int = 16) -> bytes:
    return b"".join(encode(Format.CPR, table.schema, table.to_batches(max_chunksize=rows), records=RECORDS))


def planned(columns: str | None = None, given_: Any = None, **request: Any) -> ExtractPlan:
    wanted = ExtractRequest(format=Format.CPR, columns=None if columns is None else tuple(columns.split()), **request)
    return plan_extract(wanted, given_ or grant(), PERSONS, INFO, TODAY)


class TestTheLines:
    def test_are_the_persons_again_when_the_decoder_reads_them(self) -> None:
        assert decoded(written(persons())) == persons().to_pylist()

    @settings(max_examples=20, deadline=None)
    @given(COLUMNS)
    def test_hold_what_the_agreement_covers_and_nothing_else(self, covered: set[str]) -> None:
        shown = [name for name in PERSONS.names if name in {"pnr", *covered}]
        read = decoded(written(persons().select(shown)), asking_for_nothing())
        for was, now in zip(persons().to_pylist(), read, strict=True):
            assert [now[name] for name in shown if name in HELD] == [was[name] for name in shown if name in HELD]
            assert not any(now[name] for name in HELD if name not in shown)
            # It speaks of other columns too: of those alone that are there, and of none when it is not there itself.
            assert all(each in was["as_delivered"] for each in now["as_delivered"])
            assert "as_delivered" in covered or not now["as_delivered"]

    @settings(max_examples=8, deadline=None)
    @given(st.sets(st.integers(0, 23)))
    def test_tell_nothing_of_what_is_withheld(self, hidden: set[int]) -> None:
        rows = [
            {name: None if at in hidden and name in PERSONS.protected_columns else value for name, value in row.items()}
            for at, row in enumerate(persons().to_pylist())
        ]
        for at, now in enumerate(decoded(written(pa.Table.from_pylist(rows, PERSONS.arrow)), asking_for_nothing())):
            if at in hidden:
                assert not any(now[name] for name in PERSONS.protected_columns)

    def test_stand_between_a_start_and_an_end_that_counts_them(self) -> None:
        first, *lines, last = written(persons()).decode("iso-8859-1").splitlines()
        assert first == "000" + "0" * 10 + "000007" + "20310309" + "0" * 8
        assert last == "999" + "9" * 10 + f"{len(lines):08d}"
        assert len(written(persons().slice(0, 0)).splitlines()) == 2

    def test_do_not_show_how_the_rows_were_read(self) -> None:
        assert len({written(persons(), rows) for rows in (1, 7, 24)}) == 1


def any_value(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """A value of a column, or none; texts of letters that the lines have and of such that they have not."""
    if pa.types.is_struct(kind):
        return st.none() | st.fixed_dictionaries({each.name: any_value(each.type) for each in kind})
    if pa.types.is_list(kind):
        return st.none() | st.lists(any_value(kind.value_type).filter(lambda each: each is not None), max_size=3)
    if pa.types.is_boolean(kind):
        return st.none() | st.booleans()
    if pa.types.is_date(kind):
        return st.none() | st.dates()
    if pa.types.is_timestamp(kind):
        return st.none() | st.datetimes()
    return st.none() | st.text(st.sampled_from("0123Aæø ÅŁ€*"), max_size=45)


AS_THEY_CAME = [
    "birth_date", "status_from", "person_id", "address.moved_in", "protections[0].from_date", "protections[1].type",
    "address_text.postcode", "guardianship.from_date", "children[2].pnr", "name.valid_from", "nothing.of.it", "x[0].y",
    "children[0].pnr", "name[0].valid_from", "address_history[1].door", "birth_date",
]  # fmt: skip


@st.composite
def any_persons(draw: st.DrawFn) -> pa.RecordBatch:
    """Persons in a few columns, whatever stands in them."""
    written = [name for name in PERSONS.names if name in HELD and name != "pnr"]
    names = draw(st.lists(st.sampled_from(written), min_size=1, max_size=4, unique=True))
    fields = [PERSONS.arrow.field(name) for name in ("pnr", *names)]
    strategies = {name: any_value(PERSONS.arrow.field(name).type) for name in names}
    strategies["pnr"] = st.text("0123456789", min_size=10, max_size=10)
    if draw(st.booleans()):
        told = st.fixed_dictionaries({"field": st.sampled_from(AS_THEY_CAME), "text": st.text("9 Øx-", max_size=14)})
        strategies["as_delivered"] = st.lists(told, max_size=5)
        fields.append(PERSONS.arrow.field("as_delivered"))
    rows = draw(st.lists(st.fixed_dictionaries(strategies), max_size=5))
    batch = pa.RecordBatch.from_pylist(rows, pa.schema(fields))
    # As a slice of something larger, too: Arrow's arrays begin anywhere.
    return batch.slice(draw(st.integers(0, 2)))


class TestTheWriter:
    """Against the plain one, which makes a text of each field."""

    @settings(max_examples=150, deadline=None)
    @given(any_persons())
    def test_writes_the_lines_of_the_plain_one(self, batch: pa.RecordBatch) -> None:
        lines = [line for row in batch.to_pylist() for line in plain_lines(RECORDS.forms, row)]
        text = "".join(f"{line}\n" for line in lines).encode("iso-8859-1", "replace")
        assert lines_of(RECORDS.forms, batch) == (text, len(lines))

    def test_writes_whole_persons_as_the_plain_one_does(self) -> None:
        lines = [line for row in persons().to_pylist() for line in plain_lines(RECORDS.forms, row)]
        assert written(persons()).decode("iso-8859-1").splitlines()[1:-1] == lines

    @pytest.mark.parametrize("mark", ["\n", "\r", "\x00", "\x1f", "\x7f", "\x85"])
    def test_lets_no_text_end_a_line(self, mark: str) -> None:
        """Or a name could bring a record of its own."""
        row = persons().slice(0, 1).to_pylist()[0]
        name = f"Ole{mark}001{'9' * 10}"
        forged = row | {"name": row["name"] | {"given_names": name}, "as_delivered": []}
        text = written(pa.Table.from_pylist([forged], PERSONS.arrow)).decode("iso-8859-1")
        assert "Ole?001" in text
        assert mark == "\n" or mark not in text
        assert not any(line.startswith(f"001{'9' * 10}") for line in text.splitlines())

    def test_has_each_field_within_its_line(self) -> None:
        for form in RECORDS.forms:
            places = sorted((field.start, field.start + field.length - 1) for field in form.fields)
            assert places[0][0] > 3
            assert places[-1][1] <= form.length
            assert all(end < start for (_, end), (start, _) in pairwise(places))


class TestAPlan:
    def test_names_the_file_and_the_character_set(self) -> None:
        made = planned()
        assert made.file_name.endswith(".txt")
        assert made.media_type == "text/plain; charset=iso-8859-1"
        assert planned(compression=Compression.GZIP).file_name.endswith(".txt.gz")
        assert any("register's own layout" in line for line in made.explain())

    def test_is_made_for_persons_and_refused_for_what_has_no_such_lines(self) -> None:
        assert Format.CPR in formats_of(PERSONS)
        assert Format.CPR not in FORMATS
        with pytest.raises(FormatImpossible, match=r"town\.residents has no record layout"):
            plan(kind=Format.CPR)

    def test_is_refused_without_the_number_that_each_line_begins_with(self) -> None:
        with pytest.raises(FormatImpossible, match="begins with pnr"):
            planned("name")
        with pytest.raises(FormatImpossible, match="begins with pnr"):
            planned(given_=grant("name"))

    def test_of_changes_is_refused_since_no_line_says_that_somebody_is_gone(self) -> None:
        since = Cursor(SnapshotId(3), None, planned().view)
        with pytest.raises(FormatImpossible, match="changes cannot be told"):
            planned(since=since)
        with pytest.raises(FormatImpossible, match="changes cannot be told"):
            planned(since=since, otherwise_full=True)


def test_a_file_in_the_store_is_that_of_its_plan(tmp_path: Path) -> None:
    # The start record has its number and its day from the snapshot: whoever makes the file makes the same bytes.
    made = planned("pnr name birth_date")
    texts = []
    for name in ("one", "other"):
        scan = lambda asked: persons().select(asked.columns).to_reader(9)  # noqa: E731
        with ExtractStore(tmp_path / name, scan, forms=record_forms()) as store:
            extract = store.open(made)
            texts.append(b"".join(extract.chunks()))
            assert extract.manifest.rows == 24
    assert texts[0] == texts[1]
    day = PUBLISHED.astimezone(COPENHAGEN).date()
    assert texts[0].startswith(f"0000000000000000007{day:%Y%m%d}00000000\n".encode())
    assert {row["pnr"] for row in decoded(texts[0], asking_for_nothing())} == set(persons()["pnr"].to_pylist())
