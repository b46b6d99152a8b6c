"""Attacks on limits, on the server's patience, and on what refusals give away."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from api.protocol import TlsProtocol
from control import Counters, QuotaExhausted, ServiceTerms, purpose_of
from control.errors import PurposeUnknown
from kernel import Limits, Purpose
from tests.api.house import AALBORG, Client, House, serving
from tests.attacks.harness import attack
from tests.control.test_limits import NOON, grant_of

PATH = "/v1/services/municipalities/records/0851"
PERSONAL = "0101701234"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    with House.open(tmp_path_factory.mktemp("house")) as house, serving(house) as (_, port):
        yield house, port


@pytest.fixture
def house(standing: tuple[House, int]) -> House:
    return standing[0]


@pytest.fixture
def limited(standing: tuple[House, int]) -> Iterator[Client]:
    """A system with two calls a minute, of its own for each test."""
    house, port = standing
    name = f"limited-{len(house.systems)}"
    house.add_system(name)
    house.agree(name, name, AALBORG, {"municipalities": ServiceTerms()}, Limits(calls_per_minute=2))
    house.settle()
    with ExitStack() as stack:
        client = Client(house, port, name)
        stack.callback(client.close)
        yield client


def used_up(client: Client) -> None:
    assert [client.get(PATH).status for _ in range(2)] == [200, 200]


class TestGettingMoreCallsThanAgreed:
    @attack("the same trace id again, to be counted once", by="rate_limited")
    def test_the_same_traceparent_again_is_another_call(self, limited: Client) -> None:
        trace = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
        assert [limited.get(PATH, traceparent=trace).status for _ in range(3)] == [200, 200, 429]

    @attack("a new connection for each call", by="rate_limited")
    def test_new_connections_do_not_begin_anew(self, limited: Client) -> None:
        found = []
        for _ in range(3):
            other = Client(limited.house, limited.port, limited.certificate)
            found.append(other.get(PATH).status)
            other.close()
        assert found == [200, 200, 429]

    @attack("the agreement named in other ways", by="rate_limited")
    def test_naming_the_agreement_or_the_municipality_is_the_same_agreement(self, limited: Client) -> None:
        assert limited.certificate is not None
        agreement = limited.house.agreements[limited.certificate]
        assert limited.get(PATH, Knudepunkt_Agreement=agreement).status == 200
        assert limited.get(PATH, Knudepunkt_Municipality=AALBORG).status == 200
        assert limited.get(PATH).status == 429

    @attack("other methods", by="rate_limited")
    def test_head_and_post_are_calls_too(self, limited: Client) -> None:
        assert limited.call("HEAD", PATH).status == 200
        assert limited.lookup("municipalities", {"key": "0851"}).status == 200
        assert limited.get(PATH).status == 429

    @attack("calls that are refused for something else", by="rate_limited")
    def test_calls_that_are_refused_later_were_calls(self, limited: Client) -> None:
        for _ in range(2):
            assert limited.lookup("municipalities", {"keys": ["0851"] * 1_001}).status == 400
        assert limited.get(PATH).status == 429

    @attack("one system's calls, to hold another up", by="each has its own")
    def test_another_system_is_not_held_up(self, limited: Client) -> None:
        used_up(limited)
        assert limited.get(PATH).status == 429
        other = Client(limited.house, limited.port, "one")
        assert other.get(PATH).status == 200
        other.close()

    @attack("calls in vain, to keep oneself out for longer", by="each waits the same")
    def test_a_refused_call_does_not_make_the_wait_longer(self, limited: Client) -> None:
        used_up(limited)
        first = int(limited.get(PATH).headers["retry-after"])
        assert all(int(limited.get(PATH).headers["retry-after"]) <= first for _ in range(5))

    @attack("a clock that is set back, for a new day's quota", by="quota_exhausted")
    def test_a_clock_set_back_gives_no_new_quota(self, tmp_path: Path) -> None:
        grant = grant_of(calls_per_day=1)
        with Counters(tmp_path / "rates.bin") as counters:
            counters.admit(grant, None, NOON)
            for back in (1, 30, 400):
                with pytest.raises(QuotaExhausted):
                    counters.admit(grant, None, NOON - timedelta(days=back))

    @attack("the quota of another agreement's purpose", by="purpose_unknown")
    def test_purposes_of_another_agreement_have_no_quota_here(self) -> None:
        mine, theirs = Purpose(code="care", calls_per_day=1), Purpose(code="tax", calls_per_day=1_000)
        assert purpose_of(grant_of("b", theirs), "tax") is theirs
        with pytest.raises(PurposeUnknown):
            purpose_of(grant_of("a", mine), "tax")


class TestHeaders:
    @attack("a header of the platform's own twice", by="header_invalid")
    @pytest.mark.parametrize("name", ["Knudepunkt-Purpose", "Knudepunkt-Agreement", "Knudepunkt-Municipality"])
    def test_a_header_that_stands_there_twice_is_refused(self, limited: Client, name: str) -> None:
        connection = limited.connected()
        connection.putrequest("GET", PATH)
        connection.putheader(name, "care")
        connection.putheader(name.lower(), "school")
        connection.endheaders()
        reply = connection.getresponse()
        assert reply.status == 400
        assert b"header_invalid" in reply.read()

    @pytest.mark.parametrize(
        "value", ["../care", "a" * 61, "care school", "care,school", "'; drop table x; --", PERSONAL * 7]
    )
    @attack("what is no code of a purpose", by="header_invalid")
    def test_what_is_no_code_is_refused_and_not_repeated(self, limited: Client, value: str) -> None:
        reply = limited.get(PATH, Knudepunkt_Purpose=value)
        assert (reply.status, reply.code) == (400, "header_invalid")
        assert value.encode() not in reply.body

    @attack("a purpose that the agreement has not", by="purpose_unknown")
    def test_a_purpose_that_the_agreement_has_not_is_refused_and_not_repeated(self, limited: Client) -> None:
        reply = limited.get(PATH, Knudepunkt_Purpose=PERSONAL)
        assert (reply.status, reply.code) == (403, "purpose_unknown")
        assert PERSONAL.encode() not in reply.body


class TestPatience:
    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TlsProtocol, "request_s", 0.3)

    def talk(self, client: Client, *pieces: bytes) -> bytes:
        """What the server says until it closes, to someone who sends these pieces and then waits."""
        context = client.house.context(client.certificate)
        with (
            socket.create_connection(("localhost", client.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wire,
        ):
            for piece in pieces:
                wire.sendall(piece)
            said = b""
            with suppress(ssl.SSLError, ConnectionResetError):
                while more := wire.recv(65_536):
                    said += more
            return said

    @attack("headers that never end", by="request_too_slow")
    @pytest.mark.usefixtures("impatient")
    def test_a_head_that_never_ends(self, limited: Client) -> None:
        said = self.talk(limited, b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-Slow: 1\r\n")
        assert said.startswith(b"HTTP/1.1 408")
        assert b"request_too_slow" in said

    @attack("one byte, and then nothing", by="request_too_slow")
    @pytest.mark.usefixtures("impatient")
    def test_a_single_byte(self, limited: Client) -> None:
        assert self.talk(limited, b"G").startswith(b"HTTP/1.1 408")

    @attack("a body that never ends", by="request_too_slow")
    @pytest.mark.usefixtures("impatient")
    def test_a_body_that_never_ends(self, limited: Client) -> None:
        head = b"POST /v1/services/municipalities/lookup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        said = self.talk(limited, head, b'Content-Length: 100\r\n\r\n{"key": ')
        assert said.startswith(b"HTTP/1.1 408")

    @attack("a second request that never ends", by="request_too_slow")
    @pytest.mark.usefixtures("impatient")
    def test_a_second_request_that_never_ends(self, limited: Client) -> None:
        said = self.talk(limited, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /")
        assert said.startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 408" in said

    @attack("a body that says that it is too large, and waits", by="body_too_large")
    def test_a_body_that_is_too_large(self, limited: Client) -> None:
        head = b"POST /v1/services/municipalities/lookup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        said = self.talk(limited, head, b"Content-Length: 99999999\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 413")
