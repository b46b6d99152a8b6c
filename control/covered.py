"""An agreement as far as one service goes, and when it carries calls. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from control.agreements import Agreement, State
from control.organisations import OrganisationState
from kernel import Grant, Window

Stretches = tuple[tuple[datetime, datetime], ...]
"""Stretches of time, half-open; they may overlap. As bare times, since each call looks at one."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Covered:
    """processing   when the municipality has a data-processing agreement in force; None: none is needed here
    standing     the municipality's
    stretches    when it carries calls, as things stand: see `stretches_of`
    """

    agreement: Agreement
    grant: Grant
    processing: tuple[Window, ...] | None
    standing: OrganisationState
    stretches: Stretches

    def live(self, at: datetime) -> bool:
        """Whether it carries calls."""
        # A loop, and no any(...): each call comes by here, and a generator takes longer than what it looks at.
        for start, end in self.stretches:  # noqa: SIM110
            if start <= at < end:
                return True
        return False


def stretches_of(agreement: Agreement, processing: Iterable[Window] | None, standing: OrganisationState) -> Stretches:
    """When an agreement carries calls: while it is in force, in the windows of `processing` where one is needed
    (None: none is), for a municipality in good standing.
    """
    if agreement.state is not State.APPROVED or not agreement.sound or standing is not OrganisationState.CONFIRMED:
        return ()
    start, end = agreement.valid.start, agreement.valid.end or _NEVER
    if processing is None:
        return ((start, end),)
    both = ((max(start, each.start), min(end, each.end or _NEVER)) for each in processing)
    return tuple((start, end) for start, end in both if start < end)
