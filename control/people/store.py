from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, insert, select, update

from control.actors import Role
from control.errors import CertificateRefused, Unregistered, UserInvalid
from control.people.values import User, UserId
from control.tables import USER_CERTIFICATES, USERS
from control.times import from_text, from_text_or_none, to_text
from kernel import OrganisationId, Window


def add_user(db: Connection, user: User) -> None:
    """Raises UserInvalid when the organisation has a user with this address."""
    same = (USERS.c.organisation == user.organisation) & (USERS.c.email == user.email)
    if db.execute(select(USERS.c.id).where(same)).first() is not None:
        raise UserInvalid("the organisation has a user with this e-mail address", remedy="change the roles of that one")
    values: dict[str, Any] = {
        "id": user.id, "organisation": user.organisation, "name": user.name, "email": user.email,
        "roles": _joined(user.roles), "created": to_text(user.created),
    }  # fmt: skip
    db.execute(insert(USERS).values(values))


def set_roles(db: Connection, user: UserId, roles: frozenset[Role]) -> None:
    db.execute(update(USERS).where(USERS.c.id == user).values(roles=_joined(roles)))


def end_user(db: Connection, user: UserId, at: datetime) -> None:
    db.execute(update(USERS).where((USERS.c.id == user) & USERS.c.ended.is_(None)).values(ended=to_text(at)))


def find_user(db: Connection, user: UserId) -> User:
    """Raises Unregistered."""
    found = _users(db, select(USERS).where(USERS.c.id == user))
    if not found:
        raise Unregistered("no such user", remedy="list the users of the organisation")
    return found[0]


def load_users(db: Connection, organisation: OrganisationId | None = None) -> tuple[User, ...]:
    query = select(USERS).order_by(USERS.c.created, USERS.c.id)
    return _users(db, query if organisation is None else query.where(USERS.c.organisation == organisation))


def bind(db: Connection, user: UserId, fingerprint: str, valid: Window, at: datetime) -> None:
    """Raises CertificateRefused: one certificate is one person's, for ever."""
    mine = USER_CERTIFICATES.c.fingerprint == fingerprint
    if db.execute(select(USER_CERTIFICATES.c.user).where(mine)).first() is not None:
        raise CertificateRefused(
            "it is or was bound to a user already",
            remedy="a certificate is one person's; issue another",
            rule="certificate.one_user",
        )
    values: dict[str, Any] = {
        "fingerprint": fingerprint, "user": user, "valid_from": to_text(valid.start),
        "valid_to": to_text(valid.end or valid.start), "bound": to_text(at), "revoked": None,
    }  # fmt: skip
    db.execute(insert(USER_CERTIFICATES).values(values))


def revoke_user_certificate(db: Connection, fingerprint: str, at: datetime) -> None:
    live = (USER_CERTIFICATES.c.fingerprint == fingerprint) & USER_CERTIFICATES.c.revoked.is_(None)
    db.execute(update(USER_CERTIFICATES).where(live).values(revoked=to_text(at)))


def user_of_certificate(db: Connection, fingerprint: str, at: datetime | None = None) -> User | None:
    """The user whom a certificate belongs to; with `at`, only when certificate and user are good at that time."""
    row = db.execute(select(USER_CERTIFICATES).where(USER_CERTIFICATES.c.fingerprint == fingerprint)).mappings().first()
    if row is None:
        return None
    user = find_user(db, UserId(row["user"]))
    if at is None:
        return user
    revoked = from_text_or_none(row["revoked"])
    good = from_text(row["valid_from"]) <= at < from_text(row["valid_to"]) and (revoked is None or at < revoked)
    return user if good and (user.ended is None or at < user.ended) else None


def live_certificates(db: Connection, at: datetime) -> tuple[tuple[UserId, str, datetime], ...]:
    """(user, fingerprint, end) of every certificate that would be taken at `at`, or from a later time on."""
    query = select(USER_CERTIFICATES).where(
        USER_CERTIFICATES.c.revoked.is_(None) & (USER_CERTIFICATES.c.valid_to > to_text(at))
    )
    rows = db.execute(query.order_by(USER_CERTIFICATES.c.fingerprint)).mappings()
    return tuple((UserId(row["user"]), row["fingerprint"], from_text(row["valid_to"])) for row in rows)


def certificates_of(db: Connection, user: UserId) -> tuple[str, ...]:
    """Fingerprints that are not revoked."""
    query = select(USER_CERTIFICATES.c.fingerprint).where(
        (USER_CERTIFICATES.c.user == user) & USER_CERTIFICATES.c.revoked.is_(None)
    )
    return tuple(row.fingerprint for row in db.execute(query.order_by(USER_CERTIFICATES.c.bound)))


def _users(db: Connection, query: Select[Any]) -> tuple[User, ...]:
    return tuple(_user(row) for row in db.execute(query).mappings())


def _user(row: RowMapping) -> User:
    return User(
        id=UserId(row["id"]),
        organisation=OrganisationId(row["organisation"]),
        name=row["name"],
        email=row["email"],
        roles=frozenset(Role(each) for each in row["roles"].split()),
        created=from_text(row["created"]),
        ended=from_text_or_none(row["ended"]),
    )


def _joined(roles: frozenset[Role]) -> str:
    return " ".join(sorted(roles))
