"""What administrators send: JSON objects without a field too many. These are schemas of the OpenAPI document too."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from control import OrganisationKind, OrganisationStep, Role

Moment = Annotated[datetime, Meta(tz=True)]


class Asked(Struct, forbid_unknown_fields=True):
    pass


class Application(Asked):
    """signing_request: PEM of a PKCS#10 request for the first user's certificate; answered in the test environment.
    Without it the connection must show the first user's own employee certificate.
    """

    kind: Literal["supplier", "municipality"]
    cvr: str
    name: str
    email: str
    user_name: str
    user_email: str
    signing_request: str | None = None


class NewOrganisation(Asked):
    """code: a municipality's, four digits; what its own rows are known by."""

    kind: OrganisationKind
    cvr: str
    name: str
    code: str = ""


class OrganisationChange(Asked):
    """What is left out stays as it is."""

    name: str | None = None
    email: str | None = None


class MunicipalityCode(Asked):
    """code: four digits, as the register of municipalities has it."""

    code: str


class OrganisationStanding(Asked):
    step: OrganisationStep
    note: str = ""


class NewUser(Asked):
    name: str
    email: str
    roles: list[Role]


class UserChange(Asked):
    roles: list[Role]


class NewCertificate(Asked):
    """One of the two: a certificate to bind (PEM), or a PKCS#10 request (PEM), answered in the test environment."""

    certificate: str | None = None
    signing_request: str | None = None


class NewSystem(Asked):
    """endpoints: https and sftp addresses where the system can be reached itself."""

    name: str
    purpose: str
    contact: str
    endpoints: list[str] = []


class SystemChange(Asked):
    """What is left out stays as it is."""

    name: str | None = None
    purpose: str | None = None
    contact: str | None = None
    endpoints: list[str] | None = None


class NewSshKey(Asked):
    """public_key: a line as in a .pub file of OpenSSH."""

    public_key: str


class NewProcessingAgreement(Asked):
    """document: the signed document in base64; its SHA-256 is kept, and nothing else of it."""

    reference: str
    document: bytes
    valid_from: Moment
    valid_to: Moment | None = None


class Ending(Asked):
    """at: now without it."""

    at: Moment | None = None


class Nothing(Asked):
    """An empty object, or no body."""
