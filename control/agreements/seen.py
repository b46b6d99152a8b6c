"""Agreements as somebody sees them: those of its own organisation, those that it decides on, or all."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from control.actors import Role
from control.agreements.deed import Deed
from control.agreements.filtering import Filter
from control.agreements.lifecycle import State
from control.agreements.rights import sees
from control.agreements.store import find_agreement, load_agreements, load_deed, load_steps
from control.agreements.values import Agreement, AgreementStep
from control.delegations.store import load_delegations
from control.delegations.values import Delegation
from control.errors import Unregistered
from control.systems import found_system, load_systems
from kernel import AgreementId, OrganisationId, ServiceName, SystemId

if TYPE_CHECKING:
    from control.store import ControlStore


class SeenAgreements:
    """What there is, for the actor that the store acts for. One between others is as if it did not exist."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def find(self, agreement: AgreementId) -> Agreement:
        """Raises Unregistered, also for one between others: an id must not be a key to find out."""
        with self._store.reading() as db:
            found = find_agreement(db, agreement)
            seen = found is not None and self._seen(
                found, found_system(db, found.system).organisation, load_delegations(db)
            )
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
        now, wanted = self._now, Filter(organisation, supplier, municipality, service, frozenset(states), ends_before)
        with self._store.reading() as db:
            owners, delegations = (
                {each.id: each.organisation for each in load_systems(db).values()}, load_delegations(db)
            )  # fmt: skip
            found = load_agreements(db, system, parties=self._parties(wanted, delegations))
        return tuple(
            each
            for each in found
            if wanted.fits(each, owners[each.system], now) and self._seen(each, owners[each.system], delegations)
        )

    @property
    def _now(self) -> datetime:
        return self._store.clock.now()

    def _parties(self, wanted: Filter, delegations: Iterable[Delegation]) -> set[OrganisationId] | None:
        """Among whose agreements to look, so that the database leaves the others out; None for everybody's."""
        asked = {each for each in (wanted.organisation, wanted.supplier, wanted.municipality) if each is not None}
        actor = self._store.actor
        if asked or actor.house or Role.OPERATOR in actor.roles:
            return asked or None
        mine = {each.municipality for each in delegations if each.supplier == actor.organisation}
        return mine | ({actor.organisation} if actor.organisation else set())

    def _seen(self, agreement: Agreement, supplier: OrganisationId, delegations: Iterable[Delegation]) -> bool:
        delegates = {
            each.supplier
            for each in delegations
            if each.municipality == agreement.municipality
            and each.live(self._now)
            and each.covers(agreement.terms.services)
        }
        return sees(self._store.actor, agreement, supplier, delegates)
