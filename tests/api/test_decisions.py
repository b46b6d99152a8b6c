"""The trace id opens the decision, for those whom it concerns and nobody else."""

import json
from datetime import timedelta

import pytest

from tests.api.conftest import Connect
from tests.api.house import AALBORG, ANNA, CLOCK, ODENSE, Client, House, serving
from usage import ask, find_decisions, take_in

PATH = "/v1/services/municipalities/records/0851"


def refused_trace(client: Client) -> str:
    """Of a call that no agreement carries."""
    reply = client.get(PATH, Knudepunkt_Municipality=ODENSE)
    assert reply.status == 403
    return reply.headers["knudepunkt-trace"]


class TestWhoMaySeeIt:
    def test_the_system_sees_rule_owner_and_remedy(self, client: Client, house: House) -> None:
        trace = refused_trace(client)
        reply = client.get(f"/v1/decisions/{trace}")
        assert reply.status == 200
        (line,) = reply.json["decisions"]
        assert (line["kind"], line["code"], line["rule"]) == ("refused", "agreement_missing", "agreement.service")
        assert (line["owner"], line["municipality_cvr"]) == (f"municipality {ODENSE}", ODENSE)
        assert line["remedy"]
        assert (line["service"], line["system"]) == ("municipalities", house.systems["one"])

    def test_a_sibling_system_and_an_operator_see_it(self, client: Client, connect: Connect) -> None:
        trace = refused_trace(client)
        assert connect("two").get(f"/v1/decisions/{trace}").status == 200
        assert connect("operator").get(f"/v1/decisions/{trace}").status == 200

    def test_the_municipality_sees_it_and_another_does_not(
        self, client: Client, connect: Connect, house: House
    ) -> None:
        for name, cvr in (("odense-own", ODENSE), ("aalborg-own", AALBORG)):
            if name not in house.systems:
                house.add_system(name, cvr)
        house.settle()
        trace = refused_trace(client)
        assert connect("odense-own").get(f"/v1/decisions/{trace}").status == 200
        other = connect("aalborg-own").get(f"/v1/decisions/{trace}")
        assert (other.status, other.code) == (404, "decision_not_found")

    def test_of_a_trace_that_two_used_each_sees_its_own(self, connect: Connect, house: House) -> None:
        if "stranger-own" not in house.systems:
            house.add_system("stranger-own", ODENSE)
            house.settle()
        parent = "00-" + "5e" * 16 + "-" + "cd" * 8 + "-01"
        connect().get(PATH, traceparent=parent)
        connect("stranger-own").get(PATH, traceparent=parent)
        (line,) = connect("stranger-own").get(f"/v1/decisions/{'5e' * 16}").json["decisions"]
        assert line["system"] == house.systems["stranger-own"]

    def test_an_answered_call_is_there_too(self, client: Client) -> None:
        trace = client.get(PATH).headers["knudepunkt-trace"]
        (line,) = client.get(f"/v1/decisions/{trace}").json["decisions"]
        assert (line["kind"], line["status"], line["municipality_cvr"]) == ("answered", 200, AALBORG)

    def test_without_a_certificate_nothing(self, connect: Connect) -> None:
        assert connect(None).get("/v1/decisions/" + "0" * 32).status == 401


class TestWhatIsShown:
    def test_nothing_personal(self, client: Client) -> None:
        reply = client.lookup("cpr-persons", {"key": ANNA, "columns": ["unknown"]})
        assert reply.status == 400
        text = client.get(f"/v1/decisions/{reply.headers['knudepunkt-trace']}").body.decode()
        assert ANNA not in text
        (line,) = json.loads(text)["decisions"]
        assert not line.keys() & {"subjects", "credential", "peer", "hash"}

    def test_after_the_intake_it_says_the_same_and_the_municipality_counts_it(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        with House.open(tmp_path_factory.mktemp("house")) as house, serving(house) as (_, port):
            client = Client(house, port)
            trace = refused_trace(client)
            client.close()
            since = CLOCK.now() - timedelta(days=1)
            folders = house.root / "ledger", house.root / "usage"
            before = find_decisions(*folders, trace, since=since)  # type: ignore[arg-type]
            house.ledger.close()
            take_in(*folders, clock=CLOCK)
            after = find_decisions(*folders, trace, since=since)  # type: ignore[arg-type]
            assert before == after
            assert before[0]["rule"] == "agreement.service"
            seen = ask(*folders, "select code from calls where kind = 'refused'", cvr=ODENSE).table.to_pylist()
            assert seen == [{"code": "agreement_missing"}]


class TestGuessing:
    @pytest.mark.parametrize(
        "trace",
        ["0" * 32, "f" * 31, "F" * 32, "%27%20or%201=1--", "..%2f..%2fledger", "%00", "*", "%25", "a" * 4_000, ANNA],
    )
    def test_what_is_no_trace_of_ones_own_is_not_found(self, client: Client, trace: str) -> None:
        reply = client.get(f"/v1/decisions/{trace}")
        assert reply.status == 404
        assert reply.code in {"decision_not_found", "route_unknown"}
        assert trace.encode() not in reply.body
