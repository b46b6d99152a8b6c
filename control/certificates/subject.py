"""Who a Danish OCES certificate speaks for: the rules for its subject, in the form of today and the one before.

OCES3 (since 2021): `organizationIdentifier` (2.5.4.97) is `NTRDK-<CVR>`; `serialNumber` is `UI:DK-O:...` for an
organisation or system, `UI:DK-E:...` for an employee, `UI:DK-P:...` for a person.
OCES2 (2013-2024): `serialNumber` is `CVR:<CVR>-FID:<n>` (function), `-UID:` (company) or `-RID:` (employee), often in
one multi-valued RDN with the common name; O ends in `// CVR:<CVR>`, which says it where nothing else does.

The order of RDNs means nothing, and the certificate's own serial number is another thing than the attribute
`serialNumber`. A subject that says two things at once (two CVR numbers, two kinds) says nothing: a certificate is read
by several programs, and none of them may be led to another organisation than the rest.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

# [0-9] and not \d, which takes the digits of every script.
_NTR: Final = re.compile(r"NTRDK-([0-9]{8})")
_UI: Final = re.compile(r"UI:DK-([OEP]):(\S+)")
_OLD: Final = re.compile(r"CVR:([0-9]{8})(?:-(FID|UID|RID):(\S+))?")
_ORGANISATION: Final = re.compile(r"(?:.*//)?\s*CVR:([0-9]{8})(?:-(?:FID|UID|RID):\S+)?\s*")


class Kind(StrEnum):
    """ORGANISATION speaks for a system or a whole organisation, and may call services; the others may not."""

    ORGANISATION = "organisation"
    EMPLOYEE = "employee"
    PERSON = "person"
    UNKNOWN = "unknown"


_KINDS: Final = {
    "O": Kind.ORGANISATION,
    "E": Kind.EMPLOYEE,
    "P": Kind.PERSON,
    "FID": Kind.ORGANISATION,
    "UID": Kind.ORGANISATION,
    "RID": Kind.EMPLOYEE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """cvr   None when the subject names none, or more than one; test certificates carry numbers that fail modulus 11
    identifier   what the issuer calls the subject, for instance `UI:DK-O:G:<uuid>`; empty when it says nothing
    """

    kind: Kind
    cvr: str | None
    identifier: str
    name: str


def read_subject(certificate: x509.Certificate) -> Subject:
    """Never raises: what cannot be told is unknown."""
    try:
        subject = certificate.subject
    except ValueError:
        return Subject(kind=Kind.UNKNOWN, cvr=None, identifier="", name="")
    serials = _texts(subject, NameOID.SERIAL_NUMBER)
    old = [match for text in serials if (match := _OLD.fullmatch(text))]
    new = [match for text in serials if (match := _UI.fullmatch(text))]
    numbers = {match[1] for text in _texts(subject, NameOID.ORGANIZATION_IDENTIFIER) if (match := _NTR.fullmatch(text))}
    numbers |= {match[1] for match in old}
    names = _texts(subject, NameOID.ORGANIZATION_NAME)
    numbers |= {match[1] for text in names if (match := _ORGANISATION.fullmatch(text))}
    kinds = {_KINDS[match[1]] for match in new} | {_KINDS[match[2]] for match in old if match[2]}
    return Subject(
        kind=kinds.pop() if len(kinds) == 1 else Kind.UNKNOWN,
        cvr=numbers.pop() if len(numbers) == 1 else None,
        identifier=next((match[0] for match in (*new, *old)), ""),
        name=next(iter(_texts(subject, NameOID.COMMON_NAME)), ""),
    )


def _texts(subject: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    found = (attribute.value for attribute in subject.get_attributes_for_oid(oid))
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in found]
