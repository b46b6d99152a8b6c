from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from control.actors import Role, Verb
from control.agreements.letters import tell_of_step
from control.agreements.lifecycle import State, Step
from control.agreements.store import load_agreements, take_step
from control.delegations.store import add_delegation, find_delegation, load_delegations, mark_withdrawn
from control.delegations.values import Delegation
from control.errors import DelegationInvalid, NotYours, Unregistered
from control.notices import tell
from control.organisations import OrganisationKind, load_organisations
from kernel import OrganisationId, ServiceName, Window, new_id

if TYPE_CHECKING:
    from control.store import ControlStore

SUSPENDED_BY_RULE = "rule: the delegation under which it was approved was withdrawn"


class Delegations:
    """Given and withdrawn by the municipality's data controller. Under one, the supplier's administrators approve,
    reject and suspend agreements about its services in the municipality's name; only the municipality resumes.

    One that runs out lets nothing new be decided, and what was decided under it stands. One that is withdrawn takes
    that along: agreements approved under it are suspended, for the municipality to resume or terminate.
    """

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def give(
        self, municipality: OrganisationId, supplier: OrganisationId, services: Collection[ServiceName], valid: Window
    ) -> Delegation:
        """Raises DelegationInvalid, Unregistered, NotYours."""
        store, made = self._store, new_id()
        delegation = Delegation(
            id=made, municipality=municipality, supplier=supplier, services=frozenset(services), valid=valid,
            given_by=store.actor.name,
        )  # fmt: skip
        details = {"step": "give", "supplier": supplier, "services": " ".join(sorted(services))}
        with store.changing(Verb.DELEGATION_CHANGE, f"delegation {made}", municipality, details=details) as db:
            found = load_organisations(db)
            if municipality not in found or found[municipality].kind is not OrganisationKind.MUNICIPALITY:
                raise Unregistered("no such municipality", remedy="a delegation is a municipality's")
            if supplier not in found:
                raise Unregistered("no such organisation", remedy="register it first")
            add_delegation(db, delegation)
            self._tell(db, delegation, f"{found[municipality].name} lets you decide for it on agreements")
        return delegation

    def withdraw(self, delegation: str, *, note: str = "") -> Delegation:
        """Suspends what was approved under it. Raises DelegationInvalid, Unregistered, NotYours."""
        store, found = self._store, self.find(delegation)
        details = {"step": "withdraw", "note": note}
        about = f"delegation {delegation}"
        with store.changing(Verb.DELEGATION_CHANGE, about, found.municipality, details=details) as db:
            found, at = find_delegation(db, delegation), store.clock.now()
            if found.withdrawn is not None:
                raise DelegationInvalid("the delegation was withdrawn before", remedy="nothing is left to do")
            mark_withdrawn(db, delegation, at)
            for each in load_agreements(db):
                if each.delegation == delegation and each.state_at(at) is State.APPROVED:
                    done = take_step(db, each.id, Step.SUSPEND, by=SUSPENDED_BY_RULE, at=at, note="")
                    tell_of_step(db, done, Step.SUSPEND, at)
            municipality = load_organisations(db)[found.municipality].name
            self._tell(db, found, f"{municipality} no longer lets you decide for it on agreements")
            return replace(found, withdrawn=at)

    def find(self, delegation: str) -> Delegation:
        """Raises Unregistered, also for one between others."""
        with self._store.reading() as db:
            found = find_delegation(db, delegation)
        if not self._seen(found):
            raise Unregistered("no such delegation", remedy="list the delegations of the municipality")
        return found

    def all(self, organisation: OrganisationId | None = None) -> tuple[Delegation, ...]:
        """Those that the actor may see; of one organisation, on either side, or of all. The withdrawn ones too."""
        with self._store.reading() as db:
            found = load_delegations(db)
        return tuple(
            each for each in found if self._seen(each) and organisation in {None, each.municipality, each.supplier}
        )

    def _seen(self, delegation: Delegation) -> bool:
        try:
            self._store.ensure_may(Verb.AGREEMENT_SEE, delegation.municipality, delegation.supplier)
        except NotYours:
            return False
        return True

    def _tell(self, db: Connection, delegation: Delegation, subject: str) -> None:
        tell(
            db,
            to=delegation.supplier,
            roles=frozenset({Role.ADMINISTRATOR}),
            subject=subject,
            text=f"Delegation: {delegation.id}\nServices: {', '.join(sorted(delegation.services))}",
            about=f"delegation {delegation.id}",
            at=self._store.clock.now(),
        )
