from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from sqlalchemy import Connection

from control.actors import Actor, Role, Verb
from control.certificates import fingerprint_of, load_certificates
from control.errors import CertificateRevoked, Unregistered
from control.organisations import Organisation, OrganisationKind, OrganisationState, load_organisations
from control.people.certificate import read_employee
from control.people.rules import ensure_administered, ensure_fitting, ensure_not_raising_oneself
from control.people.store import (
    add_user,
    bind,
    certificates_of,
    end_user,
    find_user,
    load_users,
    revoke_user_certificate,
    set_roles,
    user_of_certificate,
)
from control.people.values import User, UserId
from control.refusals import not_active
from control.systems import load_systems
from control.trust import Trust
from kernel import OrganisationId, Window, new_id

if TYPE_CHECKING:
    from control.store import ControlStore


class People:
    """The users of organisations, and whom a certificate speaks for."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def add(self, organisation: OrganisationId, name: str, email: str, roles: Iterable[Role]) -> User:
        """Raises UserInvalid, Unregistered, NotYours."""
        store = self._store
        user = User(
            id=UserId(new_id()), organisation=organisation, name=name, email=email, roles=frozenset(roles),
            created=store.clock.now(),
        )  # fmt: skip
        details = {"step": "add", "roles": " ".join(sorted(user.roles))}
        with store.changing(Verb.USER_CHANGE, f"user {user.id}", organisation, details=details) as db:
            ensure_fitting(user.roles, _organisation(db, organisation).kind)
            add_user(db, user)
        return user

    def change_roles(self, user: UserId, roles: Iterable[Role]) -> User:
        """Raises UserInvalid, Unregistered, NotYours."""
        store, wanted = self._store, frozenset(roles)
        found = self._found(user)
        details = {"step": "roles", "roles": " ".join(sorted(wanted))}
        with store.changing(Verb.USER_CHANGE, f"user {user}", found.organisation, details=details) as db:
            found = find_user(db, user)
            ensure_fitting(wanted, _organisation(db, found.organisation).kind)
            ensure_not_raising_oneself(store.actor, found, wanted)
            ensure_administered(load_users(db, found.organisation), found, wanted)
            set_roles(db, user, replace(found, roles=wanted).roles)
            return find_user(db, user)

    def end(self, user: UserId) -> User:
        """From now on the user may do nothing. Raises UserInvalid, Unregistered, NotYours."""
        found = self._found(user)
        details = {"step": "end"}
        with self._store.changing(Verb.USER_CHANGE, f"user {user}", found.organisation, details=details) as db:
            found = find_user(db, user)
            ensure_administered(load_users(db, found.organisation), found, frozenset())
            end_user(db, user, self._store.clock.now())
            return find_user(db, user)

    def bind_certificate(self, user: UserId, content: bytes, *, trust: Trust) -> str:
        """Let an employee's certificate speak for a user; gives its fingerprint.

        content   PEM or DER

        Raises CertificateRefused, CertificateRevoked, Unregistered, NotYours.
        """
        at, found = self._store.clock.now(), self._found(user)
        with self._store.reading() as db:
            cvr = _organisation(db, found.organisation).cvr
        certificate = read_employee(content, cvr=cvr, trust=trust, at=at)
        fingerprint = fingerprint_of(certificate)
        details = {"step": "bind", "certificate": fingerprint}
        with self._store.changing(Verb.USER_CHANGE, f"user {user}", found.organisation, details=details) as db:
            bind(db, user, fingerprint, window_of(certificate), at)
        return fingerprint

    def revoke_certificate(self, fingerprint: str) -> None:
        """Raises Unregistered, NotYours."""
        with self._store.reading() as db:
            found = user_of_certificate(db, fingerprint)
        if found is None:
            raise Unregistered("no such certificate is bound to a user", remedy="give the SHA-256 fingerprint in hex")
        details = {"step": "revoke", "certificate": fingerprint}
        with self._store.changing(Verb.USER_CHANGE, f"user {found.id}", found.organisation, details=details) as db:
            revoke_user_certificate(db, fingerprint, self._store.clock.now())

    def users(self, organisation: OrganisationId) -> tuple[User, ...]:
        """Raises NotYours for those of another organisation."""
        self._store.ensure_may(Verb.ORGANISATION_SEE, organisation)
        with self._store.reading() as db:
            return load_users(db, organisation)

    def user(self, user: UserId) -> User:
        """Raises Unregistered, NotYours."""
        found = self._found(user)
        self._store.ensure_may(Verb.ORGANISATION_SEE, found.organisation)
        return found

    def certificates(self, user: UserId) -> tuple[str, ...]:
        """Fingerprints of the certificates that speak for a user. Raises Unregistered, NotYours."""
        self.user(user)
        with self._store.reading() as db:
            return certificates_of(db, user)

    def actor_named(self, email: str, address: str) -> Actor:
        """Somebody who acts in their own name on the machine itself. Raises Unregistered."""
        with self._store.reading() as db:
            organisations = load_organisations(db)
            found = [each for each in load_users(db) if each.email == email and each.ended is None]
        if len(found) != 1:
            raise Unregistered(
                "no user has this e-mail address" if not found else "users of several organisations have this address",
                remedy="`knudepunkt user list` shows them",
            )
        return _actor(found[0], organisations[found[0].organisation], address)

    def speaker(self, fingerprint: str, at: datetime, address: str) -> Actor | None:
        """The user whom a certificate speaks for; None when it was never one of a user's.

        Raises CertificateRevoked for one that speaks for nobody any more, OrganisationNotActive.
        """
        with self._store.reading() as db:
            user = user_of_certificate(db, fingerprint)
            if user is None:
                return None
            owner = load_organisations(db)[user.organisation]
            good = user_of_certificate(db, fingerprint, at) is not None
        if not good:
            raise CertificateRevoked(
                "the certificate speaks for no user any more",
                remedy="have an administrator of the organisation bind a new one to you",
                rule="user.certificate",
                owner=f"organisation {owner.cvr}",
            )
        if owner.state is not OrganisationState.CONFIRMED:
            raise not_active(owner.cvr, owner.state)
        return _actor(user, owner, address)

    def actor_of_certificate(self, fingerprint: str, at: datetime, address: str) -> Actor | None:
        """Whom a certificate speaks for: a user by an employee's certificate, the operator by one of its systems'.

        None for everybody else: an ended user, an ended certificate, an organisation that is not in good standing.
        """
        with self._store.reading() as db:
            organisations = load_organisations(db)
            user = user_of_certificate(db, fingerprint, at)
            if user is not None:
                owner = organisations[user.organisation]
                return _actor(user, owner, address) if owner.state is OrganisationState.CONFIRMED else None
            return _operators_system(db, organisations, fingerprint, at, address)

    def _found(self, user: UserId) -> User:
        with self._store.reading() as db:
            return find_user(db, user)


def window_of(certificate: x509.Certificate) -> Window:
    return Window(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _actor(user: User, owner: Organisation, address: str) -> Actor:
    return Actor(
        name=f"{user.name} (CVR {owner.cvr})",
        roles=user.roles,
        organisation=user.organisation,
        address=address,
        user=user.id,
    )


def _operators_system(
    db: Connection, organisations: dict[OrganisationId, Organisation], fingerprint: str, at: datetime, address: str
) -> Actor | None:
    systems = load_systems(db)
    for each in load_certificates(db):
        good = each.fingerprint == fingerprint and each.valid_from <= at and not each.spent(at)
        if good and (owner := organisations[systems[each.system].organisation]).kind is OrganisationKind.OPERATOR:
            if owner.state is not OrganisationState.CONFIRMED:
                return None
            name = f"the system {systems[each.system].name} (CVR {owner.cvr})"
            return Actor(name=name, roles=frozenset({Role.OPERATOR}), organisation=owner.id, address=address)
    return None


def _organisation(db: Connection, organisation: OrganisationId) -> Organisation:
    found = load_organisations(db).get(organisation)
    if found is None:
        raise Unregistered("no such organisation", remedy="`knudepunkt org list` shows those that are there")
    return found
