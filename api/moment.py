"""A moment of the past that a call asks about: `as_of` (a time) or `snapshot` (its number), never both."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from api.doors import Moment
from api.errors import ParameterInvalid
from kernel import SnapshotId

FIELDS: Final = ("as_of", "snapshot")
_REMEDY: Final = (
    "as_of is a time with its zone, for instance 2026-11-01T12:00:00Z; snapshot is a number that an answer named"
)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})")
_LARGEST: Final = 2**53


def moment_of(asked: Mapping[str, Any]) -> Moment | None:
    """None when the call asks about now. Raises ParameterInvalid, naming the field and not its value."""
    time, snapshot = asked.get("as_of"), asked.get("snapshot")
    if time is not None and snapshot is not None:
        raise _invalid("there are both as_of and snapshot")
    if time is not None:
        try:
            if not isinstance(time, str) or not _TIME.fullmatch(time):
                raise ValueError
            return datetime.fromisoformat(time).astimezone(UTC)
        except (ValueError, OverflowError):
            raise _invalid("as_of is not a time with its zone") from None
    if snapshot is not None:
        number = int(snapshot) if isinstance(snapshot, str) and re.fullmatch("[0-9]{1,16}", snapshot) else snapshot
        if type(number) is not int or not 0 < number < _LARGEST:
            raise _invalid("snapshot is not a number of a snapshot")
        return SnapshotId(number)
    return None


def _invalid(what: str) -> ParameterInvalid:
    return ParameterInvalid(what, remedy=_REMEDY, rule="parameter.as_of")
