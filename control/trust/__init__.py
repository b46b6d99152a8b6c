"""Trust: whose certificates are taken, and which of them their issuers have taken back."""

from control.trust.lists import ListFolder, RevocationList, read_lists
from control.trust.values import NO_TRUST, CertificateName, Chain, Trust, chain_of, load_trust, name_of

__all__ = [
    "NO_TRUST",
    "CertificateName",
    "Chain",
    "ListFolder",
    "RevocationList",
    "Trust",
    "chain_of",
    "load_trust",
    "name_of",
    "read_lists",
]
