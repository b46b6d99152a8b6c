"""The CSV decoder: one row per line, columns as the contract names them."""

import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import BinaryIO

import polars as pl
import pyarrow as pa
from pyarrow import csv

from schemas import Column, Dataset, Kind
from sync.errors import DeliveryUnreadable
from sync.sources.decoded import FAULTS, ORIGIN, QUARANTINED, Decoded, Tell
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
    nobody has said whether it may be shown. Values never hold line breaks. An empty value is null.
    """

    def __init__(self, dataset: Dataset, *, delimiter: str = ",", encoding: str = "utf-8") -> None:
        self.dataset, self.delimiter, self.encoding = dataset, delimiter, encoding

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell) -> Decoded:  # noqa: ARG002
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
            rows=rows.select(self.dataset.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self.dataset.arrow),
            origin=origin.select(ORIGIN.names()),
            quarantine=faults.join(body, on="line").sort("line").select(QUARANTINED.names()),
            as_of=None,
            lines_in=lines.height,
            lines_envelope=1,
            rows_in=body.height,
            rows_quarantined=body.height - rows.height,
        )

    def _header(self, line: str) -> list[str]:
        (names,) = _parsed(pl.Series([line]), self.delimiter)
        known = {column.name: column for column in self.dataset.columns}
        problems = {
            "twice": [name for name in names if names.count(name) > 1],
            "unknown": [name for name in names if name not in known],
            "missing": [name for name, each in known.items() if _needed(self.dataset, each) and name not in names],
        }
        for problem, found in problems.items():
            if found:
                raise DeliveryUnreadable(
                    f"the header does not fit the contract: {problem}: {', '.join(sorted(set(found)))}",
                    remedy="mend the file, or the contract of the dataset",
                )
        return names

    def _values(self, body: pl.DataFrame, header: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """line and one text column per name; and FAULTS of lines with another number of values."""
        bad: set[int] = set()

        def skip(row: csv.InvalidRow) -> str:
            bad.add(row.number)
            return "skip"

        data = "\n".join([self.delimiter.join(header), *body["text"], ""]).encode()
        table = csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter=self.delimiter, ignore_empty_lines=False, invalid_row_handler=skip
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
        # Rows are counted with the header as the first.
        broken = pl.int_range(2, body.height + 2, eager=True).is_in(sorted(bad))
        frame = pl.DataFrame(pl.from_arrow(table)).with_columns(body.filter(~broken)["line"])
        reason = f"not {len(header)} values"
        ragged = body.filter(broken).select("line", rule=pl.lit("wrong_columns"), reason=pl.lit(reason))
        return frame, ragged

    def _typed(self, values: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        exprs, faults = [pl.col("line")], [FAULTS.to_frame()]
        for column in self.dataset.columns:
            kind = pl.Schema(pl.DataFrame(pl.from_arrow(self.dataset.arrow.empty_table())).schema)[column.name]
            if column.name not in values.columns:
                exprs.append(pl.lit(None, kind).alias(column.name))
                continue
            value = _cast(column, kind)
            exprs.append(value.alias(column.name))
            wrong = values.filter(pl.col(column.name).is_not_null() & value.is_null())
            reason = f"{column.name}: not {_article(column.kind)}"
            faults.append(wrong.select("line", rule=pl.lit("wrong_type"), reason=pl.lit(reason)))
        return values.select(exprs), pl.concat(faults)


def _needed(dataset: Dataset, column: Column) -> bool:
    return column.required or column.name == dataset.key


def _article(kind: Kind) -> str:
    return f"an {kind.value}" if kind is Kind.INTEGER else f"a {kind.value}"


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


def _without_doubtful_keys(
    rows: pl.DataFrame, faults: pl.DataFrame, key: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
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
