"""What the platform says where the register says less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Dataset
from sync.sources.cpr.presented import (
    LONGEST_ADDRESS,
    NO_MUNICIPALITY_CVR,
    civil_status,
    house_number,
    municipality_cvr,
    presented_municipality,
    standard_address,
)
from sync.testdata import generate
from tests.sync.conftest import real_data
from tests.sync.test_cpr_decoder import decode

CVR = {"0400": "26696348", "0851": "29189420"}


class TestAMunicipality:
    def test_of_christiansoe_is_bornholm(self) -> None:
        assert presented_municipality("0411") == "0400"
        assert municipality_cvr("0411", CVR) == "26696348"

    def test_is_known_by_its_cvr_number(self) -> None:
        assert municipality_cvr("0851", CVR) == "29189420"

    @pytest.mark.parametrize("code", ["0956", "0000", "0010", "", None])
    def test_that_is_none_in_denmark_has_kombits_number_instead(self, code: str | None) -> None:
        assert municipality_cvr(code, CVR) == NO_MUNICIPALITY_CVR == "19435075"

    def test_decides_the_rows_municipality_and_leaves_the_address_as_delivered(self, persons: Dataset) -> None:
        delivery = b"".join(generate(4, 1)).replace(b"0101", b"0411")
        rows = decode(delivery, persons).rows.to_pylist()
        assert {row["municipality_code"] for row in rows} == {"0400"}
        assert {row["address"]["municipality_code"] for row in rows if row["address"]} == {"0411"}


class TestACivilStatus:
    def test_that_is_not_told_is_unmarried(self) -> None:
        assert [civil_status(code) for code in (None, "", "G")] == ["U", "U", "G"]


class TestAHouseNumber:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [("9", "009"), ("009", "009"), ("12b", "012B"), ("012 B", "012B"), ("0165", "165"), ("", ""), (None, None),
         ("12-14", "12-14"), ("1234", "1234")],
    )  # fmt: skip
    def test_has_three_digits_and_a_letter(self, text: str | None, shown: str | None) -> None:
        assert house_number(text) == shown

    @given(st.integers(1, 999), st.sampled_from(["", "A", "Æ", "z"]))
    def test_presented_again_stays_as_it_is(self, number: int, letter: str) -> None:
        shown = house_number(f"{number}{letter}")
        assert shown is not None
        assert (shown[:3], house_number(shown)) == (f"{number:03}", shown)


class TestAStandardAddress:
    def test_is_the_registers_own_for_every_person_of_the_real_delivery(self, persons: Dataset) -> None:
        rows = decode(real_data("cpr", "layout_a_80_persons.txt").read_bytes(), persons).rows.to_pylist()
        texts = [row["address_text"] for row in rows]
        assert sum(text["street_address"] is not None for text in texts) > 60
        for text in texts:
            assert _of(text) == text["street_address"]

    def test_is_the_one_that_generated_persons_have(self, persons: Dataset) -> None:
        for row in decode(b"".join(generate(4_000, 1)), persons).rows.to_pylist():
            assert _of(row["address_text"]) == row["address_text"]["street_address"]

    @pytest.mark.parametrize(
        ("parts", "shown"),
        [
            (("Prøvevej", "007"), "Prøvevej 7"),
            (("Prøvevej", "007B"), "Prøvevej 7 B"),
            (("Søndre Testvej nr. 12", "007B", "05", "0012"), "Søndre Testvej nr. 12 7 B,5,-12"),
            (("En vej med tyve tegn", "107B", "st", "0012a"), "En vej med tyve tegn 107 B,st,-12a"),
            (("En vej med 22 tegn i..", "107B", "st", "0012"), "En vej med 22 tegn i.. 107B,st,-12"),
            (("Prøvevej", "007", "02", "  tv"), "Prøvevej 7,2 tv"),
            (("Prøvevej", "007", "st", "MF"), "Prøvevej 7,st MF"),
            (("Prøvevej", "", "", "", "0123"), "Prøvevej"),
            (("", "007"), None),
            ((None, "007"), None),
        ],
    )
    def test_follows_the_registers_rule(self, parts: tuple[str | None, ...], shown: str | None) -> None:
        assert standard_address(*parts) == shown

    def test_in_greenland_names_the_building_of_a_house_without_a_number(self) -> None:
        assert standard_address("Aqqusinersuaq", "", "", "", "B123", municipality="0956") == "Aqqusinersuaq BNR B123"
        assert standard_address("Aqqusinersuaq", "009", "", "", "B123", municipality="0956") == "Aqqusinersuaq 9"

    @given(
        st.tuples(*[st.text("abæ 0123", max_size=length) for length in (20, 4, 2, 4, 4)]),
        st.sampled_from(["0851", "0956"]),
    )
    def test_is_never_longer_than_the_field_it_stands_in(self, parts: tuple[str, ...], municipality: str) -> None:
        shown = standard_address(*parts, municipality=municipality)
        assert shown is None or 0 < len(shown) <= LONGEST_ADDRESS


def _of(text: dict[str, str]) -> str | None:
    return standard_address(
        text["road_addressing_name"], text["house_number"], text["floor"], text["door"], text["building_number"],
        municipality=text["municipality_code"],
    )  # fmt: skip
