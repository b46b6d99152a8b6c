from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from control.actors import Role, Verb
from control.agreements.deed import Deed, Party
from control.agreements.letters import tell_of_step
from control.agreements.lifecycle import State, Step, steps_from
from control.agreements.rules import IN_PLACE, end_of_replaced, ensure_follows
from control.agreements.settling import settle
from control.agreements.store import (
    add_agreement,
    end_by_replacement,
    find_agreement,
    found_agreement,
    load_agreements,
    load_deed,
    load_steps,
    take_step,
)
from control.agreements.terms import Terms
from control.agreements.values import Agreement, AgreementStep
from control.errors import NotYours, Unregistered
from control.organisations import Organisation, OrganisationKind, load_organisations
from control.systems import ensure_in_use, load_systems
from kernel import COPENHAGEN, AgreementId, OrganisationId, ServiceName, SystemId, Window, new_id
from schemas import Registers

if TYPE_CHECKING:
    from control.store import ControlStore

APPROVED_BY_RULE: Final = "rule: in the test environment a request is approved at once"

_SUPPLIERS: Final = frozenset({Step.REQUEST, Step.WITHDRAW})
_VERBS: Final = {
    Step.REQUEST: Verb.AGREEMENT_REQUEST,
    Step.WITHDRAW: Verb.AGREEMENT_REQUEST,
    Step.APPROVE: Verb.AGREEMENT_DECIDE,
    Step.REJECT: Verb.AGREEMENT_DECIDE,
    Step.RESUME: Verb.AGREEMENT_DECIDE,
    Step.SUSPEND: Verb.AGREEMENT_STOP,
    Step.TERMINATE: Verb.AGREEMENT_TERMINATE,
}


