from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from control.certificates.values import Certificate
from control.errors import CertificateRefused, Unregistered
from control.tables import CERTIFICATES
from control.times import from_text, from_text_or_none, to_text
from kernel import SystemId


def bind_certificate(db: Connection, certificate: Certificate) -> None:
    """Raises CertificateRefused when the certificate is bound already, to whichever system."""
    same = CERTIFICATES.c.fingerprint == certificate.fingerprint
    if db.execute(select(CERTIFICATES.c.system).where(same)).first() is not None:
        raise CertificateRefused(
            "it is or was bound to a system already",
            remedy="a certificate works for exactly one system; issue another",
            rule="certificate.one_system",
        )
    values: dict[str, Any] = {
        "fingerprint": certificate.fingerprint,
        "system": certificate.system,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "subject": certificate.subject,
        "valid_from": to_text(certificate.valid_from),
        "valid_to": to_text(certificate.valid_to),
        "bound": to_text(certificate.bound),
        "revoked": None,
    }
    db.execute(insert(CERTIFICATES).values(values))


def system_of(db: Connection, fingerprint: str) -> SystemId:
    """The system that a certificate is or was bound to. Raises Unregistered."""
    found = db.execute(select(CERTIFICATES.c.system).where(CERTIFICATES.c.fingerprint == fingerprint)).first()
    if found is None:
        raise Unregistered("no such certificate is bound", remedy="give the SHA-256 fingerprint in hex")
    return SystemId(found.system)


def revoke_certificate(db: Connection, fingerprint: str, at: datetime) -> None:
    """A certificate that was revoked before keeps its first day."""
    mine = CERTIFICATES.c.fingerprint == fingerprint
    db.execute(update(CERTIFICATES).where(mine & CERTIFICATES.c.revoked.is_(None)).values(revoked=to_text(at)))


def load_certificates(db: Connection, system: SystemId | None = None) -> tuple[Certificate, ...]:
    query = select(CERTIFICATES)
    if system is not None:
        query = query.where(CERTIFICATES.c.system == system)
    return tuple(
        Certificate(
            fingerprint=row["fingerprint"],
            system=SystemId(row["system"]),
            issuer=row["issuer"],
            serial=row["serial"],
            subject=row["subject"],
            valid_from=from_text(row["valid_from"]),
            valid_to=from_text(row["valid_to"]),
            bound=from_text(row["bound"]),
            revoked=from_text_or_none(row["revoked"]),
        )
        for row in db.execute(query).mappings()
    )
