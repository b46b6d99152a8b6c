"""Delegations: a municipality lets a supplier decide for it on agreements about named services."""

from datetime import datetime

from msgspec import Struct

from api.answer import Answer
from api.rest.admin.agreements import window_of
from api.rest.admin.asked import Asked, Moment
from api.rest.admin.errand import Errand, made, one
from api.rest.admin.pages import page
from control import Delegation, Delegations, Verb
from control.errors import Unregistered
from kernel import ServiceName

BASE = "/v1/admin/delegations"


class NewDelegation(Asked):
    """supplier: CVR number. valid_from: now when left out; valid_to: open when left out."""

    supplier: str
    services: list[str]
    valid_from: Moment | None = None
    valid_to: Moment | None = None


class Withdrawal(Asked):
    note: str = ""


class DelegationView(Struct, frozen=True):
    """withdrawn: since when it counts no more."""

    id: str
    municipality: str
    supplier: str
    services: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime | None
    given_by: str
    withdrawn: datetime | None

    @classmethod
    def of(cls, it: Delegation) -> "DelegationView":
        return cls(
            it.id, it.municipality, it.supplier, tuple(sorted(it.services)), it.valid.start, it.valid.end, it.given_by,
            it.withdrawn,
        )  # fmt: skip


def listed(errand: Errand) -> Answer:
    """Those of one's own organisation, on either side; to operators all of them."""
    found = sorted(Delegations(errand.store).all(), key=lambda each: each.id)
    return page(found, lambda each: each.id, DelegationView.of, errand.request, "delegations")


def give(errand: Errand) -> Answer:
    asked = errand.read(NewDelegation)
    errand.store.ensure_may(Verb.DELEGATION_CHANGE, errand.own)
    supplier = errand.house.find_organisation(asked.supplier)
    if supplier is None:
        raise Unregistered("no organisation with this CVR number takes part here", remedy="check the CVR number")
    window = window_of(asked.valid_from, asked.valid_to, errand.house.clock.now())
    services = [ServiceName(name) for name in asked.services]
    done = Delegations(errand.store).give(errand.own, supplier.id, services, window)
    return made(DelegationView.of(done), f"{BASE}/{done.id}")


def shown(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(_shown(errand))


def withdraw(errand: Errand) -> Answer:
    """What was approved under it is suspended, for the municipality to resume or terminate."""
    asked = errand.read(Withdrawal)
    errand.expect(lambda: _shown(errand), needed=False)
    return one(DelegationView.of(Delegations(errand.store).withdraw(errand.ids["delegation"], note=asked.note)))


def _shown(errand: Errand) -> DelegationView:
    return DelegationView.of(Delegations(errand.store).find(errand.ids["delegation"]))
