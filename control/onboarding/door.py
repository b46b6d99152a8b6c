from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cryptography import x509
from sqlalchemy import Connection

from control.actors import HOUSE, Role, Verb
from control.certificates import fingerprint_of
from control.errors import CertificateRefused, OrganisationInvalid, Unregistered
from control.notices import tell
from control.onboarding.flood import ensure_room
from control.onboarding.values import Application, Applied
from control.organisations import (
    Organisation,
    OrganisationKind,
    OrganisationState,
    OrganisationStep,
    add_organisation,
    change_organisation,
    load_organisations,
    next_standing,
)
from control.people import User, UserId, ensure_email
from control.people.certificate import read_employee
from control.people.door import window_of
from control.people.store import add_user, bind
from control.texts import ensure_text
from control.trust import Trust
from kernel import OrganisationId, new_id

if TYPE_CHECKING:
    from control.store import ControlStore

CONFIRMED_BY_RULE: Final = "rule: in the test environment an application is confirmed at once"
_FIRST: Final = {
    OrganisationKind.SUPPLIER: frozenset({Role.ADMINISTRATOR, Role.USER}),
    OrganisationKind.MUNICIPALITY: frozenset({Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER}),
}
"""Roles of the first user, who can give them to others."""
_VERBS: Final = {
    OrganisationStep.CONFIRM: Verb.ORGANISATION_CONFIRM,
    OrganisationStep.REJECT: Verb.ORGANISATION_CONFIRM,
    OrganisationStep.SUSPEND: Verb.ORGANISATION_SUSPEND,
    OrganisationStep.RESUME: Verb.ORGANISATION_SUSPEND,
}


class Onboarding:
    """How organisations come in, and their standing afterwards."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def apply(self, application: Application, *, trust: Trust) -> Applied:
        """Ask to take part; anybody may. In the test environment the answer is yes, at once.

        trust   the authorities whose employee certificates are taken

        Raises OrganisationInvalid, UserInvalid, CertificateRefused; in production also without a certificate;
        RateLimited.
        """
        store = self._store
        if application.kind not in _FIRST:
            raise OrganisationInvalid(
                "an operator does not apply",
                remedy="apply as a supplier or as a municipality",
                rule="organisation.kind",
            )
        ensure_email(application.email)
        now = store.clock.now()
        organisation = Organisation(
            id=OrganisationId(new_id()), kind=application.kind, cvr=application.cvr, name=application.name, created=now,
            state=OrganisationState.APPLIED, email=application.email,
        )  # fmt: skip
        user = User(
            id=UserId(new_id()), organisation=organisation.id, name=application.user_name,
            email=application.user_email, roles=_FIRST[application.kind], created=now,
        )  # fmt: skip
        certificate = self._proof(application, trust)
        details = {"cvr": organisation.cvr, "name": organisation.name, "kind": organisation.kind.value}
        with store.changing(Verb.ORGANISATION_APPLY, f"organisation {organisation.id}", details=details) as db:
            if not store.actor.house:
                ensure_room(db, store.actor.address, now)
            add_organisation(db, organisation)
            add_user(db, user)
            if certificate is not None:
                bind(db, user.id, fingerprint_of(certificate), window_of(certificate), now)
            self._tell_operators(db, organisation)
        if store.environment == "test":
            organisation = self._by_rule(organisation.id)
        return Applied(organisation, user)

    def step(self, organisation: OrganisationId, step: OrganisationStep, *, note: str = "") -> Organisation:
        """Confirm, reject, suspend or resume. Raises Unregistered, OrganisationInvalid, NotYours."""
        store = self._store
        ensure_text(note or "-", "the note", OrganisationInvalid)
        details = {"step": step.value, "note": note}
        with store.changing(_VERBS[step], f"organisation {organisation}", details=details) as db:
            return self._take(db, organisation, step, note)

    def change(
        self, organisation: OrganisationId, *, name: str | None = None, email: str | None = None
    ) -> Organisation:
        """Raises OrganisationInvalid, UserInvalid, Unregistered, NotYours."""
        store = self._store
        told = {"name": name, "email": email}
        details = {field: value for field, value in told.items() if value is not None}
        if email is not None:
            ensure_email(email)
        about = f"organisation {organisation}"
        with store.changing(Verb.ORGANISATION_CHANGE, about, organisation, details=details) as db:
            found = _found(db, organisation)
            changed = replace(
                found, name=found.name if name is None else name, email=found.email if email is None else email
            )
            change_organisation(db, changed)
            return changed

    def set_code(self, organisation: OrganisationId, code: str) -> Organisation:
        """Record a municipality's code, for agreements on its own rows; the operator does, since a municipality must
        not choose whose rows are its own. Agreements that are written down keep the code that stands in them.

        Raises OrganisationInvalid, Unregistered, NotYours.
        """
        details = {"step": "code", "code": code}
        with self._store.changing(Verb.ORGANISATION_CONFIRM, f"organisation {organisation}", details=details) as db:
            changed = replace(_found(db, organisation), code=code)
            change_organisation(db, changed)
            return changed

    def _proof(self, application: Application, trust: Trust) -> x509.Certificate | None:
        """That whoever applies works there. In production nobody can apply in another organisation's name."""
        store = self._store
        if application.certificate is not None:
            return read_employee(application.certificate, cvr=application.cvr, trust=trust, at=store.clock.now())
        if store.environment == "production":
            raise CertificateRefused(
                "the application comes without an employee's certificate",
                remedy="apply with an OCES employee certificate of the organisation",
                rule="organisation.proof",
            )
        return None

    def _by_rule(self, organisation: OrganisationId) -> Organisation:
        keeping = self._store.acting(HOUSE)
        details = {"step": OrganisationStep.CONFIRM.value, "note": CONFIRMED_BY_RULE}
        with keeping.changing(Verb.ORGANISATION_CONFIRM, f"organisation {organisation}", details=details) as db:
            return self._take(db, organisation, OrganisationStep.CONFIRM, CONFIRMED_BY_RULE)

    def _take(self, db: Connection, organisation: OrganisationId, step: OrganisationStep, note: str) -> Organisation:
        found = _found(db, organisation)
        changed = replace(found, state=next_standing(found.state, step))
        change_organisation(db, changed)
        tell(
            db,
            to=organisation,
            roles=frozenset({Role.ADMINISTRATOR}),
            subject=f"{found.name} is {changed.state.value}",
            text=f"The operator took the step {step.value}." + (f"\n{note}" if note else ""),
            about=f"organisation {organisation}",
            at=self._store.clock.now(),
        )
        return changed

    def _tell_operators(self, db: Connection, organisation: Organisation) -> None:
        for each in load_organisations(db).values():
            if each.kind is OrganisationKind.OPERATOR:
                tell(
                    db,
                    to=each.id,
                    roles=frozenset({Role.OPERATOR}),
                    subject=f"{organisation.name} (CVR {organisation.cvr}) applies as a {organisation.kind.value}",
                    text=f"Confirm or reject it: knudepunkt org confirm {organisation.cvr}",
                    about=f"organisation {organisation.id}",
                    at=self._store.clock.now(),
                )


def _found(db: Connection, organisation: OrganisationId) -> Organisation:
    found = load_organisations(db).get(organisation)
    if found is None:
        raise Unregistered("no such organisation", remedy="`knudepunkt org list` shows those that are there")
    return found
