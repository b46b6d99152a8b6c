"""PersonBaseDataExtended 4 and 5: what is answered, to whom, and that it always fits the established types."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from api.soap.established.person_answer import COLUMNS, full_years, is_minor, person_answer
from api.soap.established.person_types import NAMESPACE, person_schema
from api.soap.established.reference import Words
from api.soap.interface import declared, writer_of
from api.soap.notation import Name
from api.soap.writing import day, moment
from schemas import SHIPPED, Column, Dataset, Kind, load_registers
from tests.api.house import ANNA, BENT, CARL, Client
from tests.soap.post import ABROAD, ERIK, INGE, PERSON, TEEN, Office, answer_of, ask_person
from tests.soap.types import types_of

TYPES = {version: types_of(person_schema(version)) for version in (4, 5)}


@pytest.fixture
def privileged(office: Office) -> Iterator[Client]:
    """A system whose agreement may see protected persons of Aalborg, and few columns."""
    client = Client(office.house, office.port, "narrow")
    yield client
    client.close()


def seen(client: Client, pnr: str, version: int = 5) -> dict[str, Any]:
    """The answer by local names; a repeated element is a list."""
    found: dict[str, Any] = _plain(answer_of(ask_person(client, pnr, version)))
    return found


def _plain(element: Any) -> Any:
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = {}
    for each in element:
        name, value = etree.QName(each).localname, _plain(each)
        found[name] = [*found[name], value] if isinstance(found.get(name), list) else (
            [found[name], value] if name in found else value
        )  # fmt: skip
    return found


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("pnr", [ANNA, BENT, CARL, ERIK, INGE, TEEN, ABROAD])
def test_every_answer_fits_the_established_types_in_their_order(client: Client, pnr: str, version: int) -> None:
    TYPES[version].validate(answer_of(ask_person(client, pnr, version)))


class TestContent:
    def test_names_marks_and_dates(self, client: Client) -> None:
        person = seen(client, ERIK)["persondata"]
        assert person["navn"] == {
            "personadresseringsnavn": "Prøvesen,Erik Ø", "fornavn": "Erik", "mellemnavn": "Ø", "efternavn": "Prøvesen",
            "efternavnMarkering": "*", "navnestartdato": {"dato": "1960-07-01T00:00:00.000+01:00"},
        }  # fmt: skip
        assert person["status"] == {
            "status": "1", "statusdato": {"dato": "1991-09-23T00:00:00.000+02:00", "usikkerhedsmarkering": "*"},
        }  # fmt: skip
        assert (person["koen"], person["stilling"]) == ("M", "Møbelsnedker & <mester>")

    def test_children_are_counted_by_age_and_status(self, client: Client) -> None:
        """Of three, one is grown up and one has emigrated."""
        answer = seen(client, ERIK)
        assert answer["persondata"]["antalBoernUnder18"] == "1"
        assert len(answer["relationer"]["barn"]) == 3

    def test_an_address_with_codes_words_and_municipality(self, client: Client) -> None:
        address = seen(client, ERIK)["adresse"]["aktuelAdresse"]
        assert (address["kommuneCvr"], address["kommunekode"], address["vejkode"]) == ("29189420", "851", "123")
        assert (address["husnummer"], address["etage"], address["sidedoer"]) == ("007B", "02", "tv")
        assert (address["vejnavn"], address["adr1-supladr"]) == ("Prøvevej", "Baghuset")

    def test_christiansoe_is_bornholm_and_where_no_municipality_is_a_number_stands_in(self, client: Client) -> None:
        history = seen(client, ERIK)["adresse"]["adresseHistorik"]
        assert (history["kommunekode"], history["kommuneCvr"]) == ("400", "19435075")
        assert history["retFortrydMarkering"] == "K"

    def test_relatives_by_number_else_by_birth_date_and_name(self, client: Client) -> None:
        relations = seen(client, ERIK)["relationer"]
        assert relations["aegtefaelle"] == {"personnummer": INGE}
        assert relations["mor"] == {"foedselsdato": {"dato": "1930-01-02+01:00"}, "navn": "Olga Prøve"}
        assert relations["far"] == {"personnummer": ABROAD}

    def test_custody_and_guardianship(self, client: Client) -> None:
        assert seen(client, TEEN)["relationer"]["foraeldremyndighed"]["foraeldremyndighedtype"] == "3"
        guardianship = seen(client, ERIK)["persondata"]["umyndiggoerelse"]
        assert (guardianship["umyndiggjort"], guardianship["umyndiggorelseRelationType"]) == ("false", "1")

    def test_protections_of_three_kinds(self, client: Client) -> None:
        person = seen(client, ERIK)["persondata"]
        assert person["adressebeskyttelse"]["beskyttet"] == "false"
        assert person["adressebeskyttelse"]["slutdato"] == "2002-01-01+01:00"
        assert person["markedsfoeringsbeskyttelse"] == {"startdato": "2015-05-05+02:00", "beskyttet": "true"}

    def test_an_emigrant_has_departure_contact_address_and_no_current_one(self, client: Client) -> None:
        addresses = seen(client, ABROAD)["adresse"]
        assert addresses["aktuelAdresse"] == ""
        assert addresses["udrejseoplysninger"]["udlandsadresse1"] == "Prøvestrasse 1"
        assert addresses["kontaktAdresse"]["kontaktAdr1"] == "Kontakt 1"

    def test_version_5_has_what_version_4_has_not(self, client: Client) -> None:
        old, new = seen(client, ERIK, 4), seen(client, ERIK, 5)
        assert new["persondata"]["DeltBopælMarkering"] == "true"
        assert new["persondata"]["DeltBopælStartDato"] == "2019-03-01T00:00:00.000+01:00"
        assert new["persondata"]["umyndiggoerelse"]["VærgemålType"] == "FULD"
        assert new["adresse"]["aktuelAdresse"]["AdresseUUID"] == "0a3f50ab-1b2c-32b8-e044-0003ba298018"
        for name in ("DeltBopælMarkering", "DeltBopælStartDato"):
            assert name not in old["persondata"]
        assert "AdresseUUID" not in old["adresse"]["aktuelAdresse"]


class TestProtection:
    def test_a_protected_person_has_no_name_and_no_address(self, client: Client) -> None:
        reply = ask_person(client, BENT)
        person = _plain(answer_of(reply))
        assert person["persondata"]["navn"] == {"personadresseringsnavn": ""} or (person["persondata"]["navn"] == "")
        assert person["adresse"]["aktuelAdresse"] == ""
        assert person["persondata"]["adressebeskyttelse"]["beskyttet"] == "true"
        assert "Hemmelig" not in reply.body.decode()
        assert "Skjult" not in reply.body.decode()

    def test_an_agreement_may_let_them_be_seen(self, privileged: Client) -> None:
        assert seen(privileged, BENT)["persondata"]["navn"]["fornavn"] == "Bent Hemmelig"

    def test_columns_that_an_agreement_leaves_out_are_not_there(self, privileged: Client) -> None:
        person = seen(privileged, ERIK)
        assert "foedselsdato" not in person["persondata"]
        assert "stilling" not in person["persondata"]
        assert "civilstand" not in person["persondata"]
        assert person["adresse"]["aktuelAdresse"] == ""

    def test_a_person_outside_the_agreements_rows_is_not_found(self, privileged: Client) -> None:
        assert b"PNR not found" in ask_person(privileged, CARL).body


def _values(column: Column) -> st.SearchStrategy[Any]:
    return st.none() | _some(column)


def _some(column: Column) -> st.SearchStrategy[Any]:
    match column.kind:
        case Kind.OBJECT:
            return st.fixed_dictionaries({field.name: _values(field) for field in column.fields})
        case Kind.ARRAY:
            assert column.item is not None
            return st.lists(_some(column.item), max_size=2)
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.DATE:
            return st.dates(date(1850, 1, 1), date(2100, 1, 1))
        case Kind.TIMESTAMP:
            return st.datetimes()
    codes = ["01", "03", "60", "U", "G", "K", "0001", "0851", "0000000000", "6101701001", "FULD", "0"]
    return st.one_of(st.sampled_from(codes), st.text(max_size=8))


def _dataset() -> Dataset:
    return next(each for each in load_registers(SHIPPED).datasets if each.id == "cpr.persons")


class _NoWords(Words):
    def __init__(self) -> None:
        self._known: set[str] = set()  # type: ignore[assignment]


ROWS = st.fixed_dictionaries(
    {}, optional={column.name: _values(column) for column in _dataset().columns if column.name in COLUMNS}
)
WRITTEN = {
    version: writer_of(person_schema(version)).element(
        Name(NAMESPACE.format(version=version), "PersonLookupResponse"), declared(person_schema(version))
    )
    for version in (4, 5)
}


@settings(max_examples=150, deadline=None)
@given(row=ROWS, version=st.sampled_from([4, 5]), minors=st.integers(0, 25))
def test_whatever_a_row_holds_the_answer_fits_the_types(row: dict[str, Any], version: int, minors: int) -> None:
    text = WRITTEN[version](person_answer(row, minors, _NoWords(), date(2026, 11, 28)))
    TYPES[version].validate(text)


@given(st.datetimes())
def test_every_moment_is_written_with_one_of_two_offsets(when: Any) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0[12]:00", moment(when))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\+0[12]:00", day(when.date()))


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)))
def test_a_person_is_a_minor_until_the_eighteenth_birthday(born: date) -> None:
    child = {"birth_date": born, "status": "01"}
    birthday = date(born.year + 18, 3, 1) if (born.month, born.day) == (2, 29) else born.replace(year=born.year + 18)
    assert is_minor(child, birthday - timedelta(days=1))
    assert not is_minor(child, birthday)
    assert full_years(born, born) == 0


def test_the_namespace_is_the_established_one() -> None:
    assert NAMESPACE.format(version=5) == PERSON
