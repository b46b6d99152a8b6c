"""POST /v1/explain: what a call would meet, and that nothing is counted or kept for it."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from api.rest.openapi import document
from control import Agreements, ServiceTerms
from kernel import Limits
from tests.api.administration.staff import Office
from tests.api.house import AALBORG, ODENSE, Client, House, Reply

PATH = "/v1/explain"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office.open(tmp_path_factory.mktemp("office")) as office:
        yield office


@pytest.fixture(scope="module")
def house(office: Office) -> House:
    return office.house


def ask(office: Office, who: str | None, service: str = "cpr-persons", **fields: Any) -> Reply:
    return office.post(who, PATH, {"service": service, **fields})


def codes(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.body
    assert reply.json["admitted"] == (not reply.json["refusals"])
    return [each["code"] for each in reply.json["refusals"]]


class TestASystemAboutItself:
    def test_is_told_what_would_carry_the_call(self, office: Office, house: House) -> None:
        told = ask(office, "two", columns=["pnr", "name"]).json
        assert told["admitted"]
        assert told["agreement"] == house.agreements["two"]
        assert told["columns"] == ["name", "pnr", "status"]
        assert told["rows"] == {"municipality_code": ["0851"]}

    def test_is_told_every_refusal_at_once_with_rule_and_remedy(self, office: Office) -> None:
        reply = ask(office, "two", columns=["address"], keys=5_000)
        assert codes(reply) == ["too_many_keys", "columns_not_covered"]
        assert all(each["rule"] and each["remedy"] for each in reply.json["refusals"])

    def test_meets_what_a_call_would_meet(self, office: Office, house: House) -> None:
        assert codes(ask(office, "lonely")) == ["agreement_missing"]
        assert codes(ask(office, "two", municipality=ODENSE)) == ["agreement_missing"]
        ambiguous = ask(office, "both", "municipalities")
        client = office.asking("both")
        called = client.get("/v1/services/municipalities/records/0851")
        assert codes(ambiguous) == [called.code]
        assert codes(ask(office, "both", "municipalities", agreement=house.agreements[f"both-{AALBORG}"])) == []

    def test_may_name_itself(self, office: Office, house: House) -> None:
        for name in ("two", house.systems["two"]):
            assert codes(ask(office, "two", system=name)) == []

    def test_sees_other_times(self, office: Office) -> None:
        assert "certificate_unknown" in codes(ask(office, "two", at="2034-01-01T12:00:00+01:00"))

    def test_spends_nothing_and_leaves_nothing(self, office: Office, house: House) -> None:
        name = f"limited-{uuid4()}"
        house.add_system(name)
        house.agree(name, name, AALBORG, {"municipalities": ServiceTerms()}, Limits(calls_per_minute=1))
        house.settle()
        kept = len(house.facts)
        for _ in range(3):
            told = ask(office, name, "municipalities").json
            assert told["admitted"]
            assert [each["left"] for each in told["limits"]] == [1]
        assert len(house.facts) == kept
        with ExitStack() as stack:
            client = Client(house, office.port, name)
            stack.callback(client.close)
            assert client.get("/v1/services/municipalities/records/0851").status == 200
        assert codes(ask(office, name, "municipalities")) == ["rate_limited"]

    def test_is_told_of_a_suspension(self, office: Office, house: House) -> None:
        Agreements(house.control, None).suspend(house.agreements["two"])
        house.settle()
        assert codes(ask(office, "two")) == ["agreement_not_live"]
        Agreements(house.control, None).resume(house.agreements["two"])
        house.settle()


class TestOthers:
    def test_cannot_be_asked_about_and_who_there_is_does_not_show(self, office: Office, house: House) -> None:
        for who in ("one", "supplier-administrator", "data-controller"):
            real, none = (ask(office, who, system=name) for name in ("two", str(uuid4())))
            assert (real.status, real.code) == (403, "operators_only")
            assert {**real.json, "instance": ""} == {**none.json, "instance": ""}
            assert house.refused().code == "operators_only"

    def test_are_for_operators(self, office: Office, house: House) -> None:
        for who in ("operator", "operator-person"):
            assert ask(office, who, system="two").json["agreement"] == house.agreements["two"]
            assert ask(office, who, system="nobody").code == "unregistered"
        assert ask(office, "operator-person").code == "body_invalid"

    def test_need_a_certificate(self, office: Office) -> None:
        assert ask(office, None).status == 401
        assert ask(office, "unbound").status == 401


@pytest.mark.parametrize(
    "fields",
    [
        {"keys": 0}, {"keys": True}, {"keys": 10**9}, {"columns": []}, {"columns": ["a b"]}, {"columns": "pnr"},
        {"at": "tomorrow"}, {"at": "2027-01-01T08:00"}, {"at": "9999-12-31T23:59:59-12:00"}, {"at": 1},
        {"municipality": "6101701001"}, {"agreement": "x"}, {"purpose": "A B"}, {"service": None}, {"system": 1},
        {"pnr": "6101701001"}, {"6101701001": 1},
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_named_and_not_repeated(office: Office, fields: dict[str, Any]) -> None:
    reply = office.post("two", PATH, {"service": "cpr-persons", **fields})
    assert (reply.status, reply.code) == (400, "body_invalid")
    assert b"6101701001" not in reply.body


def test_other_methods_and_unknown_services_are_refused(office: Office) -> None:
    assert office.get("two", PATH).code == "method_not_allowed"
    assert ask(office, "two", "no-such-service").status == 404


def test_it_stands_in_the_openapi_document(house: House) -> None:
    assert set(document(house.registers, "0")["paths"][PATH]) == {"post"}
