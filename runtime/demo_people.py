"""The demo's people: one for each kind of organisation, with a certificate, so that administration can be tried."""

from dataclasses import dataclass
from typing import Final

from control import ControlStore, Organisation, People, Role, TestAuthority, Trust
from runtime.client import Profile
from runtime.files import write_whole
from runtime.instance import Instance


@dataclass(frozen=True, slots=True)
class Person:
    """profile   the folder below `clients/` with certificate and key"""

    profile: str
    name: str
    roles: frozenset[Role]


NINA: Final = Person("nina", "Nina Nørregaard", frozenset({Role.ADMINISTRATOR, Role.USER}))
DINA: Final = Person("dina", "Dina Dalgaard", frozenset({Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER}))
OTTO: Final = Person("otto", "Otto Overgaard", frozenset({Role.ADMINISTRATOR, Role.USER, Role.OPERATOR}))
"""Of the supplier, of the municipality, of the operator."""


def hire(instance: Instance, control: ControlStore, owner: Organisation, person: Person) -> Profile:
    """The person as a user of the organisation, with a profile; as far as they are not there yet."""
    people, profile = People(control), Profile(instance.clients / person.profile)
    email = f"{person.profile}@example.invalid"
    known = [each for each in people.users(owner.id) if each.email == email]
    user = known[0] if known else people.add(owner.id, person.name, email, person.roles)
    if not profile.certificate.exists():
        profile.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = TestAuthority.open_or_create(instance.authority)
        issued = authority.issue_employee(owner.cvr, owner.name, person.name)
        people.bind_certificate(user.id, issued.cert_pem, trust=Trust.read(instance.trust))
        write_whole(profile.authority, authority.ca_pem, 0o644)
        write_whole(profile.key, issued.key_pem)
        # Last: a profile with a certificate is whole.
        write_whole(profile.certificate, issued.cert_pem, 0o644)
    return profile
