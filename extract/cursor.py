"""Where a consumer stands with its copy of a dataset, and so where its next delta begins.

Not a snapshot alone: which rows and columns were in the copy, and on which day protection was judged, decide as much
what has to change in it. A consumer need not understand it, and gains nothing by making one up: a delta shows nothing
that a full extract of now, or of the snapshot that the cursor names, would not show. So its day is one on which that
snapshot could be taken: else the keys of a delta would tell when protections begin and end.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Self

from extract.errors import CursorRefused
from kernel import COPENHAGEN, SnapshotId

_MIDNIGHT: Final = timedelta(days=1)
"""A copy that is begun right before midnight can be of a snapshot that comes right after it."""
_SHAPE: Final = re.compile(r"([1-9][0-9]{0,14})\.(0|[0-9]{8})\.([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """snapshot   that the copy is as of
    day        on which protection was judged, None when nothing was withheld
    view       hash of what the copy shows: rows, columns and their types
    """

    snapshot: SnapshotId
    day: date | None
    view: str

    def __str__(self) -> str:
        return f"{self.snapshot}.{f'{self.day:%Y%m%d}' if self.day else 0}.{self.view}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises CursorRefused."""
        found = _SHAPE.fullmatch(text)
        try:
            if found is None:
                raise ValueError
            day = None if found[2] == "0" else date.fromisoformat(found[2])
        except ValueError:
            raise CursorRefused(
                "since is not the cursor of an extract",
                remedy="send `cursor` of the last extract's manifest as it is; without one, take a full extract",
                rule="parameter.since",
            ) from None
        return cls(SnapshotId(int(found[1])), day, found[3])

    def ensure_taken_by(self, today: date | None) -> None:
        """Raises CursorRefused for a day that is still to come, and where protection is judged now and was not then.

        today   on which protection is judged now, None when nothing is withheld
        """
        if (self.day is None) != (today is None) or (self.day is not None and today is not None and self.day > today):
            raise _of_no_extract()

    def ensure_taken_since(self, published: datetime) -> None:
        """Raises CursorRefused for a day before the snapshot was there."""
        if self.day is not None and self.day < published.astimezone(COPENHAGEN).date() - _MIDNIGHT:
            raise _of_no_extract()


def _of_no_extract() -> CursorRefused:
    return CursorRefused(
        "since is a cursor that no extract can have had: its snapshot and its day do not go together",
        remedy="send `cursor` of the last extract's manifest as it is; without one, take a full extract",
        rule="parameter.since",
    )
