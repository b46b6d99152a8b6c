"""CVR: a document of the register becomes a row that says what holds now and what held before."""

import io
import json
from datetime import date
from typing import Any

import pytest

from kernel import DatasetId
from schemas import SHIPPED, load_registers
from sync import CvrSpec, DeliveryUnreadable
from sync.quality import violations
from sync.sources.cvr.history import current, history, latest
from sync.sources.decoded import Decoded
from sync.testdata.companies import companies, production_units
from tests.sync.conftest import real_data
from tests.sync.reading import decoded_by

REGISTERS = load_registers(SHIPPED)
COMPANIES = REGISTERS.dataset(DatasetId("cvr.companies"))
UNITS = REGISTERS.dataset(DatasetId("cvr.production_units"))


def read(data: bytes, unit: str) -> Decoded:
    dataset = COMPANIES if unit == "company" else UNITS
    decoded = decoded_by(CvrSpec(unit=unit).decoder(dataset), data)  # type: ignore[arg-type]
    assert decoded.quarantine.is_empty(), decoded.quarantine
    return decoded


def rows_of(data: bytes, unit: str) -> dict[str, dict[str, Any]]:
    return {row["cvr" if unit == "company" else "p_number"]: row for row in read(data, unit).rows.to_pylist()}


def documents(data: bytes) -> list[dict[str, Any]]:
    return [next(iter(hit["_source"].values())) for hit in json.load(io.BytesIO(data))["hits"]["hits"]]


