"""When something that ends is told about. Pure."""

from datetime import datetime, timedelta
from typing import Final

from control.trust import RevocationList

DAYS_BEFORE: Final = (7, 30, 60)
KEY_LIFE: Final = timedelta(days=730)
"""An SSH key has no end of its own. One that is as old as this should be replaced; nothing stops working then."""


def days_before(end: datetime, at: datetime) -> int | None:
    """Of the times at which an end is told, the newest that has come; None before the first, and when it is over.

    One that nobody told in time (the worker stood still) is not told late beside the next one.
    """
    left = end - at
    if left <= timedelta():
        return None
    return next((days for days in DAYS_BEFORE if left <= timedelta(days=days)), None)


def list_is_late(each: RevocationList, at: datetime) -> bool:
    """Whether a list of revoked certificates should have been fetched anew: three quarters of its time are over.

    Issuers write a new one long before the old one ends, so that is early enough to mend what keeps it from coming.
    """
    if each.next_update is None:
        return False
    return at >= each.issued + (each.next_update - each.issued) * 3 / 4
