"""What the control room's tests are made of: a clock that is set by hand, a small cast, certificates of every shape."""

import sqlite3
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from control import (
    HOUSE,
    Actor,
    Agreement,
    Agreements,
    ControlStore,
    Organisation,
    OrganisationKind,
    Processing,
    Role,
    ServiceTerms,
    Step,
    System,
    Terms,
)  # fmt: skip
from kernel import (
    AgreementId,
    Call,
    Caller,
    Channel,
    Operation,
    ServiceName,
    SystemId,
    Window,
    new_trace_id,
)
from schemas import Registers

START = datetime(2031, 2, 10, 8, tzinfo=UTC)
PERSONS = ServiceName("cpr-persons")
EXTRACT = ServiceName("cpr-persons-extract")
MUNICIPALITIES = ServiceName("municipalities")
DAY = timedelta(days=1)

Rdn = dict[x509.ObjectIdentifier, str]


@dataclass
class HandClock:
    moment: datetime = START

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Cast:
    """A control database with two municipalities, two suppliers, and two systems of the first."""

    url: str
    clock: HandClock
    store: ControlStore
    north: Organisation
    south: Organisation
    supplier: Organisation
    rival: Organisation
    system: System
    sibling: System

    @classmethod
    def gather(cls, store: ControlStore, clock: HandClock, url: str) -> "Cast":
        supplier = store.add_organisation(OrganisationKind.SUPPLIER, "12345678", "Fagsystemer ApS")
        north = store.add_organisation(OrganisationKind.MUNICIPALITY, "11111111", "Nordby Kommune", code="0851")
        south = store.add_organisation(OrganisationKind.MUNICIPALITY, "22222222", "Sønderby Kommune")
        for each in (north, south):
            Processing(store).record(each.id, "2031-17", b"the signed document", Window(START - 1_000 * DAY))
        return cls(
            url=url,
            clock=clock,
            store=store,
            north=north,
            south=south,
            supplier=supplier,
            rival=store.add_organisation(OrganisationKind.SUPPLIER, "87654321", "Rivalen A/S"),
            system=store.add_system(supplier.id, "care", purpose="Plans home care.", contact="drift@example.invalid"),
            sibling=store.add_system(supplier.id, "school", purpose="Enrols.", contact="drift@example.invalid"),
        )

    def draft(self, **choices: object) -> Agreement:
        made = Draft(self.north, self.system)
        for name, value in choices.items():
            setattr(made, name, value)
        valid = Window(made.start or self.clock.now(), made.end)
        return self.agreements.draft(
            made.municipality.id, made.system.id, made.terms or terms(*made.services), valid, replaces=made.replaces
        )

    def step(self, agreement: AgreementId, step: Step, *, by: str = "somebody", note: str = "") -> Agreement:
        """A step of somebody who may take every step, under the name `by`."""
        return Agreements(self.store.acting(replace(HOUSE, name=by)), None).step(agreement, step, note=note)

    @property
    def agreements(self) -> Agreements:
        return Agreements(self.store, None)

    def acting(self, organisation: Organisation, *roles: Role, registers: Registers | None = None) -> Agreements:
        """The door for somebody of an organisation."""
        who = Actor(name=f"one of {organisation.name}", roles=frozenset(roles), organisation=organisation.id)
        return Agreements(self.store.acting(who), registers)

    def approved(self, **choices: object) -> Agreement:
        """An agreement that the municipality has approved (in the test environment: the rule)."""
        found = self.step(self.draft(**choices).id, Step.REQUEST, by="the supplier")
        if found.state == "requested":
            found = self.step(found.id, Step.APPROVE, by="the municipality")
        return found

    def call(
        self,
        service: ServiceName = PERSONS,
        *,
        system: SystemId | None = None,
        agreement: AgreementId | None = None,
        municipality: str | None = None,
    ) -> Call:
        caller = Caller(
            system=system or self.system.id, name="care", organisation_cvr=self.supplier.cvr, credential="0" * 64
        )
        return Call(
            trace=new_trace_id(),
            caller=caller,
            channel=Channel.REST,
            service=service,
            operation=Operation.LOOKUP,
            received=self.clock.now(),
            agreement=agreement,
            municipality_cvr=municipality,
        )

    def sql(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Straight from the file, past everything that is under test."""
        with sqlite3.connect(self.url.removeprefix("sqlite:///")) as db:
            found = db.execute(query, values).fetchall()
        db.close()
        return found


@dataclass
class Draft:
    municipality: Organisation
    system: System
    services: tuple[ServiceName, ...] = field(default=(PERSONS,))
    start: datetime | None = None
    end: datetime | None = None
    terms: Terms | None = None
    replaces: AgreementId | None = None


def terms(*services: ServiceName) -> Terms:
    return Terms(
        services={service: ServiceTerms() for service in services or (PERSONS,)},
        purpose="To plan home care.",
        legal_basis="Serviceloven § 83",
        reason="The citizens of the municipality.",
    )


def certificate(
    *rdns: Rdn,
    signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    start: datetime = START - DAY,
    days: int = 1000,
) -> x509.Certificate:
    """A certificate with this subject: one dict is one RDN, so two attributes in a dict make a multi-valued RDN."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(oid, value, _ASN1Type.UTF8String, _validate=False) for oid, value in rdn.items()]
            )
            for rdn in rdns
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer[0].subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    return builder.sign(signer[1] if signer else key, SHA256())


def oces2(cvr: str, kind: str, name: str = "Testfirma") -> tuple[Rdn, ...]:
    """As TRUST2408 wrote them: serialNumber and common name are one multi-valued RDN."""
    return (
        {NameOID.COUNTRY_NAME: "DK"},
        {NameOID.ORGANIZATION_NAME: f"{name} // CVR:{cvr}"},
        {
            NameOID.SERIAL_NUMBER: f"CVR:{cvr}-{kind}:1182254711",
            NameOID.COMMON_NAME: f"{name} (funktionscertifikat)",
        },
    )


def oces3(cvr: str, kind: str, name: str = "Testsystem") -> tuple[Rdn, ...]:
    return (
        {NameOID.COUNTRY_NAME: "DK"},
        {NameOID.ORGANIZATION_IDENTIFIER: f"NTRDK-{cvr}"},
        {NameOID.ORGANIZATION_NAME: "Testorganisation nr. 1"},
        {NameOID.SERIAL_NUMBER: f"UI:DK-{kind}:G:0f5e8f1a-6f2b-4f7c-9b57-0d3c7f0a1b2c"},
        {NameOID.COMMON_NAME: name},
    )


def pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(Encoding.PEM)


def trust_folder(folder: Path, ca_pem: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "authority.pem").write_bytes(ca_pem)
    return folder
