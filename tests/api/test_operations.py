"""What operators see over REST, and nobody else."""

from tests.api.conftest import Connect
from tests.api.house import House

PATH = "/v1/operations/status"


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
