"""Lists of revoked certificates (CRL, RFC 5280): read from files, taken only from authorities that are trusted."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from control.errors import RevocationListInvalid
from control.times import shown

_log = structlog.get_logger(__name__)

SUFFIXES: Final = frozenset({".crl", ".pem", ".der"})
_PEM: Final = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
_HASHES: Final = (SHA256, SHA384, SHA512)
_UNDERSTOOD: Final = frozenset(
    each.oid for each in (x509.CRLNumber, x509.AuthorityKeyIdentifier, x509.IssuingDistributionPoint)
)
"""Extensions that may be critical: a list with another one means something that is not known here."""

Stat = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """file      its name in the folder
    issuer    RFC 4514
    serials   of the certificates that it takes back, those on hold among them
    """

    file: str
    issuer: str
    issued: datetime
    next_update: datetime | None
    serials: frozenset[int]

    def overdue(self, at: datetime) -> bool:
        """Whether its issuer must have written another by now."""
        return self.next_update is not None and self.next_update <= at


def read_lists(file: str, content: bytes, authorities: Iterable[x509.Certificate]) -> tuple[RevocationList, ...]:
    """Every list in a file, PEM or DER. Raises RevocationListInvalid when one of them cannot be taken."""
    blocks = _PEM.findall(content)
    try:
        found = [x509.load_pem_x509_crl(block) for block in blocks] if blocks else [x509.load_der_x509_crl(content)]
        return tuple(_read(file, each, tuple(authorities)) for each in found)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise _invalid(file, f"it cannot be read ({type(error).__name__})", "fetch it from its issuer again") from None


def _read(file: str, found: x509.CertificateRevocationList, authorities: Sequence[x509.Certificate]) -> RevocationList:
    issuer = found.issuer.rfc4514_string()
    if not any(_signed_by(found, each) for each in authorities):
        raise _invalid(
            file, f"it is not signed by an authority that is trusted here ({issuer})",
            "put the issuing authority's own certificate into the trust folder, or remove the list",
        )  # fmt: skip
    for extension in found.extensions:
        point = extension.value
        if extension.oid == x509.DeltaCRLIndicator.oid:
            raise _invalid(file, "it is a delta to another list", "fetch the complete list")
        if isinstance(point, x509.IssuingDistributionPoint) and (
            point.indirect_crl or point.only_contains_attribute_certs
        ):
            raise _invalid(file, "it tells of other issuers' certificates", "fetch the issuer's own list")
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise _invalid(file, f"it has an extension that is not known here ({extension.oid.dotted_string})", "")
    return RevocationList(
        file=file,
        issuer=issuer,
        issued=found.last_update_utc,
        next_update=found.next_update_utc,
        serials=frozenset(each.serial_number for each in found),
    )


def _signed_by(found: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    if authority.subject != found.issuer or not isinstance(found.signature_hash_algorithm, _HASHES):
        return False
    try:
        usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.crl_sign:
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        return found.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False


def _invalid(file: str, why: str, remedy: str) -> RevocationListInvalid:
    return RevocationListInvalid(f"{file}: {why}", remedy=remedy or "ask its issuer for a plain list")


class ListFolder:
    """The lists in a folder, each file read once and again when it changes.

    A file that cannot be taken is ignored and the log says so; what it held before, as long as this process knows it,
    stays in force: a broken file must not let a revoked certificate in. A file that was removed is gone. A list that
    is overdue stays in force too (docs/decisions/0017-revocation-lists.md).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[Stat, tuple[RevocationList, ...]]] = {}
        self._told: set[tuple[str, datetime]] = set()
        self.broken: dict[str, str] = {}
        """File -> why it is ignored now."""

    def state(self) -> dict[str, Stat]:
        """What shows that a file changed, by name."""
        found: dict[str, Stat] = {}
        for path in sorted(self._folder.glob("*")):
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                found[path.name] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found

    def read(self, authorities: Iterable[x509.Certificate], *, again: bool = False) -> tuple[RevocationList, ...]:
        """The lists in force. again   read every file, for instance because the authorities changed"""
        authorities, state = tuple(authorities), self.state()
        for gone in self._kept.keys() - state.keys():
            _log.warning("revocation_list_removed", file=gone)
            del self._kept[gone]
        for gone in self.broken.keys() - state.keys():
            del self.broken[gone]
        for name, stat in state.items():
            known = self._kept.get(name)
            if known is None or known[0] != stat or again:
                self._kept[name] = (stat, self._lists(name, authorities, known[1] if known else ()))
        return tuple(each for _, lists in self._kept.values() for each in lists)

    def warn_overdue(self, at: datetime) -> None:
        """Tell the log, once, of each list whose next update has passed."""
        for _, lists in self._kept.values():
            for each in lists:
                key = (each.file, each.issued)
                if each.overdue(at) and each.next_update is not None and key not in self._told:
                    self._told.add(key)
                    _log.warning(
                        "revocation_list_overdue", file=each.file, issuer=each.issuer,
                        next_update=shown(each.next_update),
                    )  # fmt: skip

    def _lists(
        self, name: str, authorities: Sequence[x509.Certificate], before: tuple[RevocationList, ...]
    ) -> tuple[RevocationList, ...]:
        try:
            found = read_lists(name, (self._folder / name).read_bytes(), authorities)
        except (OSError, RevocationListInvalid) as error:
            self.broken[name] = error.message if isinstance(error, RevocationListInvalid) else str(error.strerror)
            _log.error("revocation_list_ignored", file=name, reason=self.broken[name], former_kept=bool(before))
            return before
        self.broken.pop(name, None)
        for each in found:
            _log.info("revocation_list_read", file=name, issuer=each.issuer, revoked=len(each.serials))
        return found