class Agreements:
    """Service agreements: requested by the system's owner, decided on by the municipality. Changes are the actor's
    that the store acts for; each stands in the agreement's history and in the audit trail, and the other party is told.

    registers   what services offer, to check requests against; None where that is not known (tests, tools)

    Who may: the supplier's user drafts, requests, withdraws, renews and leaves; the municipality's data controller
    approves, rejects, suspends, resumes and terminates; the operator may suspend. In the test environment a request is
    approved at once.
    """

    def __init__(self, store: "ControlStore", registers: Registers | None) -> None:
        self._store, self._registers = store, registers

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
        found = self.find(agreement)
        verb, whose = self._right(found, step)
        details = {"step": step.value, "note": note}
        with self._store.changing(verb, f"agreement {agreement}", whose, details=details) as db:
            if step is Step.REQUEST:
                return self._sent(db, agreement, note)
            return self._taken(db, agreement, step, self._store.actor.name, note)

    def steps(self, agreement: AgreementId) -> tuple[Step, ...]:
        """What the actor could do with it now. Raises Unregistered."""
        found = self.find(agreement)
        return tuple(each for each in steps_from(found.state_at(self._now)) if self._may(found, each))

    def find(self, agreement: AgreementId) -> Agreement:
        """Raises Unregistered, also for one between others: an id must not be a key to find out."""
        with self._store.reading() as db:
            found = find_agreement(db, agreement)
            seen = found is not None and self._seen(found, load_systems(db)[found.system].organisation)
        if found is None or not seen:
            raise Unregistered("no such agreement", remedy="check the agreement's id")
        return found

    def history(self, agreement: AgreementId) -> tuple[AgreementStep, ...]:
        """Every step since it was drafted, in order. Raises Unregistered."""
        self.find(agreement)
        with self._store.reading() as db:
            return load_steps(db, agreement)

    def deed(self, agreement: AgreementId) -> tuple[str, Deed | None]:
        """What was written down, as canonical JSON and as a value; None for one of the first release.

        Raises Unregistered, and AgreementInvalid when the database no longer holds what was written.
        """
        self.find(agreement)
        with self._store.reading() as db:
            return load_deed(db, agreement)

    def all(
        self,
        organisation: OrganisationId | None = None,
        *,
        supplier: OrganisationId | None = None,
        municipality: OrganisationId | None = None,
        system: SystemId | None = None,
        service: ServiceName | None = None,
        states: Collection[State] = (),
        ends_before: datetime | None = None,
    ) -> tuple[Agreement, ...]:
        """Those that the actor may see, in the order in which they were made.

        organisation   a party on either side; supplier, municipality: a party on that side
        states         as they are now (EXPIRED too); empty for all
        ends_before    in force or suspended now, and over before that time
        """
        now = self._now
        with self._store.reading() as db:
            owners = {each.id: each.organisation for each in load_systems(db).values()}
            found = load_agreements(db, system)
        return tuple(
            each
            for each in found
            if self._seen(each, owners[each.system])
            and organisation in {None, each.municipality, owners[each.system]}
            and supplier in {None, owners[each.system]}
            and municipality in {None, each.municipality}
            and (service is None or service in each.terms.services)
            and (not states or each.state_at(now) in states)
            and (ends_before is None or _ends(each, now, ends_before))
        )

    @property
    def _now(self) -> datetime:
        return self._store.clock.now()

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
            done = self._taken(db, agreement, Step.APPROVE, APPROVED_BY_RULE, "")
        return done

    def _taken(self, db: Connection, agreement: AgreementId, step: Step, by: str, note: str) -> Agreement:
        at, before = self._now, found_agreement(db, agreement)
        if step is Step.APPROVE and before.replaces is not None and before.state is State.REQUESTED:
            self._end_replaced(db, before, by)
        done = take_step(db, agreement, step, by=by, at=at, note=note)
        tell_of_step(db, done, step, at, by_rule=by == APPROVED_BY_RULE)
        return done

    def _end_replaced(self, db: Connection, successor: Agreement, by: str) -> None:
        at = self._now
        old = None if successor.replaces is None else find_agreement(db, successor.replaces)
        # One that is over by now needs no end.
        if old is not None and old.state_at(at) in IN_PLACE:
            end_by_replacement(db, old.id, end=end_of_replaced(old, successor, at), by=by, at=at)

    def _right(self, agreement: Agreement, step: Step) -> tuple[Verb, OrganisationId]:
        """In what capacity the actor would take a step, and in whose name."""
        actor, supplier = self._store.actor, self._store.owner_of(agreement.system).id
        if step in _SUPPLIERS:
            return _VERBS[step], supplier
        if step not in _VERBS:
            return Verb.HOUSE_KEEP, agreement.municipality
        decides = actor.organisation == agreement.municipality and Role.DATA_CONTROLLER in actor.roles
        if step is Step.TERMINATE and not actor.house and not decides:
            return Verb.AGREEMENT_LEAVE, supplier
        return _VERBS[step], agreement.municipality

    def _may(self, agreement: Agreement, step: Step) -> bool:
        verb, whose = self._right(agreement, step)
        try:
            self._store.ensure_may(verb, whose)
        except NotYours:
            return False
        return True

    def _seen(self, agreement: Agreement, supplier: OrganisationId) -> bool:
        # A draft is its author's until it is sent.
        parties = {supplier} if agreement.state is State.DRAFT else {supplier, agreement.municipality}
        try:
            self._store.ensure_may(Verb.AGREEMENT_SEE, *parties)
        except NotYours:
            return False
        return True


def _ends(agreement: Agreement, now: datetime, before: datetime) -> bool:
    end = agreement.valid.end
    return end is not None and end < before and agreement.state_at(now) in IN_PLACE


def _municipality(db: Connection, municipality: OrganisationId) -> Organisation:
    found = load_organisations(db).get(municipality)
    if found is None or found.kind is not OrganisationKind.MUNICIPALITY:
        raise Unregistered("no such municipality", remedy="an agreement is made with a municipality")
    return found
