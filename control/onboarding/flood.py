"""How often somebody may apply: an open door must not become a way to fill the database."""

from collections import Counter
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from sqlalchemy import Connection, select

from control.actors import Verb
from control.errors import RateLimited
from control.tables import AUDIT
from control.times import from_text, to_text

PER_HOUR: Final = 20
"""Applications from one address."""
_HOUR: Final = timedelta(hours=1)
_LOOKED_AT: Final = 20_000
"""Lines of the trail, from its end: more than come in an hour, and never the whole of a long one."""


def ensure_room(db: Connection, address: str, at: datetime) -> None:
    """Raises RateLimited when as many applications have come from an address as may in an hour."""
    newest = select(AUDIT.c.address, AUDIT.c.at, AUDIT.c.verb).order_by(AUDIT.c.number.desc()).limit(_LOOKED_AT)
    lines = newest.subquery()
    recent = (lines.c.verb == Verb.ORGANISATION_APPLY.value) & (lines.c.at > to_text(at - _HOUR))
    found = db.execute(select(lines.c.address, lines.c.at).where(recent).order_by(lines.c.at)).all()
    if Counter(whose(row.address) for row in found)[whose(address)] < PER_HOUR:
        return
    first = next(from_text(row.at) for row in found if whose(row.address) == whose(address))
    raise RateLimited(
        f"{PER_HOUR} applications have come from this address within an hour",
        remedy="apply later, or ask the operator to register the organisations",
        rule="organisation.applications_per_hour",
        owner="the operator",
        left=0,
        next=first + _HOUR,
        retry_after_s=max(1, ceil((first + _HOUR - at).total_seconds())),
    )


def whose(address: str) -> str:
    """What counts as one address. Whoever has an IPv6 address has 2^64 of them."""
    try:
        read = ip_address(address)
    except ValueError:
        return address
    return str(int(read) >> 64) if isinstance(read, IPv6Address) and read.ipv4_mapped is None else address
