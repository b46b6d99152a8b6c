"""The first and the last record of a delivery: what it is, and whether all of it arrived.

000 opens it (job number, production date, former production date), 999 closes it and counts the records
without 000 and 999, at most 99,999,999. Error records (910) stand after the end record (U12180-P).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from sync.errors import DeliveryIncomplete, DeliveryMiscounted, DeliveryOutOfChain, DeliveryUnreadable
from sync.sources.cpr.layout import TYPE_LENGTH, Layout, Shape

START, END, ERROR = "000", "999", "910"
COUNT_CEILING = 99_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """body     lines (line, text) that must belong to persons
    lines    how many lines are envelope: start, end, error records and receipts
    stray    FAULTS for lines after the end record that are no error records
    """

    job: str
    produced: date
    former: date | None
    body: pl.DataFrame
    lines: int
    stray: pl.DataFrame
    warnings: tuple[str, ...]


def open_envelope(lines: pl.DataFrame, layout: Layout, *, strict: bool) -> Envelope:
    """Take a delivery out of its envelope.

    Raises DeliveryUnreadable without a start record, DeliveryIncomplete without an end record, and, when
    `strict`, DeliveryMiscounted when the end record counts something else.
    """
    if lines.is_empty():
        raise DeliveryIncomplete("the file is empty", remedy="have it delivered again")
    job, produced, former = _start(lines["text"][0], layout)
    kind = pl.col("text").str.slice(0, TYPE_LENGTH)
    ends = lines.with_row_index("at").filter(kind == END)
    if ends.is_empty():
        raise DeliveryIncomplete(
            "the end record 999 is missing, so the delivery was cut off", remedy="have it delivered again"
        )
    end = int(ends["at"][0])
    counted = _count(ends["text"][0])
    inside, after = lines.slice(1, end - 1), lines.slice(end + 1)
    errors = after.filter(kind == ERROR)
    # U12180-P does not say whether error records are counted, and they are the only ones after the end.
    delivered = (inside.height, inside.height + errors.height)
    warnings = []
    if counted not in delivered and not (counted == COUNT_CEILING and inside.height > COUNT_CEILING):
        message = f"the end record counts {counted:,} records, {inside.height:,} were delivered"
        if strict:
            raise DeliveryMiscounted(message, remedy="have it delivered again")
        warnings.append(message)
    extra = [code for code, record in layout.records.items() if record.shape is Shape.ENVELOPE and code != START]
    beside = inside.filter(kind.is_in(extra))
    for title, found in (("error records", errors.height), ("records beside the persons", beside.height)):
        if found:
            warnings.append(f"{found:,} {title}")
    stray = after.filter(kind != ERROR).select(
        pl.col("line"), rule=pl.lit("after_end"), reason=pl.lit("the line stands after the end record")
    )
    return Envelope(
        job=job,
        produced=produced,
        former=former,
        body=pl.concat([inside.filter(~kind.is_in(extra)), after.filter(kind != ERROR)]),
        lines=2 + errors.height + beside.height,
        stray=stray,
        warnings=tuple(warnings),
    )


def ensure_chain(envelope: Envelope, former: Mapping[str, str], *, strict: bool) -> tuple[str, ...]:
    """Check that a delivery follows on the last one loaded of the same job; gives warnings.

    A delivery without a former production date starts a chain anew. Raises DeliveryOutOfChain when `strict`.
    """
    if envelope.former is None or former.get("job") != envelope.job:
        return ()
    loaded = date.fromisoformat(former["produced"])
    if envelope.former == loaded:
        return ()
    message = f"the delivery follows on that of {envelope.former}, the last one loaded is of {loaded}"
    if strict:
        raise DeliveryOutOfChain(message, remedy="load the deliveries between, or start with a status extract")
    return (message,)


def _start(text: str, layout: Layout) -> tuple[str, date, date | None]:
    where = {field.name: slice(field.start - 1, field.end) for field in layout.records[START].fields}
    record = layout.records[START]
    if not text.startswith(START):
        raise DeliveryUnreadable("the first line is not a start record 000", remedy="check the pattern of the source")
    if len(text.rstrip()) > record.length:
        raise DeliveryUnreadable(
            "the lines are not separated: the start record goes on past its length",
            remedy="order the delivery with line separators",
        )
    job = text[where["OPGAVENR"]]
    produced = _date(text[where["PRODDTO"]])
    if produced is None or not (job.isascii() and job.isdigit()):
        raise DeliveryUnreadable(
            "the start record lacks job number or production date", remedy="have it delivered again"
        )
    return job, produced, _date(text[where["PRODDTOFORRIG"]])


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


def _count(text: str) -> int:
    digits = text[13:21]
    if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
        raise DeliveryIncomplete("the end record 999 is cut", remedy="have it delivered again")
    return int(digits)
