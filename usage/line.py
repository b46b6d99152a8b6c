"""What a ledger line says of an event: the fields of its row (`usage.calls`), and some beside them.

Every process writes lines, and only the intake and analysts read tables of them: nothing here needs Arrow.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from kernel import NOTHING_SAID, CallAnswered, CallRefused, Observation, RowsDelivered, Said, Timing

KINDS: Final = frozenset({"answered", "refused", "delivered"})

LINE_ALONE: Final = frozenset({"rule", "owner", "remedy", "to_source_us", "on_behalf_of", "call_id", "accounting"})
"""What a ledger line says beyond its row: why a call was refused, which whoever opens the decision reads there; when a
source was asked; and what the caller said of its call, its end user as a keyed hash.
"""

_PERSONAL_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])[0-9]{6}[- ]?[0-9]{4}(?![0-9A-Za-z])")


def row_of(observation: Observation, hashed: Callable[[str], str]) -> dict[str, Any]:
    """The row of one observation, without node and role, which are the ledger file's. Pure.

    Fields that the observation does not have are left out. `hashed` gives the keyed hash of an identifier.
    """
    match observation:
        case CallAnswered() as seen:
            return {
                **_call(seen, "answered"),
                "terms_hash": seen.terms_hash,
                "municipality_cvr": seen.municipality_cvr,
                "status": seen.status,
                "snapshot": seen.snapshot,
                "keys": seen.keys,
                "rows": seen.rows,
                "size_bytes": seen.size_bytes,
                **_spent(seen.timing),
                "subjects": [hashed(subject) for subject in seen.subjects],
                **_said(seen.said, hashed),
            }
        case CallRefused() as seen:
            return {
                **_call(seen, "refused"),
                "municipality_cvr": seen.municipality_cvr,
                "status": seen.status,
                "code": seen.code,
                "reason": seen.reason,
                "rule": seen.rule,
                "owner": seen.owner,
                "remedy": seen.remedy,
                **_spent(seen.timing),
                "subjects": [hashed(subject) for subject in seen.subjects],
                "credential": seen.credential,
                "peer": seen.peer,
                **_said(seen.said, hashed),
            }
        case RowsDelivered() as seen:
            return {
                **_call(seen, "delivered"),
                "terms_hash": seen.terms_hash,
                "municipality_cvr": seen.municipality_cvr,
                "snapshot": seen.snapshot,
                "extract": seen.extract,
                "rows": seen.rows,
                "size_bytes": seen.size_bytes,
                "whole": seen.whole,
                **_spent(seen.timing),
                "subjects": [],
            }


def _call(seen: Observation, kind: str) -> dict[str, Any]:
    """What every line begins with."""
    return {
        "event": seen.event,
        "time": seen.at,
        "kind": kind,
        "trace": seen.trace,
        "channel": seen.channel,
        "service": seen.service,
        "operation": seen.operation,
        "system": seen.system,
        "agreement": seen.agreement,
    }


def _said(said: Said, hashed: Callable[[str], str]) -> dict[str, str]:
    """What looks like a personal number in a caller's free text is not kept."""
    if said is NOTHING_SAID:
        return {}
    made = {} if said.on_behalf_of is None else {"on_behalf_of": hashed(said.on_behalf_of)}
    for name, value in (("call_id", said.call_id), ("accounting", said.accounting)):
        if value is not None:
            made[name] = _PERSONAL_NUMBER.sub("[number]", value)
    return made


def _spent(timing: Timing | None) -> dict[str, int]:
    if timing is None:
        return {}
    spent = {
        "own_us": timing.own_us,
        "source_us": timing.from_source_us - timing.to_source_us,
        "total_us": timing.out_us,
    }
    # With `time`, the fourth of four time stamps: in, to the source, from the source, out.
    return spent | {"to_source_us": timing.to_source_us} if timing.from_source_us else spent
