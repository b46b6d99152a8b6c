"""Organisations and systems: what may be registered, and what is said when it may not."""

import pytest

from control import ControlStore, OrganisationKind
from control.errors import ControlNotReady, OrganisationInvalid, SystemInvalid, Unregistered
from kernel import OrganisationId
from tests.control.builders import Cast, HandClock


class TestOrganisations:
    def test_what_is_registered_is_found_by_its_cvr_number(self, store: ControlStore) -> None:
        made = store.add_organisation(OrganisationKind.MUNICIPALITY, "29189846", "Ærø Kommune")
        assert store.find_organisation("29189846") == made

    def test_an_unknown_cvr_number_finds_nothing(self, store: ControlStore) -> None:
        assert store.find_organisation("29189846") is None

    def test_a_number_that_fails_modulus_11_is_taken_and_marked(self, store: ControlStore) -> None:
        assert not store.add_organisation(OrganisationKind.SUPPLIER, "11111111", "Testfirma").checked
        # Odense Kommune's number, from the public register of companies.
        assert store.add_organisation(OrganisationKind.MUNICIPALITY, "35209115", "Odense Kommune").checked

    @pytest.mark.parametrize("cvr", ["1234567", "123456789", "1234567x", "", " 2345678", "١٢٣٤٥٦٧٨"])
    def test_what_is_not_eight_digits_is_refused(self, store: ControlStore, cvr: str) -> None:
        with pytest.raises(OrganisationInvalid):
            store.add_organisation(OrganisationKind.SUPPLIER, cvr, "Firma")

    @pytest.mark.parametrize("name", ["", "  ", "x" * 201, "two\nlines", "tu\x00rn", "\u202egnp.exe"])
    def test_a_name_that_cannot_be_shown_on_one_line_is_refused(self, store: ControlStore, name: str) -> None:
        with pytest.raises(OrganisationInvalid):
            store.add_organisation(OrganisationKind.SUPPLIER, "12345678", name)

    def test_a_cvr_number_is_registered_once(self, cast: Cast) -> None:
        with pytest.raises(OrganisationInvalid, match="registered already"):
            cast.store.add_organisation(OrganisationKind.MUNICIPALITY, cast.supplier.cvr, "Once more")

    def test_a_text_full_of_sql_is_a_text(self, store: ControlStore) -> None:
        name = "Robert'); DROP TABLE organisations;--"
        store.add_organisation(OrganisationKind.SUPPLIER, "12345678", name)
        found = store.find_organisation("12345678")
        assert found is not None
        assert found.name == name


class TestSystems:
    def test_a_system_has_an_owner(self, cast: Cast) -> None:
        assert {each.name: each.organisation for each in cast.store.systems()} == {
            "care": cast.supplier.id,
            "school": cast.supplier.id,
        }

    def test_one_organisation_has_one_system_of_a_name(self, cast: Cast) -> None:
        with pytest.raises(SystemInvalid, match="already"):
            cast.store.add_system(cast.supplier.id, "care", purpose="Again.", contact="x")

    def test_another_organisation_may_use_the_same_name(self, cast: Cast) -> None:
        assert cast.store.add_system(cast.rival.id, "care", purpose="Competes.", contact="x").name == "care"

    def test_without_an_owner_there_is_no_system(self, cast: Cast) -> None:
        with pytest.raises(Unregistered):
            cast.store.add_system(OrganisationId("nobody"), "care", purpose="x", contact="x")


def test_a_database_without_tables_is_refused_with_what_to_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    for path in (tmp_path_factory.mktemp("empty") / "control.sqlite", "/no/such/folder/control.sqlite"):
        with pytest.raises(ControlNotReady) as refusal:
            ControlStore(f"sqlite:///{path}", environment="test", clock=HandClock())
        assert "knudepunkt init" in refusal.value.remedy
