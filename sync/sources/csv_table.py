"""The CSV decoder: one row per line, columns as the contract names them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import polars as pl

from schemas import Column, Dataset, Kind
from sync.errors import DeliveryUnreadable, SourceMisfit
from sync.sources.columns import ensure_columns
from sync.sources.decoded import FAULTS, ORIGIN, QUARANTINED, Decoded, LinesInMemory, Tell
from sync.sources.lines import read_lines

# What a value must look like before it is cast; a cast alone would take "+1", "1e3" or "inf" for numbers.
SHAPES: Mapping[Kind, str] = {
    Kind.INTEGER: r"^-?[0-9]{1,18}$",
    Kind.NUMBER: r"^-?[0-9]+(\.[0-9]+)?$",
    Kind.BOOLEAN: r"^(true|false)$",
    Kind.DATE: r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    Kind.TIMESTAMP: r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$",
}


class CsvDecoder:
    """Decodes a file with a header line that names the contract's columns, in any order.

    A column that the contract does not require may be missing; one that it does not have refuses the file, since
    nobody has said whether it may be shown, and so does one that the house derives. Values never hold line breaks.
    An empty value is null.

    Raises SourceMisfit for a dataset with objects or arrays.
    """

    def __init__(self, dataset: Dataset, *, delimiter: str = ",", encoding: str = "utf-8") -> None:
        if nested := [column.name for column in dataset.columns if column.kind in (Kind.OBJECT, Kind.ARRAY)]:
            raise SourceMisfit(f"a CSV file cannot hold the columns {', '.join(nested)}", remedy="use another decoder")
        self.dataset, self.delimiter, self.encoding = dataset, delimiter, encoding

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:  # noqa: ARG002
        try:
            lines = read_lines(stream, self.encoding, tell)
        except UnicodeDecodeError:
            raise DeliveryUnreadable(
                f"the file is not {self.encoding}", remedy="set the encoding of the source"
            ) from None
        if lines.is_empty():
            raise DeliveryUnreadable("the file is empty", remedy="have it delivered again")
        header = self._header(lines["text"][0].removeprefix("\ufeff"))
        body = lines.slice(1)
        values, ragged = self._values(body, header)
        rows, wrong = self._typed(values)
        faults = pl.concat([ragged, wrong]).unique("line", keep="first")
        rows = rows.join(faults, on="line", how="anti")
        key = self.dataset.key
        rows, faults = _without_doubtful_keys(rows, faults, key)
        rows = rows.sort(key)
        tell("rows", body.height)
        origin = rows.select(pl.col(key).cast(pl.String).alias("key"), "line").join(
            body, on="line", maintain_order="left"
        )
        return Decoded(
            rows=rows.select(self.dataset.names)
            .to_arrow(compat_level=pl.CompatLevel.oldest())
            .cast(self.dataset.arrow),
            origin=LinesInMemory(origin.select(ORIGIN.names())),
            frame=lines["text"][0],
            quarantine=faults.join(body, on="line").sort("line").select(QUARANTINED.names()),
            as_of=None,
            lines_in=lines.height,
            lines_envelope=1,
            rows_in=body.height,
            rows_quarantined=body.height - rows.height,
        )

    def again(self, frame: str, lines: Sequence[str]) -> bytes:
        return "\n".join([frame, *lines, ""]).encode(self.encoding)

    def _header(self, line: str) -> list[str]:
        names = _read(line, self.delimiter) or []
        ensure_columns(names, self.dataset, "the header")
        return names

    def _values(self, body: pl.DataFrame, header: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """line and one text column per name; and FAULTS of lines with another number of values."""
        quoted = pl.col("text").str.contains('"', literal=True)
        plain = body.filter(~quoted).select("line", values=pl.col("text").str.split(self.delimiter))
        # A quotation mark that is never closed must not swallow the lines after it, so each is read by itself.
        careful = body.filter(quoted)
        read = [_read(text, self.delimiter) for text in careful["text"]]
        odd = careful.select("line", values=pl.Series(read, dtype=pl.List(pl.String)))
        lines = pl.concat([plain, odd]).sort("line")
        whole = pl.col("values").list.len() == len(header)
        fields = (pl.col("values").list.get(place).alias(name) for place, name in enumerate(header))
        values = lines.filter(whole).select("line", *fields)
        ragged = lines.filter(~whole.fill_null(value=False))
        empty = (pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in header)
        reason = f"not {len(header)} values"
        return values.with_columns(empty), ragged.select("line", rule=pl.lit("wrong_columns"), reason=pl.lit(reason))

    def _typed(self, values: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """line and the typed columns; and FAULTS of values that are not of their type."""
        types = pl.DataFrame(pl.from_arrow(self.dataset.arrow.empty_table())).schema
        exprs, faults = [pl.col("line")], [FAULTS.to_frame()]
        for column in self.dataset.columns:
            if column.name not in values.columns:
                exprs.append(pl.lit(None, types[column.name]).alias(column.name))
                continue
            value = _cast(column, types[column.name])
            exprs.append(value.alias(column.name))
            wrong = values.filter(pl.col(column.name).is_not_null() & value.is_null())
            reason = f"{column.name}: not {'an' if column.kind is Kind.INTEGER else 'a'} {column.kind.value}"
            faults.append(wrong.select("line", rule=pl.lit("wrong_type"), reason=pl.lit(reason)))
        return values.select(exprs), pl.concat(faults)


def _read(text: str, delimiter: str) -> list[str] | None:
    """The values of one line; None for one that is not CSV."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _cast(column: Column, kind: pl.DataType) -> pl.Expr:
    """Typed value, null when the text is not of the type."""
    text = pl.col(column.name)
    if column.kind is Kind.TEXT:
        return text
    shaped = pl.when(text.str.contains(SHAPES[column.kind])).then(text)
    match column.kind:
        case Kind.BOOLEAN:
            return shaped == "true"
        case Kind.DATE:
            return shaped.str.to_date("%Y-%m-%d", strict=False)
        case Kind.TIMESTAMP:
            return shaped.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
        case _:
            return shaped.cast(kind, strict=False)


def _without_doubtful_keys(rows: pl.DataFrame, faults: pl.DataFrame, key: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without a key go, and so do all rows that share one: which of them is right is not known."""
    missing = rows.filter(pl.col(key).is_null())
    shared = rows.filter(pl.col(key).is_not_null() & pl.col(key).is_duplicated())
    faults = pl.concat(
        [
            faults,
            missing.select("line", rule=pl.lit("required"), reason=pl.lit(f"{key}: nothing there")),
            shared.select("line", rule=pl.lit("unique"), reason=pl.lit(f"{key}: on several lines")),
        ]
    )
    return rows.join(faults, on="line", how="anti"), faults
