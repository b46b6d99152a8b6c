"""The first and the last record of a delivery: what it is, and whether all of it arrived.

000 opens it (job number, production date, in layout A the former production date), 999 closes it and counts the
records without 000 and 999, at most 99,999,999. Error records (910) stand after the end record (U12180-P): they
tell what of an order could not be met, and are held back with their number as the reason.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from sync.errors import DeliveryIncomplete, DeliveryMiscounted, DeliveryOutOfChain, DeliveryUnreadable
from sync.sources.cpr.layout import END, ERROR, START, TYPE_LENGTH, Layout, Record, Shape
from sync.sources.decoded import FAULTS, QUARANTINED

COUNT_CEILING = 99_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the start record says. `former` is None when the layout has no such date, or the delivery none."""

    job: str
    produced: date
    former: date | None


@dataclass(frozen=True, slots=True)
class Inside:
    """lines   line, text, record: what may belong to persons
    late    FAULTS of those lines that stand after the end record
    errors  QUARANTINED: error records
    """

    lines: pl.DataFrame
    late: pl.DataFrame
    errors: pl.DataFrame


@dataclass(slots=True)
class Envelope:
    """Takes a delivery out of its envelope, block by block.

    text       the start record; empty before the first block, and for a delivery without an envelope
    lines      how many lines were envelope: start, end, receipts

    enveloped  False for an excerpt without start and end record, of which nobody can say whether it is whole
    """

    layout: Layout
    enveloped: bool = True
    text: str = ""
    start: Start | None = None
    counted: int | None = None
    lines_in: int = 0
    lines: int = 0
    inside: int = 0
    errors: int = 0
    beside: Counter[str] = field(default_factory=Counter)

    def take(self, block: pl.DataFrame) -> Inside:
        """What a block of LINES holds for persons. Raises DeliveryUnreadable without a start record."""
        self.lines_in += block.height
        block = block.with_columns(record=pl.col("text").str.slice(0, TYPE_LENGTH))
        if self.enveloped and not self.text:
            self.text = block["text"][0]
            self.start = read_start(self.text, self.layout.records[START])
            self.lines += 1
            block = block.slice(1)
        if not self.enveloped:
            ends = pl.col("record").is_in([START, END])
            self.lines += block.filter(ends).height
            block = block.filter(~ends)
        before, after = self._at_end(block)
        extra = [code for code, each in self.layout.records.items() if each.shape is Shape.ENVELOPE and code != ERROR]
        beside = before.filter(pl.col("record").is_in(extra))
        self.beside.update(dict(beside["record"].value_counts().iter_rows()))
        self.inside += before.height
        self.lines += beside.height
        if beside.height:
            before = before.filter(~pl.col("record").is_in(extra))
        if after.is_empty():
            return Inside(before, FAULTS.to_frame(), QUARANTINED.to_frame())
        errors = after.filter(pl.col("record") == ERROR)
        late = after.filter(pl.col("record") != ERROR)
        self.errors += errors.height
        told = late.select("line", rule=pl.lit("after_end"), reason=pl.lit("the line stands after the end record"))
        return Inside(pl.concat([before, late]), told, _said(errors, self.layout))

    def close(self, *, strict: bool) -> tuple[str, ...]:
        """Warnings, once all blocks are taken.

        Raises DeliveryIncomplete without an end record and, when `strict`, DeliveryMiscounted when it counts something
        else.
        """
        if self.lines_in == 0:
            raise DeliveryIncomplete("the file is empty", remedy="have it delivered again")
        warnings = []
        if self.enveloped and self.counted is None:
            raise DeliveryIncomplete(
                "the end record 999 is missing, so the delivery was cut off", remedy="have it delivered again"
            )
        # U12180-P does not say whether error records are counted, and they are the only ones after the end.
        delivered = (self.inside, self.inside + self.errors)
        beyond = self.counted == COUNT_CEILING and self.inside > COUNT_CEILING
        if self.enveloped and self.counted not in delivered and not beyond:
            message = f"the end record counts {self.counted:,} records, {self.inside:,} were delivered"
            if strict:
                raise DeliveryMiscounted(message, remedy="have it delivered again")
            warnings.append(message)
        if self.errors:
            warnings.append(f"{self.errors:,} error records")
        subject = self.layout.subject
        warnings += [f"{count:,} records {code} that no {subject} has" for code, count in sorted(self.beside.items())]
        return tuple(warnings)

    def _at_end(self, block: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Lines before and after the end record."""
        if not self.enveloped:
            return block, block.clear()
        if self.counted is not None:
            return block.clear(), block
        ends = block["record"] == END
        if not ends.any():
            return block, block.clear()
        end = int(ends.arg_true()[0])
        self.counted = _count(block["text"][end], self.layout.records[END])
        self.lines += 1
        return block.head(end), block.slice(end + 1)


def ensure_chain(start: Start, former: Mapping[str, str], *, strict: bool) -> tuple[str, ...]:
    """Check that a delivery follows on the last one loaded of the same job; gives warnings.

    A delivery without a former production date starts a chain anew. Raises DeliveryOutOfChain when `strict`.
    """
    if start.former is None or former.get("job") != start.job:
        return ()
    loaded = date.fromisoformat(former["produced"])
    if start.former == loaded:
        return ()
    message = f"the delivery follows on that of {start.former}, the last one loaded is of {loaded}"
    if strict:
        raise DeliveryOutOfChain(message, remedy="load the deliveries between, or start with a status extract")
    return (message,)


def read_start(text: str, record: Record) -> Start:
    """What a start record says. Raises DeliveryUnreadable."""
    where = {each.name: text[each.start - 1 : each.end] for each in record.fields}
    if not text.startswith(START):
        raise DeliveryUnreadable("the first line is not a start record 000", remedy="check the pattern of the source")
    if len(text.rstrip()) > record.length:
        raise DeliveryUnreadable(
            "the lines are not separated: the start record goes on past its length",
            remedy="set `separated: false` in the source, or order the delivery with line separators",
        )
    job, produced = where["OPGAVENR"], _date(where["PRODDTO"])
    if produced is None or not (job.isascii() and job.isdigit()):
        raise DeliveryUnreadable(
            "the start record lacks job number or production date", remedy="have it delivered again"
        )
    return Start(job=job, produced=produced, former=_date(where.get("PRODDTOFORRIG", "")))


def _said(errors: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """QUARANTINED of error records; the reason holds the error's number only, since its text quotes the order."""
    record = layout.records.get(ERROR)
    number = next((each for each in record.fields if each.name == "FEJLNR"), None) if record else None
    said = pl.col("text").str.slice(number.start - 1, number.length) if number else pl.lit("")
    shown = pl.when(said.str.contains(r"^[0-9]{4}$")).then(pl.format("the register's error {}", said))
    return errors.select(
        "line", rule=pl.lit("error_record"), reason=shown.otherwise(pl.lit("an error of the register")), text="text"
    )


def _date(text: str) -> date | None:
    digits = text.strip()
    if not digits or set(digits) == {"0"}:
        return None
    try:
        if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
            raise ValueError(digits)
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise DeliveryUnreadable("a date in the start record is no date", remedy="have it delivered again") from None


def _count(text: str, record: Record) -> int:
    counter = next(each for each in record.fields if each.name == "TAELLER")
    digits = text[counter.start - 1 : counter.end]
    if len(digits) != counter.length or not digits.isascii() or not digits.isdigit():
        raise DeliveryIncomplete("the end record 999 is cut", remedy="have it delivered again")
    return int(digits)
