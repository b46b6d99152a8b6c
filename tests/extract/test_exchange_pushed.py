"""One platform pushes into another one's exchange: the two sides of the established layout fit together."""

import base64
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from extract.delivery.push_sftp import SftpSender
from extract.delivery.receipts import ReceiptDesk
from extract.delivery.targets import SftpTarget
from tests.delivery.builders import Desk, a_parcel, database, handover, wish
from tests.delivery.receivers import LOCAL
from tests.extract.conftest import Source
from tests.extract.exchanging import RECEIVER, SENDER, key_of, open_exchange
from tests.extract.hall import Hall


@pytest.fixture
def hall(tmp_path: Path, source: Source) -> Iterator[Hall]:
    with open_exchange(tmp_path / "hall", source) as hall:
        yield hall


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with database(tmp_path) as found:
        yield Desk(tmp_path, found)


def target_in(hall: Hall) -> SftpTarget:
    with socket.create_connection(("127.0.0.1", hall.port)) as line, paramiko.Transport(line) as transport:
        transport.start_client(timeout=60)
        key = transport.get_remote_server_key()
    return SftpTarget(
        host="127.0.0.1", port=hall.port, user=SENDER, folder="OUT", receipts="IN", document="xml", manifest=False,
        host_key=f"{key.get_name()} {base64.b64encode(key.asbytes()).decode()}", recipients=(RECEIVER,),
    )  # fmt: skip


def in_of(hall: Hall, system: str) -> dict[str, bytes]:
    with hall.client(key_of(hall, system)) as client:
        return {name: client.open(f"IN/{name}").read() for name in client.listdir("IN")}


def receipts(hall: Hall, desk: Desk) -> int:
    return ReceiptDesk(
        outbox=desk.outbox, subscriptions=desk.subscriptions, key=lambda: key_of(hall, SENDER), reach=LOCAL,
        tell=desk.tell, timeout_s=60,
    ).fetch()  # fmt: skip


def push(hall: Hall, desk: Desk) -> None:
    def sender(subscription: object, _: object) -> SftpSender:
        return SftpSender(target=target_in(hall), key=key_of(hall, SENDER), reach=LOCAL, timeout_s=60)

    replace(desk.courier, sender_of=sender).turn()


def test_a_delivery_lands_with_its_receiver_and_the_receipt_confirms_it(hall: Hall, desk: Desk) -> None:
    made = desk.subscriptions.add(wish(target_in(hall)), by="a test")
    desk.subscriptions.plan(made.id, 5)
    push(hall, desk)
    delivery = desk.outbox.book.listed()[0]
    assert delivery.file is not None
    landed = in_of(hall, RECEIVER)
    assert set(landed) == {delivery.file, f"{delivery.file}.metadata", f"{delivery.file}.trigger"}
    assert landed[delivery.file] == desk.content + b"5\r\n"
    assert receipts(hall, desk) == 1
    assert desk.outbox.book.listed()[0].state == "received"
    assert in_of(hall, SENDER) == {}, "the receipt is taken away"


def test_one_that_is_refused_there_is_told_here(hall: Hall, desk: Desk) -> None:
    hall.grants[:] = [each for each in hall.grants if each.system == SENDER]
    made = desk.subscriptions.add(wish(target_in(hall)), by="a test")
    desk.subscriptions.plan(made.id, 5)
    push(hall, desk)
    assert receipts(hall, desk) == 1
    refused = desk.outbox.book.listed()[0]
    assert (refused.state, refused.fault) == ("dead", "the receiver's server refused it: error 20")
    assert [subject for subject, _ in desk.notices] == ["A delivery was refused"]


def test_a_cut_in_the_middle_is_gone_on_with_there_too(hall: Hall, tmp_path: Path) -> None:
    content = os.urandom(600_000)
    parcel, target = a_parcel(tmp_path, content), target_in(hall)
    with (
        hall.client(key_of(hall, SENDER)) as client,
        client.open(f"OUT/town.csv.{parcel.sha256[:8]}.part", "wb") as half,
    ):
        half.write(content[:400_000])
    SftpSender(target=target, key=key_of(hall, SENDER), reach=LOCAL, timeout_s=60).send(parcel, handover())
    assert in_of(hall, RECEIVER)["town.csv"] == content
