from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from control.certificates.values import Certificate
from control.errors import CertificateRefused, Unregistered
from control.tables import CERTIFICATES
from control.times import from_text, from_text_or_none, to_text
from kernel import SystemId


def bind_certificate(db: Connection, certificate: Certificate) -> None:
    """Raises CertificateRefused when the certificate is bound already, to whichever system.

    Two with one issuer and serial number are one certificate, whatever else is in them: an issuer that numbers two
    alike cannot take one of them back without the other.
    """
    named = (CERTIFICATES.c.issuer == certificate.issuer) & (CERTIFICATES.c.serial == certificate.serial)
    same = CERTIFICATES.c.fingerprint == certificate.fingerprint
    if db.execute(select(CERTIFICATES.c.system).where(same | named)).first() is not None:
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


def find_certificate(db: Connection, fingerprint: str) -> Certificate:
    """A certificate that is or was bound. Raises Unregistered."""
    row = db.execute(select(CERTIFICATES).where(CERTIFICATES.c.fingerprint == fingerprint)).mappings().first()
    if row is None:
        raise Unregistered("no such certificate is bound", remedy="give the SHA-256 fingerprint in hex")
    return _certificate(row)


def revoke_certificate(db: Connection, fingerprint: str, at: datetime) -> None:
    """A certificate that was revoked before keeps its first day."""
    mine = CERTIFICATES.c.fingerprint == fingerprint
    db.execute(update(CERTIFICATES).where(mine & CERTIFICATES.c.revoked.is_(None)).values(revoked=to_text(at)))


def load_certificates(db: Connection, system: SystemId | None = None) -> tuple[Certificate, ...]:
    query = select(CERTIFICATES)
    if system is not None:
        query = query.where(CERTIFICATES.c.system == system)
    return tuple(_certificate(row) for row in db.execute(query).mappings())


def _certificate(row: RowMapping) -> Certificate:
    return Certificate(
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
