import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.errors import ProcessingInvalid
from control.texts import ensure_name
from kernel import OrganisationId, Window

LARGEST_DOCUMENT: Final = 20 * 1024 * 1024
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingAgreement:
    """A data-processing agreement (databehandleraftale, GDPR article 28) between a municipality and the operator.

    reference         what both sides call it, for instance a case number
    document_sha256   of the signed document, lower-case hex; the document itself lies where the parties keep it
    recorded_by       who wrote it down here
    """

    id: str
    municipality: OrganisationId
    reference: str
    document_sha256: str
    valid: Window
    recorded: datetime
    recorded_by: str

    def __post_init__(self) -> None:
        ensure_name(self.reference, "the reference", ProcessingInvalid)


def document_hash(document: bytes) -> str:
    """SHA-256 of a signed document, lower-case hex. Raises ProcessingInvalid for an empty or very large one."""
    if not document or len(document) > LARGEST_DOCUMENT:
        raise ProcessingInvalid(
            "the document is empty, or larger than 20 MB", remedy="give the signed document, for instance a PDF"
        )
    return hashlib.sha256(document).hexdigest()
