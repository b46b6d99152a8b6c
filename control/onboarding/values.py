from dataclasses import dataclass

from control.organisations import Organisation, OrganisationKind
from control.people import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """kind         supplier or municipality: operators are not applied for
    email        where the organisation is reached
    certificate  PEM of the first user's employee certificate; None: it is bound later
    """

    kind: OrganisationKind
    cvr: str
    name: str
    email: str
    user_name: str
    user_email: str
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    organisation: Organisation
    user: User
