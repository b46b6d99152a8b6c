"""Who administers: from the connection's certificate to a user with roles. The only place where that is decided."""

from dataclasses import dataclass

from api.doors import Doors
from api.identity import identify
from api.request import Request
from api.rest.admin.errors import NotForSystems
from control import Actor, People, Role, ensure_valid
from control.errors import CertificateUnknown
from kernel import Caller

UNKNOWN = "an unknown address"


def actor_of(doors: Doors, request: Request) -> Actor:
    """The user behind a connection, with their roles and the peer's address; judged anew for each request. Blocks.

    Raises NotForSystems for a system's certificate, and what `identify` raises for one that is nobody's.
    """
    found = speaker_of(doors, request)
    if found is None:
        caller = identify(request.peer, doors.policy(), doors.trust(), request.received)
        raise NotForSystems(
            f"the certificate speaks for the system {caller.name}",
            remedy="call with an employee's certificate that is bound to a user with the role for it",
            rule="roles.people",
        )
    return found


def speaker_of(doors: Doors, request: Request) -> Actor | None:
    """As `actor_of`; None when the certificate is no user's. Raises CertificateRevoked, OrganisationNotActive, and for
    a certificate that is not valid or not trusted any more what `identify` raises.
    """
    peer, control = request.peer, doors.control
    if peer is None or control is None:
        return None
    ensure_valid(peer.valid.start, peer.valid.end, request.received)
    doors.trust().ensure_current(peer)
    return People(control).speaker(peer.fingerprint, request.received, request.address or UNKNOWN)


@dataclass(frozen=True, slots=True)
class Looker:
    """Whoever looks at what happened: a system, or a person of an organisation.

    caller   None for a person
    """

    organisation_cvr: str
    operator: bool
    caller: Caller | None = None


def looker_of(doors: Doors, request: Request) -> Looker:
    """Blocks when the certificate is no system's. Raises as `actor_of`, but for systems."""
    try:
        found = identify(request.peer, doors.policy(), doors.trust(), request.received)
    except CertificateUnknown:
        person = speaker_of(doors, request)
        if person is None or doors.control is None:
            raise
        owner = next(each for each in doors.control.organisations() if each.id == person.organisation)
        return Looker(owner.cvr, Role.OPERATOR in person.roles)
    return Looker(found.organisation_cvr, found.operator, found)


def anybody(request: Request) -> Actor:
    """Whoever asks without being known: only what is open to everybody can be done so."""
    return Actor(name="an applicant", address=request.address or UNKNOWN)
