from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from control.actors import Verb
from control.agreements.deed import Deed, Party
from control.agreements.letters import tell_of_step
from control.agreements.lifecycle import State, Step, steps_from
from control.agreements.rights import Capacity, capacity, may
from control.agreements.rules import IN_PLACE, end_of_replaced, ensure_follows
from control.agreements.seen import SeenAgreements
from control.agreements.settling import settle
from control.agreements.store import (
    add_agreement,
    end_by_replacement,
    find_agreement,
    found_agreement,
    set_delegation,
    take_step,
)
from control.agreements.terms import Terms
from control.agreements.values import Agreement
from control.delegations.store import live_delegation
from control.delegations.values import Delegation
from control.errors import NotYours, Unregistered
from control.organisations import Organisation, OrganisationKind, load_organisations
from control.systems import ensure_in_use, found_system
from kernel import COPENHAGEN, AgreementId, OrganisationId, SystemId, Window, new_id
from schemas import Registers

if TYPE_CHECKING:
    from control.store import ControlStore

APPROVED_BY_RULE: Final = "rule: in the test environment a request is approved at once"


class Agreements(SeenAgreements):
    """Service agreements: requested by the system's owner, decided on by the municipality. Changes are the actor's
    that the store acts for; each stands in the agreement's history and in the audit trail, and the other party is told.

    registers   what services offer, to check requests against; None where that is not known (tests, tools)

    Who may: the supplier's user drafts, requests, withdraws, renews and leaves; the municipality's data controller
    approves, rejects, suspends, resumes and terminates; the operator may suspend; under a delegation the administrator
    of another organisation approves, rejects and suspends. In the test environment a request is approved at once.
    """

    def __init__(self, store: "ControlStore", registers: Registers | None) -> None:
        super().__init__(store)
        self._registers = registers

    def draft(
        self,
        municipality: OrganisationId,
        system: SystemId,
        terms: Terms,
        valid: Window,
        *,
        replaces: AgreementId | None = None,
    ) -> Agreement:
        """Write down what a system's owner would like to agree on; nobody is asked yet.

        replaces   the agreement that this one takes over from when it is approved: it ends where this one begins

        Raises AgreementInvalid, Unregistered, SystemInvalid, NotYours.
        """
        return self._written(municipality, system, terms, valid, replaces, lambda _, drafted: drafted, "draft", "")

    def request(
        self,
        municipality: OrganisationId,
        system: SystemId,
        terms: Terms,
        valid: Window,
        *,
        replaces: AgreementId | None = None,
        note: str = "",
    ) -> Agreement:
        """Draft and send in one. Raises as `draft` and `send`."""

        def send(db: Connection, drafted: Agreement) -> Agreement:
            return self._sent(db, drafted.id, note)

        return self._written(municipality, system, terms, valid, replaces, send, Step.REQUEST.value, note)

    def renew(self, agreement: AgreementId, valid: Window, *, terms: Terms | None = None, note: str = "") -> Agreement:
        """Request a new agreement in the place of one, without a gap; its terms, unless others are given.

        Raises as `request`.
        """
        old = self.find(agreement)
        return self.request(old.municipality, old.system, terms or old.terms, valid, replaces=agreement, note=note)

    def send(self, agreement: AgreementId, *, note: str = "") -> Agreement:
        """Send a draft to the municipality. Raises IllegalStep, AgreementTaken, Unregistered, NotYours."""
        return self.step(agreement, Step.REQUEST, note=note)

    def withdraw(self, agreement: AgreementId, *, note: str = "") -> Agreement:
        """Take a draft or a request back. Raises IllegalStep, Unregistered, NotYours."""
        return self.step(agreement, Step.WITHDRAW, note=note)

    def approve(self, agreement: AgreementId, *, note: str = "") -> Agreement:
        """Raises IllegalStep, AgreementTaken, Unregistered, NotYours."""
        return self.step(agreement, Step.APPROVE, note=note)

    def reject(self, agreement: AgreementId, *, note: str = "") -> Agreement:
        """Raises IllegalStep, Unregistered, NotYours."""
        return self.step(agreement, Step.REJECT, note=note)

    def suspend(self, agreement: AgreementId, *, note: str = "") -> Agreement:
        """No call gets through any more, within a second. Raises IllegalStep, Unregistered, NotYours."""
        return self.step(agreement, Step.SUSPEND, note=note)

    def resume(self, agreement: AgreementId, *, note: str = "") -> Agreement:
        """Raises IllegalStep, Unregistered, NotYours."""
        return self.step(agreement, Step.RESUME, note=note)

    def terminate(self, agreement: AgreementId, *, note: str = "") -> Agreement:
        """End it for ever; either party may. Raises IllegalStep, Unregistered, NotYours."""
        return self.step(agreement, Step.TERMINATE, note=note)

    def step(self, agreement: AgreementId, step: Step, *, note: str = "") -> Agreement:
        """Any of the steps above by its name. Raises IllegalStep, AgreementTaken, Unregistered, NotYours."""
        store, found = self._store, self.find(agreement)
        with store.reading() as db:
            how = self._capacity(db, found, step)
        details = {"step": step.value, "note": note}
        with store.changing(how.verb, f"agreement {agreement}", how.whose, details=details) as db:
            if step is Step.REQUEST:
                return self._sent(db, agreement, note)
            if not how.delegated:
                return self._taken(db, agreement, step, store.actor.name, note)
            return self._decided_for(db, found, step, note)

    def steps(self, agreement: AgreementId) -> tuple[Step, ...]:
        """What the actor could do with it now. Raises Unregistered."""
        found = self.find(agreement)
        with self._store.reading() as db:
            possible = [(each, self._capacity(db, found, each)) for each in steps_from(found.state_at(self._now))]
        return tuple(step for step, how in possible if may(self._store.actor, how.verb, how.whose))

    def _written(
        self,
        municipality: OrganisationId,
        system: SystemId,
        terms: Terms,
        valid: Window,
        replaces: AgreementId | None,
        then: Callable[[Connection, Agreement], Agreement],
        step: str,
        note: str,
    ) -> Agreement:
        store, made = self._store, AgreementId(new_id())
        owner = store.owner_of(system)
        details = {"step": step, "note": note}
        with store.changing(Verb.AGREEMENT_REQUEST, f"agreement {made}", owner.id, details=details) as db:
            whose = _municipality(db, municipality)
            deed = Deed(
                id=made,
                municipality=Party.of(whose),
                supplier=Party.of(owner),
                system=system,
                system_name=ensure_in_use(db, system).name,
                terms=settle(
                    terms, registers=self._registers, code=whose.code, today=self._now.astimezone(COPENHAGEN).date()
                ),
                valid=valid,
                replaces=replaces,
            )
            drafted = add_agreement(db, deed, by=store.actor.name, at=self._now)
            if replaces is not None:
                ensure_follows(drafted, found_agreement(db, replaces), self._now)
            return then(db, drafted)

    def _sent(self, db: Connection, agreement: AgreementId, note: str) -> Agreement:
        done = self._taken(db, agreement, Step.REQUEST, self._store.actor.name, note)
        if self._store.environment == "test":
            done = self._taken(db, agreement, Step.APPROVE, APPROVED_BY_RULE, "", instead="The test environment")
        return done

    def _decided_for(self, db: Connection, agreement: Agreement, step: Step, note: str) -> Agreement:
        """A decision in the municipality's name, under a delegation that is live in this very transaction."""
        delegation, actor = self._delegation(db, agreement), self._store.actor
        if delegation is None:
            raise NotYours(
                "the delegation under which you would decide was withdrawn",
                remedy="the municipality decides",
                rule="delegation.live",
            )
        name = load_organisations(db)[delegation.supplier].name
        done = self._taken(db, agreement.id, step, actor.name, note, instead=name)
        if step is Step.APPROVE:
            set_delegation(db, agreement.id, delegation.id)
            done = replace(done, delegation=delegation.id)
        return done

    def _taken(
        self, db: Connection, agreement: AgreementId, step: Step, by: str, note: str, *, instead: str | None = None
    ) -> Agreement:
        at, before = self._now, found_agreement(db, agreement)
        if step is Step.APPROVE and before.replaces is not None and before.state is State.REQUESTED:
            self._end_replaced(db, before, by, at)
        done = take_step(db, agreement, step, by=by, at=at, note=note)
        if step is Step.RESUME and done.delegation is not None:
            # From now on it rests on the municipality's own decision.
            set_delegation(db, agreement, None)
            done = replace(done, delegation=None)
        tell_of_step(db, done, step, at, instead=instead)
        return done

    def _end_replaced(self, db: Connection, successor: Agreement, by: str, at: datetime) -> None:
        """at   the very moment of the approval: a later one would leave the two in force at once"""
        old = None if successor.replaces is None else find_agreement(db, successor.replaces)
        # One that is over by now needs no end.
        if old is not None and old.state_at(at) in IN_PLACE:
            end_by_replacement(db, old.id, end=end_of_replaced(old, successor, at), by=by, at=at)

    def _capacity(self, db: Connection, agreement: Agreement, step: Step) -> Capacity:
        """In what capacity the actor would take a step."""
        supplier = found_system(db, agreement.system).organisation
        delegate = self._delegation(db, agreement) is not None
        return capacity(self._store.actor, agreement, supplier, step, delegate=delegate)

    def _delegation(self, db: Connection, agreement: Agreement) -> Delegation | None:
        """The one under which the actor's organisation may decide on an agreement; and on the one that it replaces."""
        services = set(agreement.terms.services)
        if agreement.replaces is not None:
            services |= found_agreement(db, agreement.replaces).terms.services.keys()
        actor = self._store.actor
        return live_delegation(
            db, municipality=agreement.municipality, supplier=actor.organisation, services=services, at=self._now
        )


def _municipality(db: Connection, municipality: OrganisationId) -> Organisation:
    found = load_organisations(db).get(municipality)
    if found is None or found.kind is not OrganisationKind.MUNICIPALITY:
        raise Unregistered("no such municipality", remedy="an agreement is made with a municipality")
    return found
