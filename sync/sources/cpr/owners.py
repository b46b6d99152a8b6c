"""Whose a line is, as the lines come; and which persons a line without a readable number could belong to."""

from collections import Counter

import polars as pl

from sync.sources.cpr.envelope import Inside
from sync.sources.cpr.layout import KEY_START, TYPE_LENGTH, Layout
from sync.sources.cpr.spill import LINES_OF
from sync.sources.decoded import QUARANTINED

MOST_FRAGMENTS = 1_000
"""More different unreadable numbers than this, and everyone in the delivery is held back."""
SHOWN = r"^[0-9A-Z]{3}$"
OTHER = "no letters or digits"


class Owners:
    """Gives out the lines of a delivery block by block."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._stray: list[pl.DataFrame] = [QUARANTINED.to_frame()]
        self._fragments: set[str] = set()
        self._unknown: Counter[str] = Counter()

    def give_out(self, inside: Inside) -> pl.DataFrame:
        """LINES_OF the lines that have an owner; the others are remembered."""
        layout, text = self._layout, pl.col("text")
        lines = inside.lines.with_columns(key=text.str.slice(KEY_START - 1, layout.key_length))
        readable = pl.col("key").str.contains(rf"^[0-9]{{{layout.key_length}}}$")
        readable &= pl.col("key") != "0" * layout.key_length
        lines = lines.with_columns(known=pl.col("record").is_in(layout.types), readable=readable)
        sound = pl.col("known") & pl.col("readable")
        if inside.late.height:
            sound &= ~pl.col("line").is_in(inside.late["line"].implode())
        stray = lines.filter(~sound)
        if stray.height:
            self._remember(stray, inside.late)
            lines = lines.filter(sound)
        places = lines["record"].replace_strict(
            layout.types, range(len(layout.types)), default=None, return_dtype=pl.UInt8
        )
        return lines.with_columns(record=places, key=pl.col("key").cast(pl.UInt64)).select(LINES_OF.names())

    def stray(self) -> pl.DataFrame:
        """QUARANTINED: lines that cannot be given to anybody."""
        return pl.concat(self._stray)

    def held(self, numbers: pl.Series) -> pl.DataFrame:
        """person (position in `numbers`), reason: everyone of these who could own a stray line."""
        everyone = numbers.to_frame("key").with_row_index("person")
        reason = pl.lit(f"a broken line could belong to the {self._layout.subject}").alias("reason")
        if not self._fragments:
            return everyone.clear().select("person", reason)
        if len(self._fragments) > MOST_FRAGMENTS:
            return everyone.select("person", reason)
        starts = (pl.col("key").str.contains(f"^{each}") for each in sorted(self._fragments))
        return everyone.filter(pl.any_horizontal(pl.lit(False), *starts)).select("person", reason)

    def warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{count:,} lines of {code}, a record type that the layout does not have"
            for code, count in sorted(self._unknown.items())
        )

    def _remember(self, stray: pl.DataFrame, late: pl.DataFrame) -> None:
        layout, text = self._layout, pl.col("text")
        short = text.str.len_chars() < KEY_START + layout.key_length - 1
        begins = pl.col("record").str.len_chars() < TYPE_LENGTH
        malformed = "personal_number_malformed" if layout.subject == "person" else "number_malformed"
        where = f"the number at {KEY_START}+{layout.key_length}: no number of a {layout.subject}"
        rules = (
            pl.when(begins | (pl.col("known") & ~pl.col("readable") & short))
            .then(pl.struct(rule=pl.lit("line_cut"), reason=pl.lit("cut within record type or number")))
            .when(~pl.col("known"))
            .then(
                pl.struct(rule=pl.lit("unknown_record"), reason=pl.lit("a record type that the layout does not have"))
            )
            .otherwise(pl.struct(rule=pl.lit(malformed), reason=pl.lit(where)))
        )
        told = stray.select("line", rules.struct.unnest())
        told = pl.concat([late, told]).unique("line", keep="first", maintain_order=True)
        told = told.join(stray, on="line", maintain_order="left").with_columns(begins=begins)
        self._stray.append(told.select(QUARANTINED.names()))
        # A line of an unknown type holds back nobody else; any other could belong to whom its digits allow.
        of_someone = told.filter(pl.col("known") | pl.col("begins"))
        if len(self._fragments) <= MOST_FRAGMENTS:
            self._fragments.update(of_someone["key"].str.replace_all("[^0-9]", ".").unique())
        unknown = told.filter(pl.col("rule") == "unknown_record")["record"]
        shown = unknown.to_frame("code").select(
            pl.when(pl.col("code").str.contains(SHOWN)).then("code").otherwise(pl.lit(OTHER))
        )
        self._unknown.update(shown.to_series().to_list())
