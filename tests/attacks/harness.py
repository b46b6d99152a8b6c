"""What attacks are made with: bytes over TLS, and what must hold whatever comes back."""

import json
import re
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from kernel import CallRefused
from tests.api.house import House

CANARIES = ("Ærø", "Hemmelig", "Skjultvej", "Prøvevej", "6101701001", "6101701002")
"""What is personal in the house: none of it may be in a refusal or a log."""
PATH = "/v1/services/municipalities/records/0851"
LOOKUP = "/v1/services/municipalities/lookup"


def attack(tries: str, *, by: str) -> pytest.MarkDecorator:
    """tries   what the attacker does, for the table in docs/operating/attacks.md
    by        what refuses it: an error code, or where it ends
    """
    return pytest.mark.attack(tries, by=by)


def case(name: str, tries: str, *values: Any, by: str) -> Any:
    """A case of a parametrised attack."""
    return pytest.param(*values, id=name, marks=pytest.mark.attack(tries, by=by, case=name))


@dataclass(frozen=True)
class Said:
    """One answer of the server's. status   0 when it closed without a word"""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


CLOSED = Said(0, {}, b"")


def talk(
    house: House, port: int, *pieces: bytes, certificate: str | None = "one", context: ssl.SSLContext | None = None
) -> list[Said]:
    """Everything that the server says, until it closes, to someone who sends these bytes over one connection."""
    context = context or house.context(certificate)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        said = b""
        with suppress(ConnectionError, ssl.SSLError):
            for piece in pieces:
                wire.sendall(piece)
            while more := wire.recv(65_536):
                said += more
    return answers(said)


def answers(said: bytes) -> list[Said]:
    """Answers one after the other, by their content lengths. Raises AssertionError for what is no HTTP."""
    found = []
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        matched = re.fullmatch(r"HTTP/1\.1 ([0-9]{3}) ?.*", first)
        assert matched is not None, first
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body, said = _unchunked(rest)
        else:
            size = int(headers.get("content-length", "0"))
            body, said = rest[:size], rest[size:]
        found.append(Said(int(matched[1]), headers, body))
    return found


def _unchunked(rest: bytes) -> tuple[bytes, bytes]:
    """A body that came in chunks, and what comes after it."""
    body = b""
    while True:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        body, rest = body + rest[:size], rest[size + 2 :]
        if size == 0:
            return body, rest


def request(method: str = "GET", path: str = PATH, *fields: str, body: bytes = b"", close: bool = True) -> bytes:
    """The bytes of a request; fields are whole lines, without their ends."""
    lines = [f"{method} {path} HTTP/1.1", *fields]
    if not any(each.lower().startswith("host:") for each in fields):
        lines.insert(1, "Host: localhost")
    if body and not any(each.lower().startswith(("content-length", "transfer-encoding")) for each in fields):
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def post(path: str, document: Any, *fields: str) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return request("POST", path, "Content-Type: application/json", *fields, body=body)


def ensure_refused(said: Sequence[Said], *codes: str) -> Said:
    """The last answer is a refusal with one of these codes, says what to do, and gives nothing away."""
    assert said, "the server closed without an answer"
    last = said[-1]
    assert 400 <= last.status < 500, last.status
    assert last.code in codes, last.body[:300]
    assert last.json["remedy"]
    ensure_nothing_personal(last.body)
    return last


def ensure_nothing_personal(content: bytes | str) -> None:
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    assert not [each for each in CANARIES if each in text]


def ensure_on_record(house: House, *codes: str) -> CallRefused:
    """The newest fact is a refusal with one of these codes, and stands in the ledger."""
    fact = house.refused()
    assert fact.code in codes
    trace = fact.trace.encode()
    assert any(trace in each.read_bytes() for each in (house.root / "ledger").rglob("*.*") if each.is_file())
    return fact