def slowly(values: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What holds now, read in another way: sorted by the day it ended, open ends last."""
    ranked = sorted(values, key=lambda v: (v["periode"]["gyldigTil"] or "9999", v["periode"]["gyldigFra"] or ""))
    return ranked[-1] if ranked else None


class TestTheRegistersOwnDocuments:
    def test_of_a_company_are_read_field_by_field(self) -> None:
        data = real_data("cvr", "company.json").read_bytes()
        (document,) = documents(data)
        (row,) = rows_of(data, "company").values()
        place = slowly(document["beliggenhedsadresse"])
        assert place is not None
        assert row["cvr"] == f"{document['cvrNummer']:08}"
        assert row["name"] == slowly(document["navne"])["navn"]  # type: ignore[index]
        assert row["address"]["road"] == place["vejnavn"]
        assert row["address"]["postcode"] == f"{place['postnummer']:04}"
        assert row["municipality_code"] == f"{place['kommune']['kommuneKode']:04}"
        assert row["industry_code"] == slowly(document["hovedbranche"])["branchekode"]  # type: ignore[index]
        assert row["advertising_protected"] is document["reklamebeskyttet"]
        for column, field in (("names", "navne"), ("addresses", "beliggenhedsadresse"), ("industries", "hovedbranche"),
                              ("forms", "virksomhedsform"), ("units", "penheder")):  # fmt: skip
            periods = sorted((v["periode"]["gyldigFra"], v["periode"]["gyldigTil"]) for v in document[field])
            found = [(_iso(each["valid_from"]), _iso(each["valid_to"])) for each in row[column]]
            assert found == periods

    def test_of_units_are_read_field_by_field(self) -> None:
        data = real_data("cvr", "units.json").read_bytes()
        rows = rows_of(data, "unit")
        found = documents(data)
        assert len(rows) == len(found) == 5
        for document in found:
            row = rows[f"{document['pNummer']:010}"]
            assert row["name"] == slowly(document["navne"])["navn"]  # type: ignore[index]
            assert row["cvr"] == f"{slowly(document['virksomhedsrelation'])['cvrNummer']:08}"  # type: ignore[index]
            ended = [each["periode"]["gyldigTil"] for each in document["livsforloeb"]]
            assert _iso(row["end_date"]) == (None if None in ended else max(ended))


class TestGeneratedDocuments:
    def test_hold_the_contracts_rules_and_belong_together(self) -> None:
        found, units = rows_of(companies(60, 1), "company"), rows_of(production_units(60, 1), "unit")
        assert len(found) == 60
        table = read(companies(60, 1), "company").rows
        assert violations(table, COMPANIES, lambda *_: pytest.fail("no key leads elsewhere")).held.is_empty()
        assert {unit["cvr"] for unit in units.values()} == set(found)
        for row in found.values():
            assert {each["p_number"] for each in row["units"]} == {
                number for number, unit in units.items() if unit["cvr"] == row["cvr"]
            }
        assert any(row["end_date"] for row in found.values())
        assert any(len(row["names"]) > 1 for row in found.values())
        assert any(len(row["addresses"]) > 1 for row in found.values())

    def test_have_numbers_that_hold_their_check_digit_and_nobody_has(self) -> None:
        for number in rows_of(companies(60, 1), "company"):
            digits = [int(each) for each in number]
            assert sum(w * d for w, d in zip((2, 7, 6, 5, 4, 3, 2, 1), digits, strict=True)) % 11 == 0
            assert number.startswith("99")

    def test_are_the_same_for_the_same_seed(self) -> None:
        assert companies(20, 3) == companies(20, 3) != companies(20, 4)


OLD = {"navn": "Før", "periode": {"gyldigFra": None, "gyldigTil": "2001-01-01"}}
NEW = {"navn": "Nu", "periode": {"gyldigFra": "2001-01-02", "gyldigTil": None}}


class TestHistory:
    def test_what_holds_now_has_no_end(self) -> None:
        assert current([NEW, OLD]) == NEW
        assert current([OLD]) is None
        assert current(None) is None

    def test_what_held_last_stands_in_when_all_has_ended(self) -> None:
        assert latest([OLD]) == OLD
        assert latest([]) is None

    def test_is_told_oldest_first(self) -> None:
        told = history([NEW, OLD], lambda value: {"name": value["navn"]})
        assert [each["name"] for each in told] == ["Før", "Nu"]
        assert told[1] == {"name": "Nu", "valid_from": "2001-01-02", "valid_to": None}


@pytest.mark.parametrize("change", [{"cvrNummer": None}, {"navne": "Navn"}, {"enhedsNummer": {}}])
def test_a_document_of_another_shape_is_held_back(change: dict[str, Any]) -> None:
    answer = json.loads(companies(2, 1))
    answer["hits"]["hits"][0]["_source"]["Vrvirksomhed"] |= change
    decoded = decoded_by(CvrSpec(unit="company").decoder(COMPANIES), json.dumps(answer).encode())
    assert (decoded.rows.num_rows, decoded.rows_quarantined) == (1, 1)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


class TestAnAnswerOfTheSearch:
    def test_with_documents_of_another_kind_has_them_held_back(self) -> None:
        data = production_units(3, 1)
        decoded = decoded_by(CvrSpec(unit="company").decoder(COMPANIES), data)
        assert (decoded.rows.num_rows, decoded.rows_quarantined) == (0, len(documents(data)))

    def test_that_found_nothing_is_a_delivery_of_no_rows(self) -> None:
        assert read(b'{"hits": {"hits": []}}', "company").rows_in == 0

    @pytest.mark.parametrize("data", [companies(3, 1)[:-4], b'{"error": "too_many_scrolls", "status": 503}'])
    def test_that_was_cut_off_or_failed_is_refused(self, data: bytes) -> None:
        with pytest.raises(DeliveryUnreadable):
            read(data, "company")

    def test_may_come_as_documents_line_by_line(self) -> None:
        data = companies(6, 1)
        hits = json.loads(data)["hits"]["hits"]
        lines = "\n".join(json.dumps(hit if number % 2 else hit["_source"]) for number, hit in enumerate(hits))
        decoder = CvrSpec(unit="company", per_line=True).decoder(COMPANIES)
        assert decoded_by(decoder, lines.encode()).rows.equals(read(data, "company").rows)
