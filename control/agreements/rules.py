"""What must hold between agreements. Pure."""

from collections.abc import Iterable
from datetime import datetime

from control.agreements.lifecycle import State
from control.agreements.values import Agreement
from control.errors import AgreementInvalid, AgreementTaken
from control.times import shown
from kernel import Window

IN_PLACE = frozenset({State.APPROVED, State.SUSPENDED})
"""A suspended agreement keeps its place, since it may be resumed at any time."""


def ensure_free(agreement: Agreement, others: Iterable[Agreement], at: datetime) -> None:
    """Raises AgreementTaken when another agreement covers a service of this one, for the same system and municipality,
    at some time from `at` on.

    A call may name only its service and municipality, and its certificate the system: the three must lead to one
    agreement.
    """
    for other in others:
        both = other.terms.services.keys() & agreement.terms.services.keys()
        if (
            both
            and other.id != agreement.id
            and (other.system, other.municipality) == (agreement.system, agreement.municipality)
            and other.state_at(at) in IN_PLACE
            and _overlap(other.valid, agreement.valid)
        ):
            raise AgreementTaken(
                f"agreement {other.id} covers {', '.join(sorted(both))} for the same system and municipality",
                remedy="terminate that one first, replace it by this one, or leave the service out of this one",
                rule="agreement.one_live_per_service",
            )


def ensure_follows(successor: Agreement, before: Agreement, at: datetime) -> None:
    """Raises AgreementInvalid when one agreement cannot take the place of another without a gap."""
    if (before.system, before.municipality) != (successor.system, successor.municipality):
        raise AgreementInvalid(
            "it would replace an agreement of another system or municipality",
            remedy="name one of the same two parties",
            rule="agreement.replaces",
        )
    if before.state_at(at) not in IN_PLACE:
        raise AgreementInvalid(
            f"the agreement that it would replace is {before.state_at(at)}",
            remedy="request a new one that replaces nothing",
            rule="agreement.replaces",
        )
    if before.valid.end is not None and before.valid.end < successor.valid.start:
        raise AgreementInvalid(
            f"it begins after the one that it replaces ends ({shown(before.valid.end)})",
            remedy="let it begin then, or earlier",
            rule="agreement.no_gap",
        )


def end_of_replaced(before: Agreement, successor: Agreement, at: datetime) -> datetime:
    """When an agreement ends whose successor is approved at `at`: where that one begins, so that there is no gap."""
    end = max(at, before.valid.start, successor.valid.start)
    return end if before.valid.end is None else min(end, before.valid.end)


def _overlap(one: Window, other: Window) -> bool:
    start = max(one.start, other.start)
    return all(window.end is None or start < window.end for window in (one, other))
