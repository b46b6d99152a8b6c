"""Certificates: which may speak for a system, and when one stops doing so."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from control import Policy, TestAuthority, fingerprint_of, load_policy
from control.errors import (
    AuthorityInvalid,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateRefused,
    CertificateRevoked,
    CertificateUnknown,
    EmployeeCertificate,
    Unregistered,
)
from kernel import SystemId
from tests.control.builders import DAY, START, Cast, certificate, oces2, oces3, pem

Issue = Callable[..., bytes]
Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@pytest.fixture
def issue(authority: TestAuthority, cast: Cast) -> Issue:
    """PEM of a new certificate of the supplier's."""

    def issued(*, cvr: str = cast.supplier.cvr, start: datetime = START - DAY, days: int = 1000) -> bytes:
        return authority.issue_system(cvr, cast.supplier.name, "care", not_before=start, days=days).cert_pem

    return issued


@pytest.fixture
def signer(authority_folder: Path) -> Signer:
    """The test authority's own hand, for certificates that it would never issue."""
    key = load_pem_private_key((authority_folder / "issuing.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate((authority_folder / "issuing.pem").read_bytes()), key


def policy_of(cast: Cast) -> Policy:
    with cast.store.reading() as db:
        return load_policy(db)


class TestBinding:
    def test_a_bound_certificate_speaks_for_its_system(self, cast: Cast, issue: Issue, trust: Path) -> None:
        bound = cast.store.bind_certificate(cast.system.id, issue(), trust=trust)
        caller = policy_of(cast).identify(bound.fingerprint, START)
        assert (caller.system, caller.name, caller.organisation_cvr) == (cast.system.id, "care", cast.supplier.cvr)
        assert caller.credential == bound.fingerprint

    def test_it_is_kept_with_issuer_serial_number_and_dates(self, cast: Cast, issue: Issue, trust: Path) -> None:
        text = issue()
        read = x509.load_pem_x509_certificate(text)
        bound = cast.store.bind_certificate(cast.system.id, text, trust=trust)
        assert bound.fingerprint == fingerprint_of(read)
        assert (bound.serial, bound.issuer) == (str(read.serial_number), read.issuer.rfc4514_string())
        assert (bound.valid_from, bound.valid_to) == (read.not_valid_before_utc, read.not_valid_after_utc)

    def test_the_key_may_stand_in_the_same_file(self, cast: Cast, authority: TestAuthority, trust: Path) -> None:
        issued = authority.issue_system(cast.supplier.cvr, "Fagsystemer ApS", "care", not_before=START, days=9)
        assert cast.store.bind_certificate(cast.system.id, issued.key_pem + issued.cert_pem, trust=trust)

    def test_one_in_the_shape_of_oces2_is_taken(self, cast: Cast, signer: Signer, trust: Path) -> None:
        made = certificate(*oces2(cast.supplier.cvr, "FID"), signer=signer)
        assert cast.store.bind_certificate(cast.system.id, pem(made), trust=trust)

    @pytest.mark.parametrize(
        "text", [b"", b"certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_what_is_no_certificate_is_refused(self, cast: Cast, trust: Path, text: bytes) -> None:
        with pytest.raises(CertificateRefused, match="cannot be read"):
            cast.store.bind_certificate(cast.system.id, text, trust=trust)

    def test_there_must_be_such_a_system(self, cast: Cast, issue: Issue, trust: Path) -> None:
        with pytest.raises(Unregistered):
            cast.store.bind_certificate(SystemId("nobody"), issue(), trust=trust)

    def test_a_broken_trust_folder_is_the_operators_to_mend(self, cast: Cast, issue: Issue, trust: Path) -> None:
        (trust / "other.pem").write_text("not a certificate")
        with pytest.raises(AuthorityInvalid, match="trusted authorities"):
            cast.store.bind_certificate(cast.system.id, issue(), trust=trust)


class TestAttacks:
    def refused(self, cast: Cast, text: bytes, trust: Path) -> CertificateRefused:
        with pytest.raises(CertificateRefused) as refusal:
            cast.store.bind_certificate(cast.system.id, text, trust=trust)
        assert refusal.value.remedy
        assert cast.sql("SELECT count(*) FROM certificates WHERE revoked IS NULL AND valid_to > ?", "2031-02-10") == [
            (self.before,)
        ]
        return refusal.value

    before = 0

    def test_an_employees_certificate(self, cast: Cast, signer: Signer, trust: Path) -> None:
        for shape in (oces3(cast.supplier.cvr, "E"), oces2(cast.supplier.cvr, "RID")):
            refusal = self.refused(cast, pem(certificate(*shape, signer=signer)), trust)
            assert isinstance(refusal, EmployeeCertificate)
            assert refusal.rule == "certificate.kind"

    def test_a_persons_certificate(self, cast: Cast, signer: Signer, trust: Path) -> None:
        refusal = self.refused(cast, pem(certificate(*oces3(cast.supplier.cvr, "P"), signer=signer)), trust)
        assert refusal.rule == "certificate.kind"

    def test_another_organisations_certificate(self, cast: Cast, issue: Issue, trust: Path) -> None:
        refusal = self.refused(cast, issue(cvr=cast.rival.cvr), trust)
        assert refusal.rule == "certificate.cvr"
        assert cast.rival.cvr in refusal.message

    def test_a_certificate_of_two_organisations(self, cast: Cast, signer: Signer, trust: Path) -> None:
        both = (*oces3(cast.supplier.cvr, "O"), *oces2(cast.rival.cvr, "FID"))
        assert self.refused(cast, pem(certificate(*both, signer=signer)), trust).rule == "certificate.cvr"

    def test_one_of_another_authority_of_the_same_name(self, cast: Cast, trust: Path, tmp_path: Path) -> None:
        other = TestAuthority.open_or_create(tmp_path / "another").issue_system(
            cast.supplier.cvr, "Fagsystemer ApS", "care", not_before=START, days=9
        )
        assert self.refused(cast, other.cert_pem, trust).rule == "certificate.issuer"

    def test_one_that_signed_itself(self, cast: Cast, trust: Path) -> None:
        made = certificate(*oces3(cast.supplier.cvr, "O"))
        assert self.refused(cast, pem(made), trust).rule == "certificate.issuer"

    def test_one_signed_by_a_system_instead_of_an_authority(
        self, cast: Cast, authority: TestAuthority, trust: Path
    ) -> None:
        issued = authority.issue_system(cast.supplier.cvr, "Fagsystemer ApS", "care", not_before=START, days=9)
        # Even when the operator has put it in the trust folder by mistake.
        leaf = x509.load_pem_x509_certificate(issued.cert_pem)
        (trust / "leaf.pem").write_bytes(pem(leaf))
        key = load_pem_private_key(issued.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        made = certificate(*oces3(cast.supplier.cvr, "O"), signer=(leaf, key))
        assert self.refused(cast, pem(made), trust).rule == "certificate.issuer"

    def test_one_whose_authority_has_expired(self, cast: Cast, issue: Issue, trust: Path) -> None:
        text = issue(days=9000)
        cast.clock.moment += 6000 * DAY
        assert self.refused(cast, text, trust).rule == "certificate.issuer"

    def test_one_that_has_expired(self, cast: Cast, issue: Issue, trust: Path) -> None:
        assert self.refused(cast, issue(start=START - 9 * DAY, days=9), trust).rule == "certificate.valid_to"

    def test_the_same_certificate_on_two_systems(self, cast: Cast, issue: Issue, trust: Path) -> None:
        text = issue()
        cast.store.bind_certificate(cast.sibling.id, text, trust=trust)
        self.before = 1
        assert self.refused(cast, text, trust).rule == "certificate.one_system"

    def test_a_revoked_certificate_on_another_system(self, cast: Cast, issue: Issue, trust: Path) -> None:
        text = issue()
        cast.store.revoke_certificate(cast.store.bind_certificate(cast.sibling.id, text, trust=trust).fingerprint)
        assert self.refused(cast, text, trust).rule == "certificate.one_system"

    def test_a_third_live_certificate(self, cast: Cast, issue: Issue, trust: Path) -> None:
        for _ in range(2):
            cast.store.bind_certificate(cast.system.id, issue(), trust=trust)
        self.before = 2
        assert self.refused(cast, issue(), trust).rule == "certificate.live_per_system"

    def test_a_third_one_that_is_valid_from_tomorrow(self, cast: Cast, issue: Issue, trust: Path) -> None:
        for _ in range(2):
            cast.store.bind_certificate(cast.system.id, issue(start=START + DAY), trust=trust)
        self.before = 2
        assert self.refused(cast, issue(start=START + DAY), trust).rule == "certificate.live_per_system"


class TestRenewal:
    def test_the_old_and_the_new_one_answer_side_by_side(self, cast: Cast, issue: Issue, trust: Path) -> None:
        old, new = (cast.store.bind_certificate(cast.system.id, issue(), trust=trust) for _ in range(2))
        policy = policy_of(cast)
        assert policy.identify(old.fingerprint, START).system == policy.identify(new.fingerprint, START).system

    def test_a_revoked_or_expired_one_makes_room(self, cast: Cast, issue: Issue, trust: Path) -> None:
        first = cast.store.bind_certificate(cast.system.id, issue(), trust=trust)
        cast.store.bind_certificate(cast.system.id, issue(start=START, days=5), trust=trust)
        cast.store.revoke_certificate(first.fingerprint)
        cast.store.bind_certificate(cast.system.id, issue(), trust=trust)
        cast.clock.moment += 5 * DAY
        assert cast.store.bind_certificate(cast.system.id, issue(), trust=trust)


class TestIdentify:
    def test_a_certificate_that_was_never_bound(self, cast: Cast) -> None:
        with pytest.raises(CertificateUnknown):
            policy_of(cast).identify("0" * 64, START)

    def test_the_dates_are_half_open(self, cast: Cast, issue: Issue, trust: Path) -> None:
        bound = cast.store.bind_certificate(cast.system.id, issue(start=START + DAY, days=2), trust=trust)
        policy, second = policy_of(cast), DAY / 86_400
        with pytest.raises(CertificateNotYetValid, match="2031-02-11 08:00 UTC"):
            policy.identify(bound.fingerprint, START + DAY - second)
        assert policy.identify(bound.fingerprint, START + DAY)
        assert policy.identify(bound.fingerprint, START + 3 * DAY - second)
        with pytest.raises(CertificateExpired, match="2031-02-13 08:00 UTC"):
            policy.identify(bound.fingerprint, START + 3 * DAY)

    def test_a_revoked_one_is_told_so_and_when(self, cast: Cast, issue: Issue, trust: Path) -> None:
        bound = cast.store.bind_certificate(cast.system.id, issue(), trust=trust)
        cast.store.revoke_certificate(bound.fingerprint)
        cast.clock.moment += DAY
        cast.store.revoke_certificate(bound.fingerprint)
        with pytest.raises(CertificateRevoked, match="2031-02-10 08:00 UTC"):
            policy_of(cast).identify(bound.fingerprint, cast.clock.now())

    def test_what_was_never_bound_cannot_be_revoked(self, cast: Cast) -> None:
        with pytest.raises(Unregistered):
            cast.store.revoke_certificate("0" * 64)
