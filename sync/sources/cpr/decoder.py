"""The CPR decoder: a delivery in, one nested row per person out.

Lines are held back one by one with a rule and a reason, and never dropped:

line_cut                    ends before or within a field that must be there (or within type or number)
line_overlong               goes on past the length of its record
wrong_type, value_missing   a field is not what its type says, or is blank where it may not be
date_impossible             month 13, day 32, 30 February
unknown_record              a record type that the layout does not have
personal_number_malformed   the number at 4+10 is not ten digits
after_end                   stands after the end record
record_repeated             more of a record than a person can have
person_incomplete           the person lacks a record that everyone has
person_held_back            sound, but something else about its person is not

The last one is a matter of privacy. A person with a broken line is not published from that delivery: without
its protection record, say, it would show an address that must stay hidden. Its former version stays in the
mirror. A line whose own number cannot be read could belong to anyone whose number agrees with the digits that
can; all of these are held back. A record of an unknown type holds back only itself, since CPR may add types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa

from kernel import COPENHAGEN
from sync.errors import SourceMisfit
from sync.sources.cpr.envelope import Envelope, ensure_chain, open_envelope
from sync.sources.cpr.layout import KEY_LENGTH, KEY_START, TYPE_LENGTH, Layout
from sync.sources.cpr.persons import decode_persons
from sync.sources.cpr.schema import person_schema
from sync.sources.decoded import FAULTS, QUARANTINED, Decoded, LinesInMemory, Tell
from sync.sources.lines import read_lines

ENCODING = "iso-8859-1"
PERSONS_AT_ONCE = 20_000
"""Bounds the memory for typed columns. The lines of a delivery and its rows are all in memory: about 6 kB a person."""
READABLE = rf"^[0-9]{{{KEY_LENGTH}}}$"
UNKNOWN = "0" * KEY_LENGTH
MOST_FRAGMENTS = 1_000
"""More different unreadable numbers than this, and everyone in the delivery is held back."""


class CprDecoder:
    """Decodes deliveries of one layout into rows of one Arrow schema.

    strict          a wrong count in the end record refuses the delivery
    strict_chain    a delivery that does not follow on the last one loaded is refused, else it is a warning

    Raises SourceMisfit when layout and schema do not list the same columns.
    """

    def __init__(
        self,
        layout: Layout,
        schema: pa.Schema,
        *,
        strict: bool = True,
        strict_chain: bool = False,
        persons_at_once: int = PERSONS_AT_ONCE,
    ) -> None:
        if differing := sorted(set(schema.names) ^ set(person_schema(layout))):
            raise SourceMisfit(
                f"contract and layout {layout.name} differ in the columns {', '.join(differing)}",
                remedy="let the contract list the columns of the layout",
            )
        self.layout, self.schema = layout, schema
        self.strict, self.strict_chain = strict, strict_chain
        self.persons_at_once = persons_at_once

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:  # noqa: ARG002
        lines = read_lines(stream, ENCODING, tell)
        envelope = open_envelope(lines, self.layout, strict=self.strict)
        warnings = envelope.warnings + ensure_chain(envelope, former, strict=self.strict_chain)
        given = _give_out(envelope, self.layout)
        numbers = given.numbers
        tables, faults = [], [given.stray]
        for first in range(0, numbers.len(), self.persons_at_once):
            part = numbers.slice(first, self.persons_at_once)
            inside = pl.col("person").is_between(first, first + part.len() - 1)
            shift = (pl.col("person") - first).cast(pl.UInt32)
            own, held = (each.filter(inside).with_columns(shift) for each in (given.lines, given.held))
            persons = decode_persons(self.layout, part, own, held)
            tables.append(to_arrow(persons.rows, self.schema))
            faults.append(persons.faults)
            tell("rows", part.len())
        quarantine = pl.concat(faults).join(envelope.body, on="line").sort("line")
        rows = pa.concat_tables(tables) if tables else self.schema.empty_table()
        passed = given.lines.join(quarantine, on="line", how="anti")
        return Decoded(
            rows=rows,
            origin=LinesInMemory(passed.select(numbers.gather(passed["person"]).alias("key"), "line", "text")),
            frame=lines["text"][0],
            quarantine=quarantine.select(QUARANTINED.names()),
            # The register's day is over when it delivers: the rows are as of the end of the production date.
            as_of=datetime.combine(envelope.produced + timedelta(days=1), time(), COPENHAGEN),
            position={"job": envelope.job, "produced": envelope.produced.isoformat()},
            lines_in=lines.height,
            lines_envelope=envelope.lines,
            rows_in=numbers.len(),
            rows_quarantined=numbers.len() - rows.num_rows,
            warnings=warnings,
        )

    def again(self, frame: str, lines: Sequence[str]) -> bytes:
        end = "999".ljust(TYPE_LENGTH + KEY_LENGTH, "9") + f"{len(lines):08}"
        return "\n".join([frame, *lines, end, ""]).encode(ENCODING)


@dataclass(frozen=True, slots=True)
class _Given:
    """Lines given to persons.

    numbers   the personal numbers of the delivery, sorted, unique
    lines     person (position in `numbers`), record, line, text
    stray     FAULTS of lines that cannot be given to anybody
    held      person, reason: everyone who could own a stray line
    """

    numbers: pl.Series
    lines: pl.DataFrame
    stray: pl.DataFrame
    held: pl.DataFrame


def to_arrow(rows: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """Polars rows in exactly the Arrow schema of a dataset."""
    return rows.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


def _give_out(envelope: Envelope, layout: Layout) -> _Given:
    # The columns made here are many times larger than what is kept of them, so they end with this function.
    body = envelope.body.with_columns(
        record=pl.col("text").str.slice(0, TYPE_LENGTH),
        key=pl.col("text").str.slice(KEY_START - 1, KEY_LENGTH),
    )
    stray = _stray(body, envelope.stray, layout)
    owned = body.join(stray, on="line", how="anti")
    numbers = owned["key"].unique().sort()
    codes = pl.Enum([record.code for record in layout.persons])
    lines = owned.join(pl.DataFrame({"key": numbers}).with_row_index("person"), on="key", maintain_order="left").select(
        "person", pl.col("record").cast(codes), "line", "text"
    )
    return _Given(numbers, lines, stray.select(FAULTS.names()), _held(stray, numbers))


def _stray(body: pl.DataFrame, after_end: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """FAULTS of lines that cannot be given to a person, with `pattern`, the number as far as it can be read.

    `pattern` is null for lines that hold back nobody else.
    """
    known = pl.col("record").is_in([record.code for record in layout.persons])
    readable = pl.col("key").str.contains(READABLE) & (pl.col("key") != UNKNOWN)
    short = pl.col("text").str.len_chars() < KEY_START + KEY_LENGTH - 1
    begins = pl.col("record").str.len_chars() < TYPE_LENGTH
    late = pl.col("line").is_in(after_end["line"].implode())
    rules = (
        pl.when(late)
        .then(pl.struct(rule=pl.lit("after_end"), reason=pl.lit("the line stands after the end record")))
        .when(begins | (known & ~readable & short))
        .then(pl.struct(rule=pl.lit("line_cut"), reason=pl.lit("cut within record type or personal number")))
        .when(~known)
        .then(pl.struct(rule=pl.lit("unknown_record"), reason=pl.lit("a record type that the layout does not have")))
        .when(~readable)
        .then(pl.struct(rule=pl.lit("personal_number_malformed"), reason=pl.lit("PNR at 4+10: no personal number")))
    )
    pattern = pl.when(known | begins).then(pl.col("key").str.replace_all("[^0-9]", "."))
    return (
        body.with_columns(found=rules, pattern=pattern)
        .filter(pl.col("found").struct.field("rule").is_not_null())
        .select("line", pl.col("found").struct.unnest(), "pattern")
    )


def _held(stray: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    """person, reason: everyone who could own a line that cannot be given to a person."""
    patterns = stray["pattern"].drop_nulls().unique().sort()
    reason = pl.lit("a broken line could belong to the person").alias("reason")
    everyone = pl.DataFrame({"key": numbers}).with_row_index("person")
    if patterns.len() > MOST_FRAGMENTS:
        return everyone.select("person", reason)
    wanted = pl.any_horizontal(pl.lit(False), *(pl.col("key").str.contains(f"^{each}") for each in patterns))
    return everyone.filter(wanted).select("person", reason)
