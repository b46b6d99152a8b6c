"""Limits over the wire: what a call costs, what the answer says, what is refused."""

import pytest

from control import ServiceTerms
from kernel import Limits
from tests.api.conftest import Connect
from tests.api.house import AALBORG, ODENSE, Client, House

PATH = "/v1/services/municipalities/records/0851"


@pytest.fixture
def limited(house: House, connect: Connect) -> Client:
    """A system of its own, three calls a minute."""
    name = f"limited-{len(house.systems)}"
    house.add_system(name)
    services = {"municipalities": ServiceTerms(), "municipalities-extract": ServiceTerms()}
    house.agree(name, name, AALBORG, services, Limits(calls_per_minute=3))
    house.settle()
    return connect(name)


class TestRateLimits:
    def test_each_answer_says_what_is_left(self, limited: Client) -> None:
        for left in (2, 1, 0):
            reply = limited.get(PATH)
            assert reply.status == 200
            assert reply.headers["ratelimit-policy"] == '"minute";q=3;w=60'
            assert reply.headers["ratelimit"].startswith(f'"minute";r={left};t=')

    def test_one_too_many_is_refused_and_says_when(self, limited: Client, house: House) -> None:
        for _ in range(3):
            limited.get(PATH)
        reply = limited.get(PATH)
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert 1 <= int(reply.headers["retry-after"]) <= 61
        assert reply.headers["ratelimit"].startswith('"minute";r=0;t=')
        assert reply.json["left"] == 0
        assert reply.json["rule"] == "agreement.limits.calls_per_minute"
        assert reply.json["owner"] == f"municipality {AALBORG}"
        assert {"next", "ends", "remedy"} <= reply.json.keys()
        assert house.refused().code == "rate_limited"
        assert house.refused().agreement is not None

    def test_many_keys_are_one_call(self, limited: Client) -> None:
        reply = limited.lookup("municipalities", {"keys": ["0851", "0461"]})
        assert reply.status == 200
        assert '"minute";r=2' in reply.headers["ratelimit"]

    def test_a_record_that_is_not_there_costs_a_call_and_says_what_is_left(self, limited: Client) -> None:
        reply = limited.get("/v1/services/municipalities/records/9999")
        assert (reply.status, reply.headers["ratelimit-policy"]) == (404, '"minute";q=3;w=60')

    def test_a_call_that_is_refused_after_it_was_counted_says_what_is_left(self, limited: Client) -> None:
        reply = limited.lookup("municipalities", {"key": "0851", "columns": ["unknown"]})
        assert reply.status == 400
        assert '"minute";r=2' in reply.headers["ratelimit"]

    def test_a_call_that_no_agreement_carries_costs_nothing(self, limited: Client) -> None:
        assert limited.get(PATH, Knudepunkt_Municipality=ODENSE).status == 403
        assert '"minute";r=2' in limited.get(PATH).headers["ratelimit"]

    def test_an_extract_is_a_call(self, limited: Client) -> None:
        assert '"minute";r=2' in limited.get("/v1/services/municipalities-extract/extract").headers["ratelimit"]

    def test_an_agreement_without_limits_says_nothing(self, client: Client) -> None:
        assert "ratelimit" not in client.get(PATH).headers
