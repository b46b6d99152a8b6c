"""A suspension in the middle of an answer: it is cut, by whichever door it leaves, and the rest never leaves."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from api import make_app
from api.sharing import SharingDesk
from control import Agreements, Sharing
from kernel import RowsDelivered
from runtime.sharing import TokenBook
from tests.api.house import Client, House, serving
from tests.api.test_extract import deliveries
from tests.waiting import eventually

SERVICE = "/v1/services/municipalities-extract"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House.open(tmp_path) as house:
        # Longer than any reader of these tests waits.
        house.many, house.stall_s = 1_000_000, 300.0
        yield house


def reading(
    client: Client, method: str, path: str, body: bytes | None = None, **headers: str
) -> http.client.HTTPResponse:
    """An answer of which the beginning was read, and then nothing more is taken."""
    connection = client.connected()
    if connection.sock is None:
        connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.read(1_000)
    return answer


def suspend(house: House) -> None:
    Agreements(house.control, None).suspend(house.agreements["one"])
    house.settle()


def ensure_cut(answer: http.client.HTTPResponse) -> None:
    def rest() -> None:
        while answer.read1(1_000_000):
            pass
        # Where a body has a length, this client takes the end of the connection for its end.
        if answer.length:
            raise http.client.IncompleteRead(b"")

    with pytest.raises((http.client.IncompleteRead, OSError)):
        rest()
    answer.close()


@contextmanager
def a_client(house: House) -> Iterator[Client]:
    with serving(house) as (_, port):
        client = Client(house, port)
        yield client
        client.close()


@pytest.mark.slow
@pytest.mark.parametrize("ready", [False, True], ids=["while it is made", "when it is there"])
def test_ends_a_download_over_rest(house: House, ready: bool) -> None:
    with a_client(house) as client:
        if ready:
            client.get(f"{SERVICE}/extract")
            house.facts.clear()
        answer = reading(client, "GET", f"{SERVICE}/extract")
        suspend(house)
        # It is over although the reader takes nothing.
        eventually(lambda: [fact for fact in house.facts if isinstance(fact, RowsDelivered)])
        assert not deliveries(house)[0].whole
        ensure_cut(answer)
        client.close()
        assert client.get(f"{SERVICE}/extract").status == 403


@pytest.mark.slow
def test_ends_a_file_of_delta_sharing(house: House) -> None:
    book = TokenBook(house.control, lambda: house._watcher[0].current().version)
    desk = SharingDesk(book.find, b"k" * 32, house.root / "extracts", house.root / "changes")
    _, token = Sharing(house.control).make(house.agreements["one"], timedelta(days=1))
    house.settle()
    # Large enough that buffers do not hold it: rows that are all the same take no room in Parquet.
    with serving(house, make_app(replace(house.doors(), sharing=desk))) as (_, port):
        client = Client(house, port, None)
        share = f"/sharing/shares/{house.agreements['one']}/schemas/municipality/tables/municipalities-extract"
        said = client.call("POST", f"{share}/query", b"{}", {"Authorization": f"Bearer {token}"})
        url = json.loads(said.body.splitlines()[-1])["file"]["url"]
        plan = next((house.root / "extracts").glob("*.parquet"))
        with plan.open("ab") as file:
            file.truncate(64 * 1024 * 1024)
        answer = reading(client, "GET", url.partition(f":{port}")[2])
        suspend(house)
        ensure_cut(answer)
        client.close()
