"""Who may have which role, and what must hold among the users of an organisation. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from control.actors import Actor, Role
from control.errors import NotYours, UserInvalid
from control.organisations import OrganisationKind
from control.people.values import User

HELD_IN: Final[Mapping[OrganisationKind, frozenset[Role]]] = {
    OrganisationKind.SUPPLIER: frozenset({Role.ADMINISTRATOR, Role.USER}),
    OrganisationKind.MUNICIPALITY: frozenset({Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER}),
    OrganisationKind.OPERATOR: frozenset({Role.ADMINISTRATOR, Role.USER, Role.OPERATOR}),
}
"""Roles that can be held, by kind of organisation."""


def ensure_fitting(roles: frozenset[Role], kind: OrganisationKind) -> None:
    """Raises UserInvalid for a role that nobody can hold in such an organisation."""
    if strange := roles - HELD_IN[kind]:
        raise UserInvalid(
            f"nobody is {_listed(strange)} in a {kind.value}",
            remedy=f"choose among: {_listed(HELD_IN[kind])}",
            rule="roles.organisation",
        )


def ensure_not_raising_oneself(actor: Actor, user: User, roles: frozenset[Role]) -> None:
    """Raises NotYours when somebody gives themselves a role: another administrator has to."""
    if actor.user == user.id and (more := roles - user.roles):
        raise NotYours(
            f"nobody gives themselves a role ({_listed(more)})",
            remedy="ask another administrator of the organisation, or the operator",
            rule="roles.not_oneself",
        )


def ensure_administered(users: Iterable[User], without: User, roles: frozenset[Role]) -> None:
    """Raises UserInvalid when nobody would be left who can give roles, once `without` has only `roles`."""
    others = (each for each in users if each.id != without.id and each.ended is None)
    if Role.ADMINISTRATOR in without.roles - roles and not any(Role.ADMINISTRATOR in each.roles for each in others):
        raise UserInvalid(
            "this is the organisation's last administrator",
            remedy="make somebody else administrator first",
            rule="roles.last_administrator",
        )


def _listed(roles: Iterable[Role]) -> str:
    return ", ".join(sorted(role.value.replace("_", " ") for role in roles))
