"""A personal number never stands in a log line, an error text or the ledger, through whichever door it comes."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.api.conftest import Connect
from tests.api.house import House

# Nobody's number; whoever finds it in a log has found a leak.
CANARY = "6101709999"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that anything logs, at the finest level. Afterwards logs go where they went before."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    caplog.set_level(logging.DEBUG)
    yield caplog
    structlog.configure(**before)


@pytest.mark.parametrize("certificate", ["one", "lonely", "unbound", None])
def test_a_personal_number_is_not_written_anywhere(
    house: House, connect: Connect, logged: pytest.LogCaptureFixture, certificate: str | None
) -> None:
    client = connect(certificate)
    json = {"Content-Type": "application/json"}
    lookup = "/v1/services/cpr-persons/lookup"
    replies = [
        client.get(f"/v1/services/cpr-persons/records/{CANARY}"),
        client.get(f"/v1/services/municipalities/records/{CANARY}"),
        client.get(f"/v1/services/{CANARY}"),
        client.get(f"/v1/services/{CANARY}/records/{CANARY}"),
        client.get(f"/v1/services/cpr-persons/{CANARY}"),
        client.get(f"/v1/services/cpr-persons-extract/extract?{CANARY}={CANARY}"),
        client.get(f"/v1/services/cpr-persons-extract/extract?columns={CANARY}"),
        client.get(f"/v1/services/cpr-persons-extract/extract?format={CANARY}"),
        client.get(f"/v1/services/cpr-persons-extract/files/{CANARY}.manifest.json"),
        client.get(f"/problems/{CANARY}"),
        client.get(f"/{CANARY}?{CANARY}"),
        client.call(CANARY, "/") if certificate == "one" else client.get("/"),
        client.call("POST", lookup, f'{{"key": "{CANARY}"'.encode(), json),
        client.call("POST", lookup, f'{{"{CANARY}": 1}}'.encode(), json),
        client.call("POST", lookup, f'{{"key": "{CANARY}x"}}'.encode(), json),
        client.call("POST", lookup, f'{{"key": "{CANARY}", "columns": ["{CANARY}"]}}'.encode(), json),
        client.call("POST", lookup, f'{{"key": "{CANARY}"}}'.encode(), json | {"Knudepunkt-Agreement": CANARY}),
        client.call("POST", lookup, f'{{"key": "{CANARY}"}}'.encode(), json),
    ]
    client.close()
    assert not any(reply.status >= 500 for reply in replies)
    assert not any(CANARY in reply.body.decode() for reply in replies)
    assert not any(CANARY in record.getMessage() for record in logged.records)
    assert not any(CANARY in repr(fact) for fact in house.facts)
    assert not any(CANARY.encode() in path.read_bytes() for path in (house.root / "ledger").rglob("*.jsonl"))


def test_a_fault_of_ours_is_told_without_its_insides(
    house: House, connect: Connect, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ValueError(f"no room for {CANARY}")

    monkeypatch.setattr("api.rest.lookup.look_up", breaks)
    reply = connect("one").lookup("cpr-persons", {"key": CANARY})
    assert (reply.status, reply.code) == (500, "house_fault")
    assert CANARY not in reply.body.decode()
    assert "room" not in reply.body.decode()
    assert house.refused().code == "house_fault"
    lines = [record.getMessage() for record in logged.records]
    assert any("request_failed" in line and reply.json["instance"].rpartition(":")[2] in line for line in lines)
    assert not any(CANARY in line for line in lines)
