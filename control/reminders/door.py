from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from control.actors import Role
from control.agreements import Agreement, State, load_agreements
from control.certificates import load_certificates
from control.notices import tell
from control.organisations import Organisation, OrganisationKind, load_organisations
from control.people import UserId
from control.people.store import live_certificates, load_users
from control.reminders.rule import KEY_LIFE, days_before, list_is_late
from control.systems import System, load_ssh_keys, load_systems
from control.times import shown, to_text
from control.trust import RevocationList
from kernel import OrganisationId, SystemId

if TYPE_CHECKING:
    from control.store import ControlStore

_IN_PLACE = frozenset({State.APPROVED, State.SUSPENDED})
_SUPPLIERS = frozenset({Role.USER, Role.ADMINISTRATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reminder:
    key: str
    to: OrganisationId
    roles: frozenset[Role]
    subject: str
    text: str
    about: str


class Reminders:
    """Run it as often as you like, in as many places: each reminder is told once."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def run(self, lists: Iterable[RevocationList] = ()) -> int:
        """Tell what is due: agreements, certificates and keys that end, lists of revoked certificates that are late.

        lists   those that are in force here

        Gives how many notices were written.
        """
        at = self._store.clock.now()
        with self._store.noting() as db:
            organisations, systems = load_organisations(db), load_systems(db)
            due = (
                *_agreements(db, organisations, systems, at),
                *_certificates(db, systems, at),
                *_keys(db, systems, at),
                *_employees(db, at),
                *_lists(lists, organisations.values(), at),
            )
            return sum(
                tell(
                    db, to=each.to, roles=each.roles, subject=each.subject, text=each.text, about=each.about, at=at,
                    reminder=each.key,
                )
                for each in due
            )  # fmt: skip


def _agreements(
    db: Connection,
    organisations: dict[OrganisationId, Organisation],
    systems: dict[SystemId, System],
    at: datetime,
) -> Iterator[_Reminder]:
    found = load_agreements(db)
    renewed = {each.replaces for each in found if each.state_at(at) in _IN_PLACE}
    for each in found:
        end = each.valid.end
        if end is None or each.id in renewed or each.state_at(at) not in _IN_PLACE:
            continue
        days = days_before(end, at)
        if days is not None:
            system = systems[each.system]
            parties = ((system.organisation, _SUPPLIERS), (each.municipality, frozenset({Role.DATA_CONTROLLER})))
            for to, roles in parties:
                yield _of_agreement(each, system, organisations[each.municipality].name, end, days, to, roles)


def _of_agreement(
    agreement: Agreement,
    system: System,
    municipality: str,
    end: datetime,
    days: int,
    to: OrganisationId,
    roles: frozenset[Role],
) -> _Reminder:
    return _Reminder(
        key=f"agreement {agreement.id} {to_text(end)} {days} {to}",
        to=to,
        roles=roles,
        subject=f"An agreement of {municipality} for the system {system.name} ends {shown(end)}",
        text="\n".join(
            (
                f"Agreement: {agreement.id}",
                f"Services: {', '.join(sorted(agreement.terms.services))}",
                "From then on its calls are refused. The supplier can request one that takes over without a gap:",
                f"knudepunkt agreement renew {agreement.id}",
            )
        ),
        about=f"agreement {agreement.id}",
    )


def _certificates(db: Connection, systems: dict[SystemId, System], at: datetime) -> Iterator[_Reminder]:
    live = [each for each in load_certificates(db) if not each.spent(at) and systems[each.system].retired is None]
    last: dict[SystemId, datetime] = {}
    for each in live:
        last[each.system] = max(each.valid_to, last.get(each.system, each.valid_to))
    for each in live:
        days = days_before(each.valid_to, at)
        # One whose system has another that lives longer was renewed.
        if days is not None and each.valid_to == last[each.system]:
            system = systems[each.system]
            yield _Reminder(
                key=f"certificate {each.fingerprint} {days}",
                to=system.organisation,
                roles=_SUPPLIERS,
                subject=f"The certificate of the system {system.name} expires {shown(each.valid_to)}",
                text=f"Fingerprint: {each.fingerprint}\nOrder a new one and bind it beside the old one: both work "
                "until the old one expires.",
                about=f"certificate {each.fingerprint}",
            )


def _keys(db: Connection, systems: dict[SystemId, System], at: datetime) -> Iterator[_Reminder]:
    live = [each for each in load_ssh_keys(db) if each.revoked is None and systems[each.system].retired is None]
    newest: dict[SystemId, datetime] = {}
    for each in live:
        newest[each.system] = max(each.bound, newest.get(each.system, each.bound))
    for each in live:
        end = each.bound + KEY_LIFE
        days = days_before(end, at)
        if days is not None and each.bound == newest[each.system]:
            system = systems[each.system]
            yield _Reminder(
                key=f"ssh key {each.fingerprint} {days}",
                to=system.organisation,
                roles=_SUPPLIERS,
                subject=f"The SSH key of the system {system.name} is two years old {shown(end)}",
                text=f"Fingerprint: {each.fingerprint}\nIt goes on working. Bind a new one, and revoke this one when "
                "nobody uses it any more.",
                about=f"system {each.system}",
            )


def _employees(db: Connection, at: datetime) -> Iterator[_Reminder]:
    """Of people's certificates: to the administrators, and without the person's name, since notices are mailed."""
    users = {each.id: each for each in load_users(db) if each.ended is None}
    live = [each for each in live_certificates(db, at) if each[0] in users]
    last: dict[UserId, datetime] = {}
    for user, _, end in live:
        last[user] = max(end, last.get(user, end))
    for user, fingerprint, end in live:
        days = days_before(end, at)
        if days is not None and end == last[user]:
            yield _Reminder(
                key=f"user certificate {fingerprint} {days}",
                to=users[user].organisation,
                roles=frozenset({Role.ADMINISTRATOR}),
                subject=f"The certificate of one of your users expires {shown(end)}",
                text=f"Fingerprint: {fingerprint}\nBind the user's new one before that.\n"
                f"Whose it is: knudepunkt user show {user}",
                about=f"user {user}",
            )


def _lists(lists: Iterable[RevocationList], organisations: Iterable[Organisation], at: datetime) -> Iterator[_Reminder]:
    operators = [each for each in organisations if each.kind is OrganisationKind.OPERATOR]
    for each in lists:
        if each.next_update is None or not list_is_late(each, at):
            continue
        over = each.overdue(at)
        subject = "is overdue" if over else f"is to be renewed before {shown(each.next_update)}"
        for operator in operators:
            yield _Reminder(
                key=f"list {each.file} {to_text(each.issued)} {'overdue' if over else 'late'} {operator.id}"[:200],
                to=operator.id,
                roles=frozenset({Role.OPERATOR}),
                subject=f"A list of revoked certificates {subject}",
                text=f"File: {each.file}\nIssuer: {each.issuer}\nIssued: {shown(each.issued)}\nFetch it anew from its "
                "issuer. Until then the old one stays in force: what was revoked since is not known here.",
                about=f"list {each.file}"[:200],
            )
