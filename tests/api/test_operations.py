"""What operators see over REST, and nobody else."""

import pytest

from tests.api.conftest import Connect
from tests.api.house import House
from tests.prometheus import families

PATH = "/v1/operations/status"
METRICS = "/metrics"


class TestTheStatus:
    def test_is_there_for_a_system_of_an_operator(self, connect: Connect) -> None:
        reply = connect("operator").get(PATH)
        assert reply.status == 200
        assert reply.headers["cache-control"] == "no-store"
        assert reply.json["environment"] == "test"
        assert reply.json["datasets"] == [{"dataset": "municipality.municipalities", "rows": 2}]

    def test_is_refused_to_anybody_else_and_that_is_on_record(self, house: House, connect: Connect) -> None:
        reply = connect("one").get(PATH)
        assert (reply.status, reply.code) == (403, "operators_only")
        refused = house.refused()
        assert (refused.code, refused.system) == ("operators_only", house.systems["one"])

    def test_needs_a_certificate(self, house: House, connect: Connect) -> None:
        reply = connect(None).get(PATH)
        assert (reply.status, reply.code) == (401, "certificate_missing")
        assert house.refused().code == "certificate_missing"

    def test_takes_no_parameter_and_no_other_method(self, connect: Connect) -> None:
        assert connect("operator").get(f"{PATH}?all=1").status == 400
        assert connect("operator").call("POST", PATH).status == 405


class TestTheMetrics:
    @pytest.mark.parametrize(
        "accept",
        [
            "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; version=nine; escaping=x",
        ],
    )
    def test_are_openmetrics_for_whoever_takes_it(self, connect: Connect, accept: str) -> None:
        reply = connect("operator").get(METRICS, accept=accept)
        assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
        assert reply.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert "knudepunkt_build_info" in families(reply.body)

    @pytest.mark.parametrize("accept", [None, "text/plain", "*/*"])
    def test_are_prometheus_older_text_for_others(self, connect: Connect, accept: str | None) -> None:
        reply = connect("operator").get(METRICS, **({} if accept is None else {"accept": accept}))
        assert (reply.status, reply.headers["content-type"][:25]) == (200, "text/plain; version=0.0.4")
        assert "knudepunkt_build_info" in families(reply.body)

    def test_are_refused_to_anybody_else_and_that_is_on_record(self, house: House, connect: Connect) -> None:
        reply = connect("one").get(METRICS)
        assert (reply.status, reply.code) == (403, "operators_only")
        refused = house.refused()
        assert (refused.code, refused.system) == ("operators_only", house.systems["one"])
        reply = connect(None).get(METRICS)
        assert (reply.status, reply.code) == (401, "certificate_missing")

    def test_take_no_parameter_and_no_other_method(self, connect: Connect) -> None:
        assert connect("operator").get(f"{METRICS}?name[]=up").status == 400
        assert connect("operator").call("POST", METRICS).status == 405
