"""Who a certificate speaks for, by the subjects of OCES2 and OCES3 and their traps."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from control import Kind, TestAuthority, read_subject
from tests.control.builders import certificate, oces2, oces3

CVR = "12345678"


class TestOces3:
    @pytest.mark.parametrize(("letter", "kind"), [("O", Kind.ORGANISATION), ("E", Kind.EMPLOYEE), ("P", Kind.PERSON)])
    def test_the_kind_is_told_by_the_serial_number_attribute(self, letter: str, kind: Kind) -> None:
        assert read_subject(certificate(*oces3(CVR, letter))).kind is kind

    def test_the_cvr_number_is_in_the_organization_identifier(self) -> None:
        found = read_subject(certificate(*oces3(CVR, "O", "Omsorgssystem")))
        assert (found.cvr, found.name) == (CVR, "Omsorgssystem")
        assert found.identifier == "UI:DK-O:G:0f5e8f1a-6f2b-4f7c-9b57-0d3c7f0a1b2c"

    def test_a_cvr_number_that_fails_modulus_11_is_read_all_the_same(self) -> None:
        assert read_subject(certificate(*oces3("11111111", "O"))).cvr == "11111111"

    def test_the_test_authority_issues_this_shape(self, authority: TestAuthority) -> None:
        issued = authority.issue_system(CVR, "Fagsystemer ApS", "care")
        found = read_subject(x509.load_pem_x509_certificate(issued.cert_pem))
        assert (found.kind, found.cvr, found.name) == (Kind.ORGANISATION, CVR, "care")
        assert found.identifier.startswith("UI:DK-O:G:")


class TestOces2:
    @pytest.mark.parametrize(
        ("mark", "kind"), [("FID", Kind.ORGANISATION), ("UID", Kind.ORGANISATION), ("RID", Kind.EMPLOYEE)]
    )
    def test_the_kind_is_told_by_the_mark_in_a_multi_valued_rdn(self, mark: str, kind: Kind) -> None:
        found = read_subject(certificate(*oces2(CVR, mark)))
        assert (found.kind, found.cvr) == (kind, CVR)
        assert found.identifier == f"CVR:{CVR}-{mark}:1182254711"

    def test_the_cvr_number_may_stand_in_the_organisation_only(self) -> None:
        found = read_subject(
            certificate({NameOID.ORGANIZATION_NAME: f"Firma // CVR:{CVR}"}, {NameOID.COMMON_NAME: "Firma"})
        )
        assert (found.cvr, found.kind) == (CVR, Kind.UNKNOWN)

    def test_a_company_cannot_take_another_cvr_number_by_its_name(self) -> None:
        made = certificate({NameOID.ORGANIZATION_NAME: f"CVR:87654321 ApS // CVR:{CVR}"})
        assert read_subject(made).cvr == CVR


class TestTraps:
    @given(st.permutations(oces3(CVR, "O")), st.permutations(oces2(CVR, "FID")))
    def test_the_order_of_rdns_means_nothing(
        self, new: list[dict[x509.ObjectIdentifier, str]], old: list[dict[x509.ObjectIdentifier, str]]
    ) -> None:
        for rdns in (new, old):
            found = read_subject(certificate(*rdns))
            assert (found.kind, found.cvr) == (Kind.ORGANISATION, CVR)

    @pytest.mark.parametrize(("letter", "mark"), [("O", "RID"), ("E", "FID"), ("P", "UID"), ("P", "RID")])
    def test_a_subject_of_two_kinds_is_of_none(self, letter: str, mark: str) -> None:
        assert read_subject(certificate(*oces3(CVR, letter), *oces2(CVR, mark))).kind is Kind.UNKNOWN

    def test_a_subject_with_two_cvr_numbers_has_none(self) -> None:
        assert read_subject(certificate(*oces3(CVR, "O"), *oces2("87654321", "FID"))).cvr is None

    def test_two_cvr_numbers_in_two_organization_identifiers_are_none(self) -> None:
        made = certificate(*oces3(CVR, "O"), {NameOID.ORGANIZATION_IDENTIFIER: "NTRDK-87654321"})
        assert read_subject(made).cvr is None

    @pytest.mark.parametrize(
        "identifier",
        ["NTRDK-1234567", "NTRDK-123456789", "NTRDK-1234567a", "NTRSE-12345678", " NTRDK-12345678", "NTRDK-١٢٣٤٥٦٧٨"],
    )
    def test_what_is_not_quite_a_cvr_number_is_none(self, identifier: str) -> None:
        made = certificate({NameOID.ORGANIZATION_IDENTIFIER: identifier}, {NameOID.COMMON_NAME: "x"})
        assert read_subject(made).cvr is None

    @pytest.mark.parametrize(
        "serial", ["UI:DK-X:G:1", "ui:dk-o:g:1", "xUI:DK-O:G:1", "UI:DK-O", "PID:9208-2002-2-1", ""]
    )
    def test_a_kind_that_is_not_known_is_unknown(self, serial: str) -> None:
        subject = [{NameOID.COMMON_NAME: "x"}] + ([{NameOID.SERIAL_NUMBER: serial}] if serial else [])
        assert read_subject(certificate(*subject)).kind is Kind.UNKNOWN

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=16))
    def test_no_text_whatever_in_a_subject_raises(self, text: str) -> None:
        made = certificate({NameOID.SERIAL_NUMBER: text, NameOID.COMMON_NAME: text}, {NameOID.ORGANIZATION_NAME: text})
        assert read_subject(made).name == text
