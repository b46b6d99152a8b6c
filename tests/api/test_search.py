"""Search over the wire: what is found, what may be searched by, and what must not be found out."""

from typing import Any

import pytest

from kernel import CallAnswered, Operation
from tests.api.conftest import Connect
from tests.api.house import ANNA, BENT, CARL, ODENSE, Client, House, Reply


def search(client: Client, service: str, body: dict[str, Any], **headers: str) -> Reply:
    return client.post(f"/v1/services/{service}/search", body, **headers)


def keys(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.body
    return [each["key"] for each in reply.json["records"]]


class TestASearch:
    def test_gives_the_records_that_meet_its_conditions(self, connect: Connect) -> None:
        body = {"where": [{"column": "population", "ge": 210_000}], "columns": ["name"]}
        reply = search(connect("one"), "municipalities", body)
        assert reply.json["records"] == [{"key": "0851", "record": {"name": "Aalborg"}, "withheld": []}]
        assert reply.headers["knudepunkt-snapshot"] == str(reply.json["snapshot"])
        assert "next" not in reply.json

    def test_by_a_secondary_key_is_answered_from_the_segments(
        self, house: House, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(house.lake), "search", lambda *_, **__: pytest.fail("the lake was asked"))
        assert keys(search(connect("one"), "municipalities", {"where": [{"column": "cvr", "eq": ODENSE}]})) == ["0461"]
        assert keys(search(connect("one"), "municipalities", {"where": [{"column": "cvr", "eq": "00000000"}]})) == []

    def test_is_sorted_and_paged(self, connect: Connect) -> None:
        body: dict[str, Any] = {"sort": ["-name"], "limit": 1}
        first = search(connect("one"), "municipalities", body)
        second = search(connect("one"), "municipalities", body | {"cursor": first.json["next"]})
        assert keys(first) + keys(second) == ["0461", "0851"]
        assert "next" not in second.json

    def test_is_on_record_with_those_whom_it_found(self, house: House, connect: Connect) -> None:
        keys(search(connect("one"), "cpr-person-search", {"where": [{"column": "municipality_code", "eq": "0851"}]}))
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.operation, fact.rows, fact.keys) == (Operation.SEARCH, 2, 0)
        assert fact.subjects == (ANNA, BENT)

    def test_several_conditions_on_one_column_all_hold(self, connect: Connect) -> None:
        body = {"where": [{"column": "population", "ge": 1, "lt": 210_000}]}
        assert keys(search(connect("one"), "municipalities", body)) == ["0461"]


class TestAProtectedPerson:
    @pytest.mark.parametrize(
        "condition",
        [
            {"column": "name.given_names", "prefix": "Bent"},
            {"column": "name.surname", "eq": "Prøve"},
            {"column": "address_text.postcode", "null": False},
        ],
    )
    def test_is_not_found_by_name_or_address(self, connect: Connect, condition: dict[str, Any]) -> None:
        assert BENT not in keys(search(connect("one"), "cpr-person-search", {"where": [condition]}))

    def test_is_found_otherwise_without_name_and_address(self, connect: Connect) -> None:
        body = {"where": [{"column": "municipality_code", "eq": "0851"}], "columns": ["status", "name"]}
        records = {each["key"]: each for each in search(connect("one"), "cpr-person-search", body).json["records"]}
        assert records[BENT]["record"] == {"status": "01", "name": None}
        assert records[BENT]["withheld"] == ["name"]
        assert records[ANNA]["record"]["name"]["surname"] == "Prøve"

    def test_is_found_by_name_when_the_protection_has_ended(self, connect: Connect) -> None:
        body = {"where": [{"column": "name.given_names", "eq": "Carl"}]}
        assert keys(search(connect("one"), "cpr-person-search", body)) == [CARL]


class TestAnAgreement:
    def test_that_shows_some_rows_finds_no_other(self, connect: Connect) -> None:
        assert keys(search(connect("two"), "cpr-person-search", {})) == [ANNA, BENT]

    def test_that_lets_protected_names_out_finds_by_them(self, connect: Connect) -> None:
        body = {"where": [{"column": "name.given_names", "prefix": "Bent"}]}
        assert keys(search(connect("two"), "cpr-person-search", body)) == [BENT]

    @pytest.mark.parametrize(
        "body",
        [
            {"where": [{"column": "birth_date", "ge": "1980-01-01"}]},
            {"sort": ["birth_date"]},
            {"columns": ["birth_date"]},
        ],
    )
    def test_that_does_not_show_a_column_is_not_asked_round_about(self, connect: Connect, body: dict[str, Any]) -> None:
        reply = search(connect("two"), "cpr-person-search", body)
        assert (reply.status, reply.code) == (403, "columns_not_covered")

    def test_for_lookups_alone_carries_no_search(self, connect: Connect) -> None:
        reply = search(connect("one"), "cpr-persons", {})
        assert (reply.status, reply.code) == (404, "operation_unknown")


