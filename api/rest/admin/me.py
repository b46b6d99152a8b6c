"""GET /v1/me: who am I here, what may I do, and what is left?"""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from api.answer import Answer
from api.doors import Doors
from api.identity import identify
from api.request import Request
from api.rest.admin.errand import answer_of, encoded
from api.rest.admin.shown import OrganisationView, SystemView, UserView
from api.rest.admin.who import speaker_of
from control import NO_LIMITS, Actor, ControlStore, People, System, Systems, UserId, Verb
from control.actors import MAY
from kernel import Caller, Grant, Purpose, TryAgainLater


class LimitView(Struct, frozen=True):
    """reset_s: seconds until there is room again."""

    name: str
    calls: int
    left: int
    reset_s: int


class CoveredService(Struct, frozen=True):
    """columns: null for all. rows: column and the values a row may hold there."""

    name: str
    columns: tuple[str, ...] | None
    rows: dict[str, tuple[str, ...]]
    protected: bool


class CarriedAgreement(Struct, frozen=True):
    """An agreement in force. limits: what is left now, of the agreement and of each of its purposes."""

    id: str
    municipality: str
    ends: datetime | None
    terms_hash: str
    services: tuple[CoveredService, ...]
    purposes: tuple[str, ...]
    keys_per_call: int
    limits: tuple[LimitView, ...]


class MySystem(Struct, frozen=True, tag_field="as", tag="system"):
    environment: str
    organisation: OrganisationView
    system: SystemView
    certificate: str
    certificate_ends: datetime
    agreements: tuple[CarriedAgreement, ...]


class MyUser(Struct, frozen=True, tag_field="as", tag="user"):
    """may: the steps that the user's roles let them take."""

    environment: str
    organisation: OrganisationView
    user: UserView
    may: tuple[str, ...]


def me(doors: Doors, control: ControlStore, request: Request) -> Answer:
    """Blocks. Raises what `identify` and `speaker_of` raise."""
    actor = speaker_of(doors, request)
    if actor is not None:
        return answer_of(encoded(_user(doors, control, actor)), tagged=False)
    caller = identify(request.peer, doors.policy(), doors.trust(), request.received)
    return answer_of(encoded(_system(doors, control, request, caller)), tagged=False)


def _user(doors: Doors, control: ControlStore, actor: Actor) -> MyUser:
    user = People(control).user(UserId(actor.user or ""))
    may = tuple(verb.value for verb in Verb if actor.roles & MAY[verb])
    return MyUser(doors.environment, _organisation(control, user.organisation), UserView.of(user), may)


def _system(doors: Doors, control: ControlStore, request: Request, caller: Caller) -> MySystem:
    system: System = Systems(control).find(caller.system)
    grants = doors.policy().grants_of(system.id, request.received)
    peer = request.peer
    return MySystem(
        environment=doors.environment,
        organisation=_organisation(control, system.organisation),
        system=SystemView.of(system),
        certificate=caller.credential,
        certificate_ends=peer.valid.end if peer and peer.valid.end else request.received,
        agreements=tuple(
            _agreement(doors, list(found), request.received)
            for _, found in groupby(grants, key=lambda each: each.agreement)
        ),
    )


def _organisation(control: ControlStore, organisation: str) -> OrganisationView:
    return OrganisationView.of(next(each for each in control.organisations() if each.id == organisation))


def _agreement(doors: Doors, grants: list[Grant], at: datetime) -> CarriedAgreement:
    first = grants[0]
    services = tuple(
        CoveredService(
            each.service,
            None if each.columns is None else tuple(sorted(each.columns)),
            {column: tuple(sorted(values)) for column, values in each.rows.items()},
            each.protected,
        )
        for each in grants
    )
    return CarriedAgreement(
        id=first.agreement,
        municipality=first.municipality_cvr,
        ends=first.valid.end,
        terms_hash=first.terms_hash,
        services=services,
        purposes=tuple(sorted(first.purposes)),
        keys_per_call=first.limits.keys_per_call,
        limits=tuple(_limits(doors, first, at)),
    )


def _limits(doors: Doors, grant: Grant, at: datetime) -> Iterable[LimitView]:
    """Each limit once: those of the agreement come with every purpose."""
    seen: dict[str, LimitView] = {}
    purposes: tuple[Purpose | None, ...] = tuple(grant.purposes.values()) or (None,)
    for purpose in purposes:
        try:
            allowance = doors.counters.look(grant, purpose, at)
        except TryAgainLater:
            allowance = NO_LIMITS
        for each in allowance.standings:
            seen[each.rule.name] = LimitView(each.rule.name, each.rule.most, each.left, each.reset_s)
    return seen.values()
