"""nginx before the platform, started for real with the configuration in docs/operating."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel import CallAnswered, CallRefused
from tests.api.house import ANNA, Client, House
from tests.api.nginx import behind_nginx
from tests.waiting import eventually

PATH = "/v1/services/municipalities/records/0851"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int, Path]]:
    with House.open(tmp_path_factory.mktemp("house")) as house:
        folder = tmp_path_factory.mktemp("nginx")
        with behind_nginx(house, folder) as port:
            yield house, port, folder


@pytest.fixture
def house(proxied: tuple[House, int, Path]) -> House:
    proxied[0].facts.clear()
    return proxied[0]


def call(proxied: tuple[House, int, Path], certificate: str | None, **headers: str) -> tuple[int, str | None]:
    client = Client(proxied[0], proxied[1], certificate)
    try:
        reply = client.get(PATH, **headers)
    finally:
        client.close()
    return reply.status, reply.json.get("code")


def test_a_system_is_known_by_the_certificate_that_it_showed_nginx(
    house: House, proxied: tuple[House, int, Path]
) -> None:
    client = Client(house, proxied[1], "one")
    assert client.lookup("cpr-persons", {"key": ANNA}).json["record"]["pnr"] == ANNA
    client.close()
    fact = house.facts[-1]
    assert isinstance(fact, CallAnswered)
    assert fact.system == house.systems["one"]


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        (None, "certificate_missing"),
        ("unbound", "certificate_unknown"),
        ("expired", "certificate_expired"),
        ("tomorrow", "certificate_not_yet_valid"),
        ("stranger", "certificate_untrusted"),
    ],
)
def test_the_platform_judges_and_explains(
    house: House, proxied: tuple[House, int, Path], certificate: str | None, code: str
) -> None:
    assert call(proxied, certificate) == (401, code)
    refused = house.facts[-1]
    assert isinstance(refused, CallRefused)
    assert refused.code == code


def test_what_clients_say_of_themselves_is_stripped(house: House, proxied: tuple[House, int, Path]) -> None:
    forged = {"Client_Cert": ":AAAA:", "Client_Cert_Chain": ":AAAA:", "Forwarded": "for=192.0.2.1"}
    assert call(proxied, None, X_Forwarded_For="192.0.2.1", **forged) == (401, "certificate_missing")
    refused = house.facts[-1]
    assert isinstance(refused, CallRefused)
    assert refused.peer == "127.0.0.1"
    assert call(proxied, "one", **forged) == (200, None)


def test_an_extract_streams_through(house: House, proxied: tuple[House, int, Path]) -> None:
    client = Client(house, proxied[1], "one")
    house.many = 200_000
    try:
        reply = client.get("/v1/services/municipalities-extract/extract?format=ndjson")
    finally:
        house.many = 0
        client.close()
    assert reply.status == 200
    assert reply.body.count(b"\n") == 200_000


def test_nothing_of_a_request_is_in_nginx_logs(house: House, proxied: tuple[House, int, Path]) -> None:
    client = Client(house, proxied[1], "one")
    client.get(f"/v1/services/cpr-persons/records/{ANNA}")
    client.close()

    def logs() -> str:
        return "".join(each.read_text() for each in (proxied[2] / "logs").glob("*.log"))

    # A line is written after the answer, and this call's is the last.
    eventually(lambda: " 400 " in logs())
    assert ANNA not in logs()