class TestASearchThatCannotBeUnderstood:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ([], "body_invalid"),
            ({"were": []}, "body_invalid"),
            ({"where": {}}, "body_invalid"),
            ({"where": [{"eq": "0851"}]}, "body_invalid"),
            ({"where": [{"column": "name"}]}, "body_invalid"),
            ({"where": [{"column": "name", "like": "A%"}]}, "body_invalid"),
            ({"where": [{"column": "name", "eq": "A"}] * 21}, "body_invalid"),
            ({"limit": "5"}, "body_invalid"),
            ({"limit": True}, "body_invalid"),
            ({"limit": 0}, "search_invalid"),
            ({"cursor": 5}, "body_invalid"),
            ({"cursor": "W10"}, "cursor_invalid"),
            ({"sort": "name"}, "body_invalid"),
            ({"where": [{"column": "population", "eq": "many"}]}, "search_invalid"),
            ({"where": [{"column": "mayor", "eq": "0101701001"}]}, "not_searchable"),
            ({"columns": ["mayor"]}, "column_unknown"),
            ({"as_of": "yesterday"}, "parameter_invalid"),
            ({"as_of": "2026-11-01T12:00:00Z", "snapshot": 3}, "parameter_invalid"),
        ],
    )
    def test_is_refused_without_its_values(self, connect: Connect, body: Any, code: str) -> None:
        reply = search(connect("one"), "municipalities", body)
        assert (reply.status, reply.code) == (400, code)
        assert "0101701001" not in reply.body.decode()


class TestThePast:
    def test_is_answered_by_snapshot_and_by_time(self, house: House, connect: Connect) -> None:
        client = connect("one")
        now = client.lookup("municipalities", {"key": "0851"})
        past = client.lookup("municipalities", {"key": "0851", "snapshot": now.json["snapshot"]})
        assert past.json["record"] == now.json["record"]
        assert past.json["snapshot"] == now.json["snapshot"]
        person = client.lookup("cpr-persons", {"key": ANNA})
        again = client.lookup("cpr-persons", {"key": ANNA, "as_of": "2100-01-01T00:00:00Z"})
        assert again.json["record"] == person.json["record"]

    def test_keeps_a_protected_person_hidden(self, connect: Connect) -> None:
        reply = connect("one").lookup("cpr-persons", {"key": BENT, "as_of": "2100-01-01T00:00:00+01:00"})
        assert reply.json["record"]["name"] is None
        assert "name" in reply.json["withheld"]

    @pytest.mark.parametrize("moment", [{"as_of": "2001-01-01T00:00:00Z"}, {"snapshot": 1}])
    def test_that_is_not_kept_is_gone(self, connect: Connect, moment: dict[str, Any]) -> None:
        reply = connect("one").lookup("municipalities", {"key": "0851", **moment})
        assert (reply.status, reply.code) == (410, "history_expired")

    @pytest.mark.parametrize(
        "moment", [{"as_of": 5}, {"as_of": "2026-11-01"}, {"snapshot": "one"}, {"snapshot": -1}, {"snapshot": True}]
    )
    def test_that_is_no_moment_is_refused(self, connect: Connect, moment: dict[str, Any]) -> None:
        reply = connect("one").lookup("municipalities", {"key": "0851", **moment})
        assert (reply.status, reply.code) == (400, "parameter_invalid")

    def test_can_be_extracted(self, connect: Connect) -> None:
        client = connect("one")
        snapshot = client.lookup("municipalities", {"key": "0851"}).json["snapshot"]
        past = client.get(f"/v1/services/municipalities-extract/extract?snapshot={snapshot}")
        assert past.status == 200
        assert past.body == client.get("/v1/services/municipalities-extract/extract").body
        gone = client.get("/v1/services/municipalities-extract/extract?as_of=2001-01-01T00:00:00Z")
        assert (gone.status, gone.code) == (410, "history_expired")
