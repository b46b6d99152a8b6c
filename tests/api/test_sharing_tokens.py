"""A system's own tokens of the open bulk face, over REST with its certificate."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from api.rest.openapi import document
from control import ServiceTerms, Sharing
from control.sharing.door import MOST
from tests.api.house import AALBORG, Client, House, Reply, serving
from tests.api.shared import sharing

BASE = "/v1/sharing/tokens"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House.open(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
def port(house: House) -> Iterator[int]:
    with sharing(house) as port:
        yield port


@pytest.fixture
def one(house: House, port: int) -> Iterator[Client]:
    client = Client(house, port, "one")
    yield client
    client.close()


@pytest.fixture
def two(house: House, port: int) -> Iterator[Client]:
    client = Client(house, port, "two")
    yield client
    client.close()


def make(client: Client, agreement: str = "one", **fields: Any) -> Reply:
    reply = client.post(BASE, {"agreement": client.house.agreements[agreement], **fields})
    client.house.settle()
    return reply


def shares(house: House, port: int, token: str) -> Reply:
    client = Client(house, port, None)
    try:
        return client.get("/sharing/shares", Authorization=f"Bearer {token}")
    finally:
        client.close()


class TestMaking:
    def test_gives_a_profile_that_opens_the_agreement(self, house: House, port: int, one: Client) -> None:
        made = make(one, days=1)
        assert made.status == 201
        assert made.json["profile"]["endpoint"] == f"https://localhost:{port}/sharing"
        opened = shares(house, port, made.json["profile"]["bearerToken"])
        assert [each["name"] for each in opened.json["items"]] == [house.agreements["one"]]

    def test_is_in_the_audit_trail_under_the_systems_name(self, house: House, one: Client) -> None:
        made = make(one).json
        with house.control.reading() as db:
            lines = [str(tuple(row)) for row in db.exec_driver_sql("SELECT * FROM audit").all()]
        (line,) = [each for each in lines if made["id"] in each]
        assert "the system one" in line
        assert made["profile"]["bearerToken"] not in "".join(lines)

    def test_ends_with_the_certificate_at_the_latest(self, house: House, port: int) -> None:
        name = f"short-{uuid4()}"
        house.add_system("short")
        house.issue(name, days=20)
        bound = house.control.bind_certificate(
            house.systems["short"],  # type: ignore[arg-type]
            (house.root / f"{name}.pem").read_bytes(),
            trust=house.root / "trust",
        )
        house.agree("short", "short", AALBORG, {"municipalities-extract": ServiceTerms()})
        house.settle()
        client = Client(house, port, name)
        made = make(client, "short", days=365).json
        client.close()
        assert datetime.fromisoformat(made["expires"]) <= bound.valid_to
        # Another certificate of the system is still good, and the token is not.
        token = made["profile"]["bearerToken"]
        assert shares(house, port, token).status == 200
        house.control.revoke_certificate(bound.fingerprint)
        house.settle()
        assert shares(house, port, token).code == "sharing_token_unknown"

    def test_of_anothers_agreement_is_as_of_none(self, two: Client) -> None:
        anothers = make(two, "one")
        nobodys = two.post(BASE, {"agreement": str(uuid4())})
        assert (anothers.status, anothers.code) == (404, "unregistered")
        assert {**anothers.json, "instance": ""} == {**nobodys.json, "instance": ""}

    @pytest.mark.parametrize(
        "body",
        [{}, [], {"agreement": 1}, {"agreement": "x"}, {"agreement": None}, {"agreement": "ID", "days": 0},
         {"agreement": "ID", "days": 366}, {"agreement": "ID", "days": True}, {"agreement": "ID", "system": "x"}],
    )  # fmt: skip
    def test_needs_to_be_asked_for_properly(self, one: Client, body: Any) -> None:
        if isinstance(body, dict) and body.get("agreement") == "ID":
            body = {**body, "agreement": one.house.agreements["one"]}
        reply = one.post(BASE, body)
        assert (reply.status, reply.code) == (400, "body_invalid")

    def test_happens_once_for_one_key(self, house: House, port: int, one: Client, two: Client) -> None:
        body, key = {"agreement": house.agreements["one"], "days": 3}, {"Idempotency_Key": f'"{uuid4()}"'}
        first, again = (one.post(BASE, body, **key) for _ in range(2))
        house.settle()
        assert (first.status, again.status) == (201, 201)
        assert {**first.json, "trace": ""} == {**again.json, "trace": ""}
        assert [each["id"] for each in one.get(BASE).json["tokens"]].count(first.json["id"]) == 1
        token = first.json["profile"]["bearerToken"]
        assert shares(house, port, token).status == 200
        # Another's key is another's, another question another key; and what is kept, nobody reads in the database.
        assert two.post(BASE, {"agreement": house.agreements["two"]}, **key).json["id"] != first.json["id"]
        assert one.post(BASE, body | {"days": 4}, **key).code == "idempotency_key_reused"
        assert one.post(BASE, body, Idempotency_Key="x y").code == "header_invalid"
        kept = (house.root / "control.sqlite").read_bytes() + (house.root / "control.sqlite-wal").read_bytes()
        assert token.encode() not in kept
        assert first.json["id"].encode() in kept

    def test_that_was_refused_keeps_no_key(self, house: House, one: Client) -> None:
        key = {"Idempotency_Key": str(uuid4())}
        assert one.post(BASE, {"agreement": str(uuid4())}, **key).code == "unregistered"
        assert one.post(BASE, {"agreement": house.agreements["one"]}, **key).status == 201

    def test_has_an_end(self, house: House, two: Client) -> None:
        good = [
            each
            for each in Sharing(house.control).tokens()
            if each.agreement == house.agreements["two"] and each.live(datetime.now(UTC))
        ]
        for _ in range(MOST - len(good)):
            Sharing(house.control).make(house.agreements["two"], timedelta(days=1))
        assert make(two, "two").code == "sharing_token_invalid"
        for each in Sharing(house.control).tokens():
            if each.agreement == house.agreements["two"]:
                Sharing(house.control).revoke(each.id)
        assert make(two, "two").status == 201


class TestSeeingAndRevoking:
    def test_are_for_ones_own(self, house: House, port: int, one: Client, two: Client) -> None:
        made = make(one).json
        assert made["id"] in {each["id"] for each in one.get(BASE).json["tokens"]}
        assert made["id"] not in {each["id"] for each in two.get(BASE).json["tokens"]}
        assert two.call("DELETE", f"{BASE}/{made['id']}").status == 404
        assert shares(house, port, made["profile"]["bearerToken"]).status == 200
        assert one.call("DELETE", f"{BASE}/{made['id']}").status == 204
        house.settle()
        assert shares(house, port, made["profile"]["bearerToken"]).code == "sharing_token_unknown"
        assert one.call("DELETE", f"{BASE}/nothing").code == "unregistered"

    def test_never_show_a_token(self, one: Client) -> None:
        text = make(one).json["profile"]["bearerToken"]
        assert text.encode() not in one.get(BASE).body

    def test_need_a_systems_certificate(self, house: House, port: int, one: Client) -> None:
        token = make(one).json["profile"]["bearerToken"]
        for certificate, headers in ((None, {}), (None, {"Authorization": f"Bearer {token}"}), ("unbound", {})):
            client = Client(house, port, certificate)
            for method, path in (("GET", BASE), ("POST", BASE), ("DELETE", f"{BASE}/x")):
                assert client.call(method, path, b"{}", headers).status == 401
            client.close()
            assert house.refused().code in {"certificate_missing", "certificate_unknown"}

    def test_take_no_other_methods(self, one: Client) -> None:
        assert one.call("PUT", BASE).code == "method_not_allowed"
        assert one.get(f"{BASE}/x").code == "method_not_allowed"


def test_an_instance_without_sharing_says_so(house: House) -> None:
    with serving(house) as (_, port):
        client = Client(house, port, "one")
        assert client.get(BASE).code == "sharing_unknown"
        client.close()


def test_it_stands_in_the_openapi_document(house: House) -> None:
    paths = document(house.registers, "0")["paths"]
    assert set(paths[BASE]) == {"get", "post"}
    assert set(paths[f"{BASE}/{{id}}"]) == {"delete"}
