"""What a call would meet, before it is made: the same policy and the same limits, and nothing is counted or kept."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from control.limits import NO_LIMITS, Allowance, Counters, purpose_of
from control.policy import Policy
from kernel import Call, Grant, PlatformError, Purpose

Check = Callable[[Grant], object]
"""What another room would refuse about a call: raises its refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """refusals    why the call would be turned away, in the order in which it would be told; empty when it gets through
    grant       the permission that carries it, as far as one was found
    allowance   what is left of the limits now
    """

    refusals: tuple[PlatformError, ...]
    grant: Grant | None = None
    purpose: Purpose | None = None
    allowance: Allowance = NO_LIMITS

    @property
    def admitted(self) -> bool:
        return not self.refusals

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"admitted": self.admitted, "refusals": [explained(each) for each in self.refusals]}
        grant = self.grant
        if grant is not None:
            told |= {
                "agreement": grant.agreement,
                "municipality": grant.municipality_cvr,
                "service": grant.service,
                "columns": None if grant.columns is None else sorted(grant.columns),
                "rows": {column: sorted(values) for column, values in grant.rows.items()},
                "protected": grant.protected,
                "keys_per_call": grant.limits.keys_per_call,
                "purpose": None if self.purpose is None else self.purpose.code,
                "purposes": sorted(grant.purposes),
                "ends": grant.valid.end,
                "terms_hash": grant.terms_hash,
                "limits": [
                    {"name": each.rule.name, "calls": each.rule.most, "left": each.left, "reset_s": each.reset_s}
                    for each in self.allowance.standings
                ],
            }
        return told


def explain(
    policy: Policy, call: Call, at: datetime, counters: Counters, *, purpose: str | None = None, checks: Iterable[Check]
) -> Verdict:
    """What `call` would meet at `at`; what limits leave is what they leave now.

    purpose   the code that the call would name
    checks    what is judged after the grant, by whoever answers the call
    """
    try:
        grant = policy.grant(call, at)
    except PlatformError as error:
        return Verdict(refusals=(error,))
    refusals: list[PlatformError] = []
    meant, allowance = None, NO_LIMITS
    try:
        meant = purpose_of(grant, purpose)
        allowance = counters.look(grant, meant, at)
        if full := counters.refusal(grant, meant, at):
            refusals.append(full)
    except PlatformError as error:
        refusals.append(error)
    for check in checks:
        try:
            check(grant)
        except PlatformError as error:
            refusals.append(error)
    return Verdict(refusals=tuple(refusals), grant=grant, purpose=meant, allowance=allowance)


def explained(error: PlatformError) -> dict[str, Any]:
    """A refusal with everything it knows; the same fields as in a problem document."""
    told: dict[str, Any] = {"code": error.code, "status": error.status, "title": error.title, "detail": error.message}
    known = {
        "rule": error.rule, "owner": error.owner, "remedy": error.remedy or None, "left": error.left,
        "ends": error.ends, "next": error.next,
    }  # fmt: skip
    return told | {name: value for name, value in known.items() if value is not None}
