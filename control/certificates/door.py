from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509

from control.actors import Verb
from control.certificates.authority import TestAuthority
from control.certificates.fitness import ensure_fit, read_certificate
from control.certificates.requests import read_request
from control.certificates.rules import ensure_bindable, fingerprint_of
from control.certificates.store import bind_certificate, find_certificate, load_certificates, revoke_certificate
from control.certificates.values import Certificate
from control.errors import CertificateNotIssued, Unregistered
from control.organisations import Organisation
from control.systems import ensure_in_use, find_system, load_systems
from control.trust import Trust
from kernel import OrganisationId, SystemId

if TYPE_CHECKING:
    from control.store import ControlStore


@dataclass(frozen=True, slots=True)
class Answered:
    """A signing request that was answered: the certificate as it is bound, and PEM of it and its authority's."""

    certificate: Certificate
    chain_pem: bytes


class Credentials:
    """Certificates of systems: bound, listed, revoked. Changes are the actor's that the store acts for."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def bind(self, system: SystemId, content: bytes, *, trust: Trust) -> Certificate:
        """Let a certificate speak for a system.

        content   PEM or DER; of several certificates in a PEM file, the first

        Raises CertificateRefused, NotYours, and Unregistered when there is no such system.
        """
        certificate = read_certificate(content)
        return self._bind(self._store.owner_of(system), system, certificate, trust, "upload")

    def request(self, system: SystemId, content: bytes, *, authority: TestAuthority, trust: Trust) -> Answered:
        """Answer a signing request (PKCS#10; PEM or DER) and bind what was issued: in the test environment alone.

        Of the request nothing counts but its key; the subject tells what is registered. Raises CertificateNotIssued,
        CertificateRefused, NotYours, Unregistered.
        """
        if self._store.environment != "test":
            raise CertificateNotIssued(
                "certificates are issued in the test environment alone",
                remedy="order an OCES organisation or system certificate from a public issuer, and bind it",
                rule="request.environment",
            )
        owner = self._store.owner_of(system)
        with self._store.reading() as db:
            found = find_system(db, system)
        if found is None:
            raise Unregistered("no such system", remedy="register it first")
        chain = authority.answer(read_request(content), owner.cvr, owner.name, found.name)
        made = self._bind(owner, system, x509.load_pem_x509_certificate(chain), trust, "request")
        return Answered(made, chain)

    def of(self, system: SystemId) -> tuple[Certificate, ...]:
        """Every certificate that a system has or had, the newest first. Raises Unregistered."""
        self._store.owner_of(system)
        with self._store.reading() as db:
            found = load_certificates(db, system)
        return tuple(sorted(found, key=lambda each: each.bound, reverse=True))

    def find(self, fingerprint: str) -> Certificate:
        """Raises Unregistered."""
        with self._store.reading() as db:
            return find_certificate(db, fingerprint)

    def revoke(self, fingerprint: str) -> None:
        """It is refused within a second, on open connections too, for ever. Raises Unregistered, NotYours."""
        system = self.find(fingerprint).system
        about, owner = f"certificate {fingerprint}", self._store.owner_of(system)
        with self._store.changing(Verb.CERTIFICATE_REVOKE, about, owner.id, details={"system": system}) as db:
            revoke_certificate(db, fingerprint, self._store.clock.now())

    def expiring(self, before: datetime, organisation: OrganisationId | None = None) -> tuple[Certificate, ...]:
        """Live certificates that end before a time, the first to end first; of one organisation, or of all.

        One whose system has another that lives longer is left out: it was renewed.
        """
        at = self._store.clock.now()
        with self._store.reading() as db:
            owned = load_systems(db)
            found = [each for each in load_certificates(db) if not each.spent(at)]
        last = {each.system: each.valid_to for each in sorted(found, key=lambda each: each.valid_to)}
        return tuple(
            sorted(
                (
                    each
                    for each in found
                    if each.valid_to == last[each.system] < before
                    and organisation in {None, owned[each.system].organisation}
                ),
                key=lambda each: (each.valid_to, each.fingerprint),
            )
        )

    def _bind(
        self, owner: Organisation, system: SystemId, certificate: x509.Certificate, trust: Trust, how: str
    ) -> Certificate:
        ensure_fit(certificate)
        at = self._store.clock.now()
        made = Certificate(
            fingerprint=fingerprint_of(certificate),
            system=system,
            issuer=certificate.issuer.rfc4514_string(),
            serial=str(certificate.serial_number),
            subject=certificate.subject.rfc4514_string(),
            valid_from=certificate.not_valid_before_utc,
            valid_to=certificate.not_valid_after_utc,
            bound=at,
            revoked=None,
        )
        about, details = f"certificate {made.fingerprint}", {"system": system, "serial": made.serial, "by": how}
        with self._store.changing(Verb.CERTIFICATE_BIND, about, owner.id, details=details) as db:
            ensure_in_use(db, system)
            bound = load_certificates(db, system)
            ensure_bindable(certificate, owner_cvr=owner.cvr, trust=trust, bound=bound, at=at)
            bind_certificate(db, made)
        return made
