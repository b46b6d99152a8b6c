"""Who asks, for which agreement, and which tables that has."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.doors import Doors
from api.offer import CALLABLE
from api.request import Request
from api.sharing.desk import SharingDesk, no_file
from api.sharing.errors import SharingTokenMissing, SharingUnknown
from api.visit import today_of
from control import Allowance, SharingToken, purpose_of, token_hash
from control.errors import SharingTokenUnknown
from kernel import Caller, Grant, ServiceName
from schemas import Dataset, Service, ServiceType


@dataclass(frozen=True, slots=True)
class SharedTable:
    service: Service
    dataset: Dataset
    grant: Grant

    def named(self, share: str) -> dict[str, Any]:
        return {
            "name": self.service.name,
            "schema": self.dataset.register,
            "share": share,
            "shareId": share,
            "id": self.service.uuid,
        }


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever holds a token. A token is worth no more than its system's own certificates: without a valid one left,
    it opens nothing.

    at   when it is judged what they may
    """

    doors: Doors
    request: Request
    token: SharingToken
    caller: Caller
    at: datetime

    @property
    def share(self) -> str:
        return self.token.agreement

    def tables(self) -> list[SharedTable]:
        found = []
        for grant in self.doors.policy().grants_of(self.token.system, self.at):
            table = self._table(grant) if grant.agreement == self.token.agreement else None
            if table is not None:
                found.append(table)
        return found

    def table(self, share: str, schema: str, name: str) -> SharedTable:
        """By names whose capitals do not matter, as the protocol wants it. Raises SharingUnknown."""
        if share.lower() == self.share:
            for each in self.tables():
                if each.service.name == name.lower() and each.dataset.register == schema.lower():
                    return each
        raise SharingUnknown(
            "the token's agreement has no such table, or is not in force",
            remedy="list what there is: GET /sharing/shares and below",
            rule="agreement.service",
        )

    def admit(self, table: SharedTable) -> Allowance:
        """Count a query against the agreement's limits. Raises RateLimited, QuotaExhausted, PurposeUnclear."""
        grant = table.grant
        return self.doors.counters.admit(grant, purpose_of(grant, None), self.request.received)

    def ensure_left(self, table: SharedTable) -> None:
        """Count nothing, and tell who has used up the agreement's limits: the query that would come next is refused.
        Raises RateLimited, QuotaExhausted, PurposeUnclear.
        """
        grant = table.grant
        refusal = self.doors.counters.refusal(grant, purpose_of(grant, None), self.request.received)
        if refusal is not None:
            raise refusal

    def _table(self, grant: Grant) -> SharedTable | None:
        service = next((each for each in self.doors.registers.services if each.name == grant.service), None)
        if service is None or service.dataset is None or service.service_type is not ServiceType.EXTRACT:
            return None
        if service.status_on(today_of(self.request)) not in CALLABLE[self.doors.environment]:
            return None
        return SharedTable(service, self.doors.registers.dataset(service.dataset), grant)


def asker(doors: Doors, desk: SharingDesk, request: Request) -> Asker:
    """Raises SharingTokenMissing, SharingTokenUnknown."""
    kind, _, text = (request.once("Authorization") or "").partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise SharingTokenMissing(
            "the call shows no token", remedy="send Authorization: Bearer with the token of a sharing profile",
            rule="sharing.token",
        )  # fmt: skip
    return _asker(doors, request, desk.tokens(token_hash(text.strip())))


def asker_again(
    doors: Doors, desk: SharingDesk, request: Request, token: str, service: ServiceName, at: datetime | None = None
) -> SharedTable:
    """The table of a file whose address was given out before, as its agreement stands when the request came in, or at
    a later time. Raises SharingUnknown.
    """
    try:
        found = _asker(doors, request, desk.tokens(token), at)
    except SharingTokenUnknown:
        raise no_file() from None
    table = next((each for each in found.tables() if each.service.name == service), None)
    if table is None:
        raise no_file()
    return table


def _asker(doors: Doors, request: Request, token: SharingToken | None, at: datetime | None = None) -> Asker:
    at, policy = at or request.received, doors.policy()
    # The same words for one that nobody made, that is over, and that was revoked.
    if token is None or not token.live(at) or not policy.has_credential(token.system, at, token.certificate):
        raise SharingTokenUnknown(
            "the token is not known here, is over, was revoked, or its system has no valid certificate",
            remedy="make a new profile: knudepunkt sharing profile",
            rule="sharing.token",
        )
    owner = policy.cvr_of(token.system) or ""
    caller = Caller(system=token.system, name=token.system, organisation_cvr=owner, credential=token.hash)
    return Asker(doors, request, token, caller, at)
