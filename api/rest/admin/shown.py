"""How things are shown to administrators. These are the schemas of the OpenAPI document too."""

from datetime import datetime

from msgspec import Struct

from control import (
    AuditEntry,
    Certificate,
    Notice,
    Organisation,
    OrganisationKind,
    OrganisationState,
    ProcessingAgreement,
    Role,
    SshKey,
    System,
    User,
)


class OrganisationView(Struct, frozen=True):
    """code: a municipality's, four digits; empty while it is not told."""

    id: str
    kind: OrganisationKind
    cvr: str
    name: str
    email: str
    code: str
    state: OrganisationState
    created: datetime

    @classmethod
    def of(cls, it: Organisation) -> "OrganisationView":
        return cls(it.id, it.kind, it.cvr, it.name, it.email, it.code, it.state, it.created)


class UserView(Struct, frozen=True):
    """ended: since when the user may do nothing."""

    id: str
    organisation: str
    name: str
    email: str
    roles: tuple[Role, ...]
    created: datetime
    ended: datetime | None

    @classmethod
    def of(cls, it: User) -> "UserView":
        return cls(it.id, it.organisation, it.name, it.email, tuple(sorted(it.roles)), it.created, it.ended)


class ApplicationView(Struct, frozen=True):
    """certificate: PEM of the first user's certificate and its authority's, when a signing request was answered."""

    organisation: OrganisationView
    user: UserView
    certificate: str | None
    next: str


class UserCertificateView(Struct, frozen=True):
    """fingerprint: SHA-256 of the DER form, hex. chain: PEM, when a signing request was answered."""

    user: str
    fingerprint: str
    chain: str | None = None


class SystemView(Struct, frozen=True):
    """retired: since when the system is out of use, for ever. trial: when it passed its trial connection."""

    id: str
    organisation: str
    name: str
    purpose: str
    contact: str
    endpoints: tuple[str, ...]
    created: datetime
    retired: datetime | None
    trial: datetime | None

    @classmethod
    def of(cls, it: System) -> "SystemView":
        return cls(
            it.id, it.organisation, it.name, it.purpose, it.contact, it.endpoints, it.created, it.retired, it.trial
        )


class CertificateView(Struct, frozen=True):
    """fingerprint: SHA-256 of the DER form, hex. serial: decimal. chain: PEM, when a signing request was answered."""

    fingerprint: str
    system: str
    issuer: str
    serial: str
    subject: str
    valid_from: datetime
    valid_to: datetime
    bound: datetime
    revoked: datetime | None
    chain: str | None = None

    @classmethod
    def of(cls, it: Certificate, chain: str | None = None) -> "CertificateView":
        return cls(
            it.fingerprint, it.system, it.issuer, it.serial, it.subject, it.valid_from, it.valid_to, it.bound,
            it.revoked, chain,
        )  # fmt: skip


class SshKeyView(Struct, frozen=True):
    """fingerprint: SHA-256 of the key blob, hex."""

    fingerprint: str
    system: str
    public_key: str
    bound: datetime
    revoked: datetime | None

    @classmethod
    def of(cls, it: SshKey) -> "SshKeyView":
        return cls(it.fingerprint, it.system, it.public_key, it.bound, it.revoked)


class ProcessingAgreementView(Struct, frozen=True):
    """document_sha256: of the signed document, which lies where the parties keep it."""

    id: str
    municipality: str
    reference: str
    document_sha256: str
    valid_from: datetime
    valid_to: datetime | None
    recorded: datetime
    recorded_by: str

    @classmethod
    def of(cls, it: ProcessingAgreement) -> "ProcessingAgreementView":
        return cls(
            it.id, it.municipality, it.reference, it.document_sha256, it.valid.start, it.valid.end, it.recorded,
            it.recorded_by,
        )  # fmt: skip


class NoticeView(Struct, frozen=True):
    id: str
    organisation: str
    roles: tuple[Role, ...]
    subject: str
    text: str
    about: str
    at: datetime
    read: datetime | None

    @classmethod
    def of(cls, it: Notice) -> "NoticeView":
        return cls(it.id, it.organisation, tuple(sorted(it.roles)), it.subject, it.text, it.about, it.at, it.read)


class AuditView(Struct, frozen=True):
    """number: 1, 2, 3, ... without gaps. address: from where. hash: over the entry before and this one."""

    number: int
    at: datetime
    actor: str
    organisation: str
    address: str
    verb: str
    about: str
    details: dict[str, str]
    hash: str

    @classmethod
    def of(cls, it: AuditEntry) -> "AuditView":
        return cls(
            it.number, it.at, it.actor, it.organisation, it.address, it.verb, it.about, dict(it.details), it.hash
        )


class AuditCheck(Struct, frozen=True):
    """entries: how many there are. broken_at: the first that does not fit; null when the chain is whole."""

    entries: int
    broken_at: int | None
    last_hash: str
