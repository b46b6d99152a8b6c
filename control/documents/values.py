from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kernel import AgreementId


class Language(StrEnum):
    DANISH = "da"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementDocument:
    """hash    SHA-256 of `agreement.json`, which is the `terms_hash` of every grant and ledger line
    files   name -> bytes: agreement.json (what is enforced), agreement.da.html, agreement.da.txt and the same in
            English, a detached signature beside each (.sig), and the public key (signing-key.pem)
    """

    agreement: AgreementId
    hash: str
    files: Mapping[str, bytes]
