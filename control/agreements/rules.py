"""What must hold between agreements. Pure."""

from collections.abc import Iterable
from datetime import datetime

from control.agreements.lifecycle import State
from control.agreements.values import Agreement
from control.errors import AgreementTaken
from kernel import Window


def ensure_free(agreement: Agreement, others: Iterable[Agreement], at: datetime) -> None:
    """Raises AgreementTaken when another agreement covers a service of this one, for the same system and municipality,
    at some time from `at` on.

    A call may name only its service and municipality, and its certificate the system: the three must lead to one
    agreement. A suspended agreement keeps its place, since it may be resumed at any time.
    """
    for other in others:
        both = other.terms.services.keys() & agreement.terms.services.keys()
        if (
            both
            and other.id != agreement.id
            and (other.system, other.municipality) == (agreement.system, agreement.municipality)
            and other.state_at(at) in {State.APPROVED, State.SUSPENDED}
            and _overlap(other.valid, agreement.valid)
        ):
            raise AgreementTaken(
                f"agreement {other.id} covers {', '.join(sorted(both))} for the same system and municipality",
                remedy="terminate that one first, or leave the service out of this one",
                rule="agreement.one_live_per_service",
            )


def _overlap(one: Window, other: Window) -> bool:
    return (one.end is None or other.start < one.end) and (other.end is None or one.start < other.end)
