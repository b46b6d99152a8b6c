"""Lines grouped by person: one nested row each.

Grouping goes by personal number, never by neighbourhood: deliveries are normally unsorted, and a real one has
all its 003 records after everything else. Lists are sorted by the field that the record table names and then
by the line itself, so the order of lines in a file never changes a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from sync.sources.cpr.layout import KEY, Layout, Record, Shape
from sync.sources.cpr.records import RAW, Parsed, parse
from sync.sources.cpr.schema import AS_DELIVERED, AS_DELIVERED_TYPE, MUNICIPALITY, fields_of, person_schema

NO_MUNICIPALITY = "0000"


@dataclass(frozen=True, slots=True)
class Persons:
    """rows    person_schema, sorted by key
    faults  FAULTS of every line that was not turned into a row
    """

    rows: pl.DataFrame
    faults: pl.DataFrame


def decode_persons(layout: Layout, numbers: pl.Series, lines: pl.DataFrame, held: pl.DataFrame) -> Persons:
    """Decode the persons of one part of a delivery.

    numbers   their personal numbers, sorted, unique
    lines     person (position in `numbers`), record, line, text: all lines of these persons
    held      person, reason: persons that must be held back whatever their lines say

    A person with one broken line is held back whole. Published without its protection record, say, it would
    show an address that must stay hidden; the mirror keeps the former version of the person instead.
    """
    parsed = [parse(record, _lines_of(record, lines)) for record in layout.persons]
    faults = pl.concat([*(part.faults for part in parsed), *_repeated(layout, parsed)])
    faults = faults.unique("line", keep="first", maintain_order=True)
    owners = lines.select("person", "line")
    broken = owners.join(faults, on="line", how="semi").select("person").unique()
    incomplete = _incomplete(parsed, numbers.len(), broken)
    held = pl.concat(
        [
            broken.select("person", reason=pl.lit("another line of the person is broken")),
            held.select("person", "reason"),
        ]
    ).with_columns(rule=pl.lit("person_held_back"))
    held = pl.concat([held.select("person", "rule", "reason"), incomplete]).unique("person", keep="first")
    rest = owners.join(faults, on="line", how="anti").join(held, on="person").select("line", "rule", "reason")
    good = pl.DataFrame({KEY: numbers}).with_row_index("person").join(held, on="person", how="anti")
    return Persons(_assemble(layout, good, parsed), pl.concat([faults, rest]))


def _lines_of(record: Record, lines: pl.DataFrame) -> pl.DataFrame:
    return lines.filter(pl.col("record") == record.code).select("person", "line", "text")


def _repeated(layout: Layout, parsed: Sequence[Parsed]) -> list[pl.DataFrame]:
    """Lines of records that a person has more of than the table allows; which of them is right is not known."""
    found = []
    for group in layout.groups:
        maximum = 1 if group[0].shape is Shape.ONE else group[0].maximum
        lines = [part.typed.select("person", "line") for part in parsed if part.record in group and len(part.typed)]
        if maximum is None or sum(map(len, lines)) <= maximum:
            continue
        rows = pl.concat(lines)
        title = " and ".join(record.code for record in group)
        found.append(
            rows.filter(pl.len().over("person") > maximum).select(
                "line",
                rule=pl.lit("record_repeated"),
                reason=pl.lit(f"{title}: more than {maximum} for one person"),
            )
        )
    return found


def _incomplete(parsed: Sequence[Parsed], persons: int, broken: pl.DataFrame) -> pl.DataFrame:
    """person, rule, reason of persons who lack a record that everyone has."""
    everyone = pl.DataFrame({"person": pl.int_range(persons, dtype=pl.UInt32, eager=True)})
    everyone = everyone.join(broken, on="person", how="anti")
    lacking = [
        everyone.join(part.typed, on="person", how="anti").with_columns(record=pl.lit(part.record.code))
        for part in parsed
        if part.record.minimum
    ]
    return (
        pl.concat(lacking)
        .group_by("person")
        .agg(pl.col("record").sort())
        .select(
            pl.col("person"),
            rule=pl.lit("person_incomplete"),
            reason=pl.format("the person has no record {}", pl.col("record").list.join(", ")),
        )
    )


def _assemble(layout: Layout, good: pl.DataFrame, parsed: Sequence[Parsed]) -> pl.DataFrame:
    by_code = {part.record.code: part for part in parsed}
    person, columns, kept = good.select("person"), [good.select(KEY)], []
    for group in layout.groups:
        column, delivered = _column(group, [by_code[record.code] for record in group])
        columns.append(column)
        kept.append(delivered)
    columns.append(_as_delivered(kept))
    # Each column is brought into the order of the persons on its own: joining them one after the other would
    # copy all columns so far each time.
    aligned = [
        person.join(column, on="person", how="left", maintain_order="left").drop("person") for column in columns[1:]
    ]
    rows = pl.concat([columns[0], *aligned], how="horizontal")
    codes = [pl.col(column).struct.field(MUNICIPALITY) for column in ("address", "address_text")]
    rows = rows.with_columns(
        pl.coalesce(pl.when(code != NO_MUNICIPALITY).then(code) for code in codes).alias(MUNICIPALITY)
    )
    return rows.select(
        pl.col(name).fill_null(pl.lit([], dtype=dtype)) if isinstance(dtype, pl.List) else pl.col(name)
        for name, dtype in person_schema(layout).items()
    )


def _column(group: Sequence[Record], parts: Sequence[Parsed]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """person and the column that a group of records fills (or its columns, when it has none of its own);
    and (person, field, text) of what must be kept as delivered."""
    typed = pl.concat([part.typed for part in parts], how="diagonal")
    kept = pl.concat([part.kept for part in parts])
    column, names = group[0].column, list(fields_of(group))
    if not column:
        return typed.select("person", *names), kept.select("person", "field", "text")
    if group[0].shape is Shape.ONE:
        path = pl.format(f"{column}.{{}}", "field").alias("field")
        return typed.select("person", pl.struct(names).alias(column)), kept.select("person", path, "text")
    typed = typed.sort("person", group[0].order, RAW, nulls_last=True)
    place = typed.select("line", pl.int_range(pl.len()).over("person").alias("place"))
    path = pl.format(f"{column}[{{}}].{{}}", "place", "field").alias("field")
    delivered = kept.join(place, on="line").select("person", path, "text")
    return typed.group_by("person", maintain_order=True).agg(pl.struct(names).alias(column)), delivered


def _as_delivered(kept: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return (
        pl.concat(kept)
        .sort("person", "field", "text")
        .group_by("person", maintain_order=True)
        .agg(pl.struct("field", "text").alias(AS_DELIVERED))
        .cast({AS_DELIVERED: AS_DELIVERED_TYPE})
    )
