"""Lines grouped by person (or road, or authority): one nested row each.

Grouping goes by number, never by neighbourhood: deliveries are normally unsorted, and a real one has all its 003
records after everything else. Lists are sorted by the field that the record table names and then by the line
itself, so the order of lines in a file never changes a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from sync.sources.cpr.layout import KEY, Layout, Record, Shape
from sync.sources.cpr.presented import BORNHOLM, CHRISTIANSOE
from sync.sources.cpr.records import RAW, Parsed, parse
from sync.sources.cpr.schema import (
    AS_DELIVERED,
    AS_DELIVERED_TYPE,
    MUNICIPALITY,
    UNDONE,
    UNDONE_MARK,
    Polars,
    fields_of,
)

NO_MUNICIPALITY = "0000"


@dataclass(frozen=True, slots=True)
class Persons:
    """rows    the dataset's columns, sorted by key
    faults  FAULTS of every line that was not turned into a row
    """

    rows: pl.DataFrame
    faults: pl.DataFrame


def decode_persons(
    layout: Layout, schema: pa.Schema, numbers: pl.Series, lines: pl.DataFrame, held: pl.DataFrame, control: bool
) -> Persons:
    """Decode the persons of one part of a delivery.

    schema    of the dataset; what the layout does not tell is null there, or an empty list
    numbers   their personal numbers, sorted, unique
    lines     person (position in `numbers`), record (place in `Layout.types`), line, text: all they have
    held      person, reason: persons that must be held back whatever their lines say
    control   whether a line may hold control characters

    A person with one broken line is held back whole. Published without its protection record, say, it would
    show an address that must stay hidden; the mirror keeps the former version of the person instead.
    """
    subject = layout.subject
    people = numbers.to_frame(layout.key).with_row_index("person")
    owned = lines.select("person", "record", "line", "text")
    of_type = {
        place: part.with_columns(_together(part["text"]))
        for place, part in owned.partition_by("record", as_dict=True, include_key=False).items()
    }
    nothing = owned.drop("record").clear()
    places = {code: place for place, code in enumerate(layout.types)}
    parsed = [
        parse(record, of_type.get((places[record.type],), nothing), control=control) for record in layout.subjects
    ]
    owners = owned.select("person", "line")
    faults = pl.concat([*(part.faults for part in parsed), *_repeated(layout, parsed)])
    faults = faults.unique("line", keep="first", maintain_order=True)
    broken = owners.join(faults, on="line", how="semi").select("person").unique()
    incomplete = _incomplete(layout, parsed, people, broken)
    another = pl.lit(f"another line of the {subject} is broken")
    held = pl.concat([broken.select("person", reason=another), held.select("person", "reason")]).with_columns(
        rule=pl.lit(f"{subject}_held_back")
    )
    held = pl.concat([held.select("person", "rule", "reason"), incomplete]).unique("person", keep="first")
    rest = owners.join(faults, on="line", how="anti").join(held, on="person").select("line", "rule", "reason")
    good = people.join(held, on="person", how="anti") if held.height else people
    target = dict(pl.DataFrame(pl.from_arrow(schema.empty_table())).schema)
    return Persons(_assemble(layout, target, good, parsed), pl.concat([faults, rest]))


def _together(text: pl.Series) -> pl.Series:
    """The same texts side by side in memory: each is read many times, and they come from all over the delivery."""
    return pl.Series(text.name, pl.from_arrow(text.to_arrow(compat_level=pl.CompatLevel.oldest())))


def _repeated(layout: Layout, parsed: Sequence[Parsed]) -> list[pl.DataFrame]:
    """Lines of records that a person has more of than the table allows; which of them is right is not known."""
    found = []
    for group in layout.groups:
        maximum = 1 if group[0].shape is Shape.ONE else group[0].maximum
        lines = [part.typed.select("person", "line") for part in parsed if part.record in group and len(part.typed)]
        if maximum is None or group[0].latest or sum(map(len, lines)) <= maximum:
            continue
        rows = pl.concat(lines)
        title = " and ".join(record.type for record in group)
        found.append(
            rows.filter(pl.len().over("person") > maximum).select(
                "line",
                rule=pl.lit("record_repeated"),
                reason=pl.lit(f"{title}: more than {maximum} for one {layout.subject}"),
            )
        )
    return found


def _incomplete(layout: Layout, parsed: Sequence[Parsed], people: pl.DataFrame, broken: pl.DataFrame) -> pl.DataFrame:
    """person, rule, reason of persons who lack a record that everyone has."""
    everyone = people.select("person").join(broken, on="person", how="anti")
    lacking = [
        everyone.join(part.typed, on="person", how="anti").with_columns(record=pl.lit(part.record.type))
        for part in parsed
        if part.record.minimum
    ]
    return (
        pl.concat(lacking)
        .group_by("person")
        .agg(pl.col("record").unique().sort())
        .select(
            pl.col("person"),
            rule=pl.lit(f"{layout.subject}_incomplete"),
            reason=pl.format(f"the {layout.subject} has no record {{}}", pl.col("record").list.join(", ")),
        )
    )


def _assemble(
    layout: Layout, target: Mapping[str, pl.DataType], good: pl.DataFrame, parsed: Sequence[Parsed]
) -> pl.DataFrame:
    by_code = {part.record.code: part for part in parsed}
    person, columns, kept = good.select("person"), [good.select(layout.key)], []
    for group in layout.groups:
        column, delivered = _column(layout, target, group, [by_code[record.code] for record in group])
        # Each column is brought into the order of the persons on its own: joining them one after the other would
        # copy all columns so far each time.
        columns.append(_aligned(person, column))
        kept.append(delivered)
    columns.append(_aligned(person, _as_delivered(kept)))
    rows = pl.concat(columns, how="horizontal")
    if layout.key == KEY:
        codes = [
            pl.col(name).struct.field(MUNICIPALITY) for name in ("address", "address_text") if name in rows.columns
        ]
        known = pl.coalesce(pl.when(code != NO_MUNICIPALITY).then(code) for code in codes)
        rows = rows.with_columns(known.replace({CHRISTIANSOE: BORNHOLM}).alias(MUNICIPALITY))
    return rows.select(_filled(name, dtype, rows) for name, dtype in target.items())


def _aligned(person: pl.DataFrame, column: pl.DataFrame) -> pl.DataFrame:
    # Nearly everyone has one line of the common records, in order already: then there is nothing to join.
    if column.height == person.height and column["person"].equals(person["person"]):
        return column.drop("person")
    return person.join(column, on="person", how="left", maintain_order="left").drop("person")


def _filled(name: str, dtype: pl.DataType, rows: pl.DataFrame) -> pl.Expr:
    if name not in rows.columns:
        return pl.lit([] if isinstance(dtype, pl.List) else None, dtype=dtype).alias(name)
    return pl.col(name).fill_null(pl.lit([], dtype=dtype)) if isinstance(dtype, pl.List) else pl.col(name)


def _column(
    layout: Layout, target: Mapping[str, pl.DataType], group: Sequence[Record], parts: Sequence[Parsed]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """person and the column that a group of records fills (or its columns, when it has none of its own);
    and (person, field, text) of what must be kept as delivered."""
    filled = [part for part in parts if part.typed.height] or parts[:1]
    typed = pl.concat([part.typed for part in filled], how="diagonal")
    kept = pl.concat([part.kept for part in filled])
    first, fields = group[0], fields_of(group)
    if first.latest:
        typed = typed.sort("person", first.latest, RAW, nulls_last=False).unique(
            "person", keep="last", maintain_order=True
        )
        kept = kept.join(typed, on="line", how="semi")
    if not first.column:
        return typed.select("person", *fields), kept.select("person", "field", "text")
    holder = target[first.column]
    whole = _struct(holder, fields)
    missing = {name: dtype for name, dtype in whole.items() if name not in typed.columns}
    typed = typed.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())
    if first.shape is Shape.ONE:
        path = pl.format(f"{first.column}.{{}}", "field").alias("field")
        return typed.select("person", pl.struct(*whole).alias(first.column)), kept.select("person", path, "text")
    if UNDONE_MARK in fields:
        typed = typed.filter(pl.col(UNDONE_MARK).ne_missing(UNDONE))
    if layout.repeats:
        typed = typed.unique(["person", *whole], keep="first", maintain_order=True)
    typed = typed.sort("person", first.order, RAW, nulls_last=True)
    place = typed.select("line", pl.int_range(pl.len()).over("person").alias("place"))
    path = pl.format(f"{first.column}[{{}}].{{}}", "place", "field").alias("field")
    delivered = kept.join(place, on="line").select("person", path, "text")
    grouped = typed.select("person", pl.struct(*whole).alias(first.column)).group_by("person", maintain_order=True)
    return grouped.agg(first.column), delivered


def _struct(holder: pl.DataType, fields: Mapping[str, Polars]) -> Mapping[str, Polars]:
    """Names and types of all fields that the dataset has where these records are kept."""
    inner = holder.inner if isinstance(holder, pl.List) else holder
    return dict(inner.to_schema()) if isinstance(inner, pl.Struct) else fields


def _as_delivered(kept: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return (
        pl.concat(kept)
        .sort("person", "field", "text")
        .group_by("person", maintain_order=True)
        .agg(pl.struct("field", "text").alias(AS_DELIVERED))
        .cast({AS_DELIVERED: AS_DELIVERED_TYPE})
    )
