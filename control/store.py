"""The control database: every change to organisations, systems, certificates and agreements goes through here.

A change, its line in the audit trail and the new version of the policy are one transaction, so that every process that
sees the version sees the change, and no change is without its line.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from pathlib import Path
from typing import Literal, Self

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DBAPIError

from control import audit, organisations, systems
from control.actors import HOUSE, Actor, Verb, ensure_may
from control.certificates import Certificate
from control.certificates.door import Credentials
from control.engine import open_engine, reading, writing
from control.errors import ControlNotReady, ControlUnreachable, Unregistered
from control.organisations import Organisation, OrganisationKind
from control.systems import SshKey, System
from control.systems.door import Systems
from control.systems.keys import SshKeys
from control.tables import POLICY_VERSION
from control.trust import Trust
from kernel import Clock, OrganisationId, SystemId, new_id

Environment = Literal["test", "production"]

OnChange = Callable[[Connection], None]


class ControlStore:
    """Opened with the address of a migrated database, for instance `sqlite:////.../control.sqlite`.

    environment   in `test` a request for an agreement is approved at once, in the municipality's place

    Safe to use from several threads and processes at once. Raises ControlNotReady when the database has no tables, or
    cannot be reached.
    """

    def __init__(self, url: str, *, environment: Environment, clock: Clock) -> None:
        self._engine, self._environment, self._clock = open_engine(url), environment, clock
        self._actor = HOUSE
        self._first: list[OnChange] = []
        self._inside: Connection | None = None
        try:
            with self.reading() as db:
                policy_version(db)
        except (DBAPIError, ControlUnreachable) as error:
            self.close()
            # Without the address: it may hold a password.
            why = error.message if isinstance(error, ControlUnreachable) else type(error.orig).__name__
            raise ControlNotReady(
                f"the control database cannot be read: {why}",
                remedy="make or finish the instance with `knudepunkt init`; for a database in PostgreSQL check "
                "`[control] url` in the settings, the server, and the password in secrets/control.password",
            ) from None

    @property
    def actor(self) -> Actor:
        return self._actor

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def environment(self) -> Environment:
        return self._environment

    def acting(self, actor: Actor, *, first: OnChange | None = None) -> "ControlStore":
        """The same database, for changes in somebody's name: steps that are not theirs are refused with NotYours.

        first   run once, at the beginning of the first change and within it: what it raises leaves all as it was. No
                other change comes in between.
        """
        seen = copy(self)
        seen._actor = actor
        if first is not None:
            seen._first = [first]
        return seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def add_organisation(self, kind: OrganisationKind, cvr: str, name: str, *, code: str = "") -> Organisation:
        """code   of a municipality, four digits. Raises OrganisationInvalid."""
        made = Organisation(
            id=OrganisationId(new_id()), kind=kind, cvr=cvr, name=name, created=self._clock.now(), code=code
        )
        with self.changing(Verb.ORGANISATION_ADD, f"organisation {made.id}", details={"cvr": cvr, "name": name}) as db:
            organisations.add_organisation(db, made)
        return made

    def find_organisation(self, cvr: str) -> Organisation | None:
        with self.reading() as db:
            return organisations.find_organisation(db, cvr)

    def organisations(self) -> tuple[Organisation, ...]:
        with self.reading() as db:
            return tuple(organisations.load_organisations(db).values())

    def add_system(self, organisation: OrganisationId, name: str, *, purpose: str, contact: str) -> System:
        """As `Systems.register`."""
        return Systems(self).register(organisation, name, purpose=purpose, contact=contact)

    def systems(self) -> tuple[System, ...]:
        return Systems(self).all()

    def bind_certificate(self, system: SystemId, pem: bytes, *, trust: Path) -> Certificate:
        """As `Credentials.bind`, with the authorities in a folder. Raises AuthorityInvalid too."""
        return Credentials(self).bind(system, pem, trust=Trust.read(trust))

    def revoke_certificate(self, fingerprint: str) -> None:
        """As `Credentials.revoke`."""
        Credentials(self).revoke(fingerprint)

    def bind_ssh_key(self, system: SystemId, public_key: str) -> SshKey:
        """As `SshKeys.bind`."""
        return SshKeys(self).bind(system, public_key)

    def revoke_ssh_key(self, fingerprint: str) -> None:
        """As `SshKeys.revoke`."""
        SshKeys(self).revoke(fingerprint)

    def owner_of(self, system: SystemId) -> Organisation:
        """Whose a system is, which never changes. Raises Unregistered."""
        with self.reading() as db:
            found = systems.find_system(db, system)
            if found is None:
                raise Unregistered("no such system", remedy="register it first")
            return organisations.load_organisations(db)[found.organisation]

    def ensure_may(self, verb: Verb, *whose: OrganisationId) -> None:
        """Raises NotYours when a step, or a look, is not for whoever acts."""
        ensure_may(self._actor, verb, *whose)

    def within(self, db: Connection) -> "ControlStore":
        """As a change sees the database that is under way: for looks, on the change's own connection. Another one could
        have to wait for a change that waits for it.
        """
        seen = copy(self)
        seen._inside = db
        return seen

    def reading(self) -> AbstractContextManager[Connection]:
        """One consistent picture of the database."""
        return reading(self._engine) if self._inside is None else nullcontext(self._inside)

    def noting(self) -> AbstractContextManager[Connection]:
        """A transaction for what decides nothing: it has no line in the trail, and no process looks for it."""
        return writing(self._engine)

    @contextmanager
    def changing(
        self, verb: Verb, about: str, *whose: OrganisationId, details: Mapping[str, str] | None = None
    ) -> Iterator[Connection]:
        """A transaction for one step, which stands in the audit trail when the block ends well.

        about   what it is done to, for instance `agreement 0190...`
        whose   the organisations in whose name the step can be taken

        Raises NotYours when the step is not the actor's to take.
        """
        ensure_may(self._actor, verb, *whose)
        with writing(self._engine) as db:
            # First, so that on every engine the writers queue here and read nothing that is about to change.
            db.execute(update(POLICY_VERSION).values(version=POLICY_VERSION.c.version + 1))
            while self._first:
                self._first.pop()(db)
            yield db
            audit.append(db, self._actor, verb, about, details or {}, self._clock.now())


def policy_version(db: Connection) -> int:
    """Grows with every change; 0 before the first."""
    return db.execute(select(POLICY_VERSION.c.version)).scalar() or 0
