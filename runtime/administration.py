"""Administration on the machine itself: the control room's doors, with things found by the names that people use.

Whoever has the machine has the database too, so without `--as` the house itself acts; the trail says whose login it
was. With `--as` somebody acts in their own name, with their roles and no more.
"""

import getpass
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from control import (
    Actor,
    Agreement,
    Agreements,
    Certificate,
    ControlStore,
    Credentials,
    ListFolder,
    Organisation,
    People,
    Role,
    System,
    Systems,
    TestAuthority,
    Trust,
    User,
)
from control.errors import CertificateNotIssued, Unregistered
from kernel import OperatorMistake
from runtime.environment import settings_of
from runtime.instance import Instance
from runtime.migrated import open_control

T = TypeVar("T")


class NameAmbiguous(OperatorMistake):
    code = "name_ambiguous"
    title = "The name means several things"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody administers from the command line. `store` acts in their name."""

    instance: Instance
    store: ControlStore

    @property
    def actor(self) -> Actor:
        return self.store.actor

    @property
    def environment(self) -> str:
        return self.store.environment

    def trust(self) -> Trust:
        """Raises AuthorityInvalid."""
        authorities = Trust.read(self.instance.trust).authorities
        return Trust.of(authorities, ListFolder(self.instance.crl).read(authorities))

    def authority(self) -> TestAuthority:
        return TestAuthority.open_or_create(self.instance.authority)

    def ensure_test(self) -> None:
        """Raises CertificateNotIssued in production: there is no authority there."""
        if self.environment != "test":
            raise CertificateNotIssued(
                "certificates are issued in the test environment alone",
                remedy="order an OCES certificate from a public issuer, and bind it",
                rule="request.environment",
            )

    def organisations(self) -> tuple[Organisation, ...]:
        """Those that the actor may see, in the order in which they came."""
        found = (each for each in self.store.organisations() if self._sees(each.id))
        return tuple(sorted(found, key=lambda each: each.id))

    def organisation(self, named: str | None) -> Organisation:
        """By CVR number, name or id; without a name the actor's own. Raises Unregistered, NameAmbiguous."""
        if named is None:
            named = self.actor.organisation or ""
        found = [each for each in self.organisations() if named in {each.cvr, each.id, each.name}]
        return one_of(found, lambda each: each.cvr, "organisation", "org list")

    def named(self, named: str) -> Organisation:
        """As `organisation`, and by its CVR number also another's: whoever asks for an agreement has to name it."""
        found = [
            each
            for each in self.store.organisations()
            if named == each.cvr or (self._sees(each.id) and named in {each.id, each.name})
        ]
        return one_of(found, lambda each: each.cvr, "organisation", "org list")

    def systems(self, organisation: Organisation | None = None) -> tuple[System, ...]:
        found = Systems(self.store).all(None if organisation is None else organisation.id)
        return tuple(sorted((each for each in found if self._sees(each.organisation)), key=lambda each: each.id))

    def system(self, named: str) -> System:
        """By name or id. Raises Unregistered, NameAmbiguous."""
        found = [each for each in self.systems() if named in {each.id, each.name}]
        return one_of(found, lambda each: each.id, "system", "system list")

    def users(self, organisation: Organisation) -> tuple[User, ...]:
        return People(self.store).users(organisation.id)

    def user(self, named: str) -> User:
        """By e-mail address or id. Raises Unregistered, NameAmbiguous."""
        everybody = [user for each in self.organisations() for user in People(self.store).users(each.id)]
        found = [each for each in everybody if named in {each.id, each.email}]
        return one_of(found, lambda each: each.id, "user", "user list")

    def certificate(self, fingerprint: str) -> Certificate:
        """By its fingerprint, or as much of that as means one. Raises Unregistered, NameAmbiguous."""
        credentials = Credentials(self.store)
        everything = [bound for each in self.systems() for bound in credentials.of(each.id)]
        wanted = fingerprint.lower().replace(":", "")
        found = [each for each in everything if wanted and each.fingerprint.startswith(wanted)]
        return one_of(found, lambda each: each.fingerprint, "certificate", "cert list")

    def _sees(self, organisation: str) -> bool:
        actor = self.actor
        return actor.house or Role.OPERATOR in actor.roles or actor.organisation == organisation


@contextmanager
def open_desk(root: Path, acting: str | None = None) -> Iterator[Desk]:
    """acting   e-mail address of the user in whose name to act; None: the house

    Raises InstanceMissing, and Unregistered when nobody has this address.
    """
    instance = Instance.find(root)
    with open_control(instance, settings_of(instance)) as store:
        if acting is None:
            actor = Actor(name=f"{getpass.getuser()} at {socket.gethostname()}"[:200], house=True)
        else:
            actor = People(store).actor_named(acting, "command line")
        yield Desk(instance, store.acting(actor))


def agreement_of(agreements: Agreements, named: str) -> Agreement:
    """By its id, or the beginning of it. Raises Unregistered, NameAmbiguous."""
    found = [each for each in agreements.all() if named and each.id.startswith(named.lower())]
    return one_of(found, lambda each: each.id, "agreement", "agreement list")


def one_of(found: Sequence[T], name: Callable[[T], str], what: str, verb: str) -> T:
    """The one that was meant. Raises Unregistered, NameAmbiguous."""
    if not found:
        raise Unregistered(f"no such {what} here", remedy=f"`knudepunkt {verb}` shows those that are there")
    if len(found) > 1:
        names = ", ".join(name(each) for each in found[:10])
        raise NameAmbiguous(f"there are several of this name: {names}", remedy="name one in full")
    return found[0]
