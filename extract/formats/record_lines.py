"""Persons as lines of the register's own record layout, between a start and an end record, as in a status extract.

Lines end in a newline, trailing blanks are cut, and letters are ISO 8859-1; what that cannot hold becomes `?`, control
characters too. What an agreement does not cover, or protection withholds, leaves its fields blank and its records out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from extract.formats.cpr_records import RecordForm, end_line, lines_of, start_line
from extract.formats.fixed_width import ENCODING
from extract.formats.rows import Batches, small


@dataclass(frozen=True, slots=True)
class Records:
    """What a file of records says of itself. All of it follows from the plan, so that the bytes do too.

    job        number in the start record, of which it takes the last six digits
    produced   the day in the start record
    """

    forms: tuple[RecordForm, ...]
    job: int
    produced: date


def record_lines(batches: Batches, records: Records) -> Iterator[bytes]:
    """All of a dataset: the start record names no delivery before."""
    yield _line(start_line(records.job, records.produced, None))
    count = 0
    for batch in small(batches):
        text, lines = lines_of(records.forms, batch)
        count += lines
        if lines:
            yield text
    yield _line(end_line(count))


def _line(text: str) -> bytes:
    return f"{text}\n".encode(ENCODING)
