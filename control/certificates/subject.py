"""Who a Danish OCES certificate speaks for: the rules for its subject, in the form of today and the one before.

OCES3 (since 2021): `organizationIdentifier` (2.5.4.97) is `NTRDK-<CVR>`, `serialNumber` is `UI:DK-O:...` for an organisation or system, `UI:DK-E:` for
an employee, `UI:DK-P:` for a person. OCES2 (2013-2024): `serialNumber` is `CVR:<CVR>-FID:<n>` (function), `-UID:` (company) or `-RID:`
(employee), often in one multi-valued RDN with the common name, and O may read `<name> // CVR:<CVR>`. The order of RDNs means nothing, and
the certificate's own serial number is another thing than the attribute `serialNumber`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.x509.oid import NameOID

_NTR = re.compile(r"NTRDK-(\d{8})")
_CVR = re.compile(r"CVR:(\d{8})(?:-(FID|UID|RID):(\S+))?")


class Kind(StrEnum):
    """ORGANISATION speaks for a system or a whole organisation, and may call services; the others may not."""

    ORGANISATION = "organisation"
    EMPLOYEE = "employee"
    PERSON = "person"
    UNKNOWN = "unknown"


_UI = {"UI:DK-O:": Kind.ORGANISATION, "UI:DK-E:": Kind.EMPLOYEE, "UI:DK-P:": Kind.PERSON}
_OLD = {"FID": Kind.ORGANISATION, "UID": Kind.ORGANISATION, "RID": Kind.EMPLOYEE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """cvr   None when the subject names none; test certificates carry numbers that fail modulus 11
    identifier   what the issuer calls the subject, for instance `UI:DK-O:G:<uuid>`; empty when it names nothing
    """

    kind: Kind
    cvr: str | None
    identifier: str
    name: str


def read_subject(certificate: x509.Certificate) -> Subject:
    """Never raises: what cannot be told is unknown."""
    subject = certificate.subject

    def texts(oid: x509.ObjectIdentifier) -> list[str]:
        found = (attribute.value for attribute in subject.get_attributes_for_oid(oid))
        return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in found]

    serials = texts(NameOID.SERIAL_NUMBER)
    old = next((match for text in serials if (match := _CVR.fullmatch(text))), None)
    new = next((text for text in serials if text[:8] in _UI), None)
    cvr = next((match[1] for text in texts(NameOID.ORGANIZATION_IDENTIFIER) if (match := _NTR.fullmatch(text))), None)
    if cvr is None and old is not None:
        cvr = old[1]
    if cvr is None:
        found = (_CVR.search(text) for text in texts(NameOID.ORGANIZATION_NAME))
        cvr = next((match[1] for match in found if match), None)
    if new is not None:
        kind = _UI[new[:8]]
    else:
        kind = _OLD.get(old[2], Kind.UNKNOWN) if old is not None and old[2] else Kind.UNKNOWN
    names = texts(NameOID.COMMON_NAME)
    identifier = new or (old[0] if old is not None else "")
    return Subject(kind=kind, cvr=cvr, identifier=identifier, name=names[0] if names else "")
