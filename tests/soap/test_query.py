"""CPRQueryService 3: the query language, its limits and their texts, and who is found."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from api.soap.established.query import NAMESPACE, SCHEMA
from api.soap.established.query_search import folded, read_search
from api.soap.established.query_words import And, Everything, Or, QueryUnreadable, Span, Term, Without, read_query
from kernel import CallAnswered, Operation, RequestInvalid
from tests.api.house import AALBORG, ANNA, BENT, CARL, Client
from tests.soap.post import ABROAD, ERIK, GROWN, Office, answer_of, authority, fault_of, post
from tests.soap.types import types_of

PATH = "/service/CPR/Query/3"
TYPES = types_of(SCHEMA)
NO_DISTRICT = (
    'It is not allowed to search on distrikt, without kommunecvr (q=distrikt:"someValue" AND kommunecvr:"someCvr"'
)


def ask(client: Client, parameter: str) -> Any:
    escaped = parameter.replace("&", "&amp;").replace("<", "&lt;")
    inside = f"{authority()}<searchParameter>{escaped}</searchParameter>"
    return post(client, PATH, f'<callCPRPersonListRequest xmlns="{NAMESPACE}">{inside}</callCPRPersonListRequest>')


def found(client: Client, parameter: str) -> list[str]:
    answer = answer_of(ask(client, parameter))
    TYPES.validate(answer)
    numbers = [str(each.text) for each in answer.iter(f"{{{NAMESPACE}}}gaeldendePersonnummer")]
    assert int(answer.findtext(f"{{{NAMESPACE}}}antal")) >= len(numbers)
    return numbers


class TestFound:
    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            ("fornavn:Anna", [ANNA]),
            ("fornavn:anna", [ANNA]),
            ("fornavn:Ærø", [ANNA]),
            ("fornavn:aero", [ANNA]),
            ("fornavn:Ann*", [ANNA]),
            ("fornavn:Ann?", [ANNA]),
            ("fornavn:nna", []),
            ('fornavn:"Anna Ærø"', [ANNA]),
            ("Anna AND Prøve", [ANNA]),
            ("Erik OR Carl", [CARL, ERIK]),
            ("Erik Carl", [CARL, ERIK]),
            ("efternavn:Prøve* -fornavn:Anna -fornavn:Carl AND NOT fornavn:x", [ERIK]),
            ("(fornavn:Anna OR fornavn:Erik) AND kommunecvr:29189420", [ANNA, ERIK]),
            ("cprnummer:6101701001", [ANNA]),
            ('foedselsdato:["1960-01-01" TO "1960-12-31"]', [ERIK]),
            ("foedselsdato:[* TO 1900-01-01]", [ABROAD]),
            ("foedselsdato:1970-01-01", [ANNA]),
            ("doed:true AND foedselsdato:[* TO 1950-01-01]", [ABROAD]),
            ("status:1 AND vejnavn:Prøvevej", [ERIK]),
            ("husnummer:007B", [ERIK]),
            ("husnummer:7b", [ERIK]),
            ("husnummerlige:true AND kommunecvr:29189420", [ANNA]),
            ("sidedoer:tv AND etage:02", [ERIK]),
            ("standardadresse:provevej", [ANNA, ERIK]),
            ("by:Aalborg", [ERIK]),
            ("adresseUUID:0a3f50ab-1b2c-32b8-e044-0003ba298018", [ERIK]),
            ("historiskvejkode:1", [ERIK]),
            ("vejkode:0123", [ERIK]),
            ("kommunecvr:99999999", []),
            ("fornavn:Prøve", []),
        ],
    )
    def test_by_a_query(self, client: Client, query: str, numbers: list[str]) -> None:
        assert found(client, f"q={query}&rows=250") == numbers

    def test_with_filters_order_and_pages(self, client: Client) -> None:
        everybody = found(client, "q=*:*&rows=250&sort=cprnummer_sort DESC")
        assert everybody == sorted(everybody, reverse=True)
        assert found(client, "q=*:*&rows=3&start=2&sort=cprnummer_sort DESC") == everybody[2:5]
        assert found(client, "q=*:*&fq=fornavn:Anna&fq=status:01") == [ANNA]
        answer = answer_of(ask(client, "q=*:*&rows=0"))
        assert [each.text for each in answer] == [str(len(everybody))]

    def test_free_text_in_chosen_fields(self, client: Client) -> None:
        assert found(client, "q=Anna&qf=efternavn^20.0") == []
        assert found(client, "q=Anna&qf=efternavn^20.0 fornavn^1.0&defType=edismax&wt=xml&timeAllowed=1800") == [ANNA]

    def test_values_may_be_percent_encoded(self, client: Client) -> None:
        assert found(client, "q=fornavn%3AAnna%20%C3%86r%C3%B8") == [ANNA]

    def test_what_is_told_of_a_person(self, client: Client) -> None:
        answer = answer_of(ask(client, f"q=cprnummer:{ERIK}"))
        texts = {etree.QName(each).localname: each.text for each in answer.iter() if not len(each)}
        assert (texts["vejnavn"], texts["husnummer"], texts["nummer"], texts["kode"]) == (
            "Prøvevej", "007B", AALBORG, "851",
        )  # fmt: skip
        assert (texts["status"], texts["adressebeskyttelse"], texts["adrnavn"]) == ("1", "false", "Prøvesen,Erik Ø")

    def test_who_was_found_is_on_record(self, office: Office, client: Client) -> None:
        found(client, "q=fornavn:Anna")
        fact = office.house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.operation, fact.rows, fact.subjects) == (Operation.SEARCH, 1, (ANNA,))


class TestProtection:
    @pytest.mark.parametrize("query", ["fornavn:Bent", "Hemmelig", "vejnavn:Skjultvej", "standardadresse:Skjult*"])
    def test_a_protected_person_is_not_found_by_name_or_address(self, client: Client, query: str) -> None:
        assert found(client, f"q={query}") == []

    @pytest.mark.parametrize("name", ["Bent", "Anna", "Nobody"])
    def test_nor_by_what_their_name_is_not(self, client: Client, name: str) -> None:
        """Among those without a name, whatever the name."""
        assert BENT in found(client, f"q=NOT fornavn:{name}&rows=250")

    def test_found_by_number_name_and_address_are_withheld(self, client: Client) -> None:
        reply = ask(client, f"q=cprnummer:{BENT}")
        assert BENT.encode() in reply.body
        assert b"Hemmelig" not in reply.body
        assert b"Skjult" not in reply.body
        assert b"<ns3:adressebeskyttelse>true" in reply.body


class TestRefused:
    @pytest.mark.parametrize(
        ("parameter", "text"),
        [
            ("q=a&defType=lucene", "Only defType allowed is edismax"),
            ("q=a&rows=251", "rows too high (max 250)"),
            ("q=a&start=5001", "start too high (max 5000)"),
            ("q=a&timeAllowed=1801", "timeAllowed too high (max 1800)"),
            ("q=a&timeAllowed=0", "timeAllowed too low (min 1)"),
            ("q=a&fl=*", "Not allowed to set fl"),
            ("q=a&wt=json", "Not allowed to set wt"),
            ("q=a&debug=true", "Not allowed to set debug"),
            ("q=id:1", "id is not allowed as search parameter"),
            ("q=a&qf=id", "id is not allowed as qf parameter"),
            ("q=a&fq=id:1", "id is not allowed as fq parameter"),
            ("q=a&qf=distrikt", "distrikt not allowed in qf"),
            ("q=distrikt:x", NO_DISTRICT),
        ],
    )
    def test_with_the_text_that_clients_know(self, client: Client, parameter: str, text: str) -> None:
        fault = fault_of(ask(client, parameter))
        assert (fault.code, fault.text, fault.error_text) == ("soap:Client", text, text)

    @pytest.mark.parametrize(
        "parameter",
        [
            "", "hej", "q=(a", "q=a)", "q=fornavn:", "q=[a TO b]", "q=foedselsdato:[a TO b]", "q=foedselsdato:[1 2]",
            "q=skostoerrelse:42", "q=koen:[* TO *", "q=AND", "q=a&sort=skostoerrelse_sort", "q=a&rows=x", 'q="a',
            "q=doed:maaske", "q=" + "(" * 30 + "a" + ")" * 30, "q=" + "a " * 900, "q=" + "a" * 10_001, "q=---",
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_with_words_that_do_not_repeat_it(self, client: Client, parameter: str) -> None:
        fault = fault_of(ask(client, parameter))
        assert fault.error == "soap_payload_invalid"
        assert "skostoerrelse" not in fault.text


class TestLanguage:
    @pytest.mark.parametrize(
        ("text", "query"),
        [
            ("a", Term(None, "a")),
            ("*:*", Everything()),
            ("a AND b OR c", Or((And((Term(None, "a"), Term(None, "b"))), Term(None, "c")))),
            ("a -b", And((Term(None, "a"), Without(Term(None, "b"))))),
            ("x:(a OR b)^2.0", Or((Term("x", "a"), Term("x", "b")))),
            ('x:{a TO "b c"]', Span("x", "a", "b c", (False, True))),
            ("x:[* TO b}", Span("x", None, "b", (True, False))),
            ("!a && b", And((Without(Term(None, "a")), Term(None, "b")))),
            (r"x:a\:b", Term("x", r"a\:b")),
        ],
    )
    def test_is_read_into_a_tree(self, text: str, query: Any) -> None:
        assert read_query(text) == query

    @given(st.text(alphabet='ab:()[]{}"*?-+!^ANDOTR \\&|', max_size=40))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        with suppress(QueryUnreadable):
            read_query(text)

    @given(st.text(max_size=60))
    def test_any_parameter_is_read_or_refused(self, text: str) -> None:
        with suppress(RequestInvalid):
            read_search(text, lambda _: ())

    def test_danish_letters_fold(self) -> None:
        assert folded("JØRGEN Ærø Ås é") == "jorgen aero as e"


def test_everybody_is_found_once(client: Client) -> None:
    everybody = found(client, "q=*:*&rows=250")
    assert len(everybody) == len(set(everybody)) == 9
    assert GROWN in everybody
