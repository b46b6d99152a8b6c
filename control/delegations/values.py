from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from control.errors import DelegationInvalid
from control.texts import ensure_name
from kernel import OrganisationId, ServiceName, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """supplier    who may decide: its administrators
    services    on agreements about these, and no others
    given_by    who gave it, as histories show it
    withdrawn   since when it counts no more; None while it does
    """

    id: str
    municipality: OrganisationId
    supplier: OrganisationId
    services: frozenset[ServiceName]
    valid: Window
    given_by: str
    withdrawn: datetime | None = None

    def __post_init__(self) -> None:
        if not self.services:
            raise DelegationInvalid("the delegation names no service", remedy="name at least one")
        for service in self.services:
            ensure_name(service, "a service's name", DelegationInvalid)
            if len(service.split()) != 1:
                raise DelegationInvalid("a service's name has blanks in it", remedy="see GET /v1/catalogue")
        if self.supplier == self.municipality:
            raise DelegationInvalid(
                "a municipality needs no delegation to itself", remedy="give its users the role data controller"
            )

    def live(self, at: datetime) -> bool:
        return self.withdrawn is None and at in self.valid

    def covers(self, services: Collection[ServiceName]) -> bool:
        """All of them: a decision is about the whole agreement."""
        return self.services.issuperset(services)
