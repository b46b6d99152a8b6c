"""Which of many agreements somebody asks for. Pure."""

from dataclasses import dataclass
from datetime import datetime

from control.agreements.lifecycle import State
from control.agreements.rules import IN_PLACE
from control.agreements.values import Agreement
from kernel import OrganisationId, ServiceName


@dataclass(frozen=True, slots=True)
class Filter:
    """organisation   a party on either side; supplier, municipality: a party on that side
    states         as they are now (EXPIRED too); empty for all
    ends_before    in force or suspended now, and over before that time
    """

    organisation: OrganisationId | None = None
    supplier: OrganisationId | None = None
    municipality: OrganisationId | None = None
    service: ServiceName | None = None
    states: frozenset[State] = frozenset()
    ends_before: datetime | None = None

    def fits(self, agreement: Agreement, supplier: OrganisationId, now: datetime) -> bool:
        """supplier   whose the agreement's system is"""
        return (
            self.organisation in {None, agreement.municipality, supplier}
            and self.supplier in {None, supplier}
            and self.municipality in {None, agreement.municipality}
            and (self.service is None or self.service in agreement.terms.services)
            and (not self.states or agreement.state_at(now) in self.states)
            and (self.ends_before is None or _ends(agreement, now, self.ends_before))
        )


def _ends(agreement: Agreement, now: datetime, before: datetime) -> bool:
    end = agreement.valid.end
    return end is not None and end < before and agreement.state_at(now) in IN_PLACE
