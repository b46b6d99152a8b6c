"""A service that is deprecated says until when, and is refused afterwards with the way on."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from kernel import ServiceName
from schemas import Registers, ServiceStatus
from tests.api.house import Client, House, serving


def ending(registers: Registers, ends: date, successor: str | None) -> Registers:
    return replace(
        registers,
        services=tuple(
            replace(
                service,
                status=ServiceStatus.DEPRECATED,
                ends=ends,
                successor=None if successor is None else ServiceName(successor),
            )
            if service.name == "municipalities"
            else service
            for service in registers.services
        ),
    )


@pytest.mark.parametrize("days", [3, -3])
def test_a_deprecated_service_tells_its_end_and_is_then_over(tmp_path: Path, days: int) -> None:
    with House.open(tmp_path) as house:
        house.registers = ending(house.registers, date.today() + timedelta(days=days), "roads")  # noqa: DTZ011
        with serving(house) as (_, port):
            client = Client(house, port, "one")
            reply = client.lookup("municipalities", {"key": "0851"})
            entry = client.get("/v1/catalogue/municipalities").json
            other = client.get("/v1/catalogue/cpr-persons").json
            client.close()
    assert (other["status"], other["callable"], other["ends"]) == ("production", True, None)
    assert reply.headers["link"] == '</v1/catalogue/roads>; rel="successor-version"'
    assert reply.headers["sunset"].endswith("GMT")
    if days > 0:
        assert reply.status == 200
        assert (entry["status"], entry["callable"]) == ("deprecated", True)
    else:
        assert (reply.status, reply.json["code"]) == (404, "service_not_offered")
        assert "roads" in reply.json["remedy"]
        assert (entry["status"], entry["callable"], entry["successor"]) == ("retired", False, "roads")
