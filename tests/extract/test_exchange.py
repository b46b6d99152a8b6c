"""The established exchange over SFTP, with paramiko as the client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from lxml import etree

from extract import ExchangeSettings, InMetadata
from extract.exchange.xml import NAMESPACE
from extract.place import read_now
from kernel import CallAnswered, CallRefused, Operation, RowsDelivered, SystemId
from tests.extract.builders import CVR, SERVICE, grant, plan
from tests.extract.conftest import Source
from tests.extract.exchanging import (
    FILE,
    RECEIVER,
    SENDER,
    STRANGER,
    TEXT,
    key_of,
    may_exchange,
    open_exchange,
    receipt,
    send,
    trigger,
    write,
)
from tests.extract.hall import Hall
from tests.waiting import eventually


@pytest.fixture
def hall(tmp_path: Path, source: Source) -> Iterator[Hall]:
    with open_exchange(tmp_path, source) as hall:
        yield hall


@pytest.fixture
def sender(hall: Hall) -> Iterator[paramiko.SFTPClient]:
    with hall.client(key_of(hall, SENDER)) as client:
        yield client


@pytest.fixture
def receiver(hall: Hall) -> Iterator[paramiko.SFTPClient]:
    with hall.client(key_of(hall, RECEIVER)) as client:
        yield client


def read(client: paramiko.SFTPClient, path: str) -> bytes:
    with client.open(path) as file:
        return file.read()


def out_of(hall: Hall, system: str) -> Path:
    assert hall.exchange is not None
    return hall.exchange.box(SystemId(system)).out


def canonical(element: Any) -> bytes:
    return bytes(etree.tostring(element, method="c14n", exclusive=True))


class TestSending:
    def test_a_trigger_sends_the_file_and_a_receipt_comes_back(
        self, hall: Hall, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        write(sender, f"OUT/{FILE}", TEXT)
        assert receiver.listdir("/IN") == []
        write(sender, f"OUT/{FILE}.trigger", trigger(own_id="my-own-id"))
        assert sorted(receiver.listdir("/IN")) == [FILE, f"{FILE}.metadata", f"{FILE}.trigger"]
        assert read(receiver, f"/IN/{FILE}") == TEXT
        assert sender.listdir("OUT") == []
        said = receipt(sender)
        assert (said["Message"], said["SendersFileId"]) == ("SUCCESS", "my-own-id")
        metadata = etree.fromstring(read(receiver, f"IN/{FILE}.metadata"))
        assert metadata.tag == f"{{{NAMESPACE}}}FileMetadata"
        assert metadata.findtext("FileTransferUUID") == said["FileTransferUUID"]
        assert metadata.findtext("FileDescriptor/Sender") == SENDER
        assert [each.text for each in metadata.findall("FileDescriptor/Recipients")] == [RECEIVER]

    def test_an_empty_trigger_leaves_the_words_to_the_metadata_file(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        write(sender, f"OUT/{FILE}", TEXT)
        write(sender, f"OUT/{FILE}.metadata", trigger().replace(b"ns2:Trigger", b"ns2:FileMetadata"))
        write(sender, f"OUT/{FILE}.trigger", b"")
        assert read(receiver, f"IN/{FILE}") == TEXT
        assert sender.listdir("OUT") == []

    def test_a_client_that_looks_after_its_upload_finds_what_it_wrote(
        self, sender: paramiko.SFTPClient, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_bytes(TEXT)
        (tmp_path / "trigger").write_bytes(trigger())
        sender.put(str(tmp_path / "file"), f"OUT/{FILE}")
        sender.put(str(tmp_path / "trigger"), f"OUT/{FILE}.trigger")
        assert receipt(sender)["Message"] == "SUCCESS"

    def test_a_file_that_is_renamed_to_a_trigger_sends(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        write(sender, "OUT/part", TEXT)
        write(sender, "OUT/words", trigger())
        sender.rename("OUT/part", f"OUT/{FILE}")
        sender.rename("/OUT/words", f"/OUT/{FILE}.trigger")
        assert read(receiver, f"IN/{FILE}") == TEXT

    def test_the_receipt_is_at_the_root_too(self, sender: paramiko.SFTPClient) -> None:
        send(sender)
        assert b"SUCCESS" in read(sender, f"/{FILE}.sftpreceipt")
        sender.remove(f"/{FILE}.sftpreceipt")
        assert sender.listdir("IN") == []

    def test_routing_and_foreign_elements_are_passed_on_unread(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        block = b'<x:own xmlns:x="urn:mine"><x:part a="1">text</x:part></x:own>'
        send(sender, words=trigger(content=(block,)))
        found = etree.fromstring(read(receiver, f"IN/{FILE}.metadata")).find("FileContentDescriptor")
        assert found is not None
        assert canonical(found[0]) == canonical(etree.fromstring(block))

    def test_the_receiver_deletes_what_it_has_used(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        send(sender)
        for name in receiver.listdir("IN"):
            receiver.remove(f"IN/{name}")
        assert receiver.listdir("IN") == []
        with pytest.raises(FileNotFoundError):
            receiver.remove(f"IN/{FILE}")

    def test_several_receivers_get_one_each(self, hall: Hall, sender: paramiko.SFTPClient) -> None:
        hall.grants.append(may_exchange(STRANGER, agreement="exchange-9"))
        send(sender, words=trigger(RECEIVER, STRANGER))
        for system in (RECEIVER, STRANGER):
            with hall.client(key_of(hall, system)) as client:
                assert read(client, f"IN/{FILE}") == TEXT

    def test_an_empty_file_is_a_file(self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient) -> None:
        send(sender, text=b"")
        assert read(receiver, f"IN/{FILE}") == b""

    def test_a_system_may_send_to_itself(self, sender: paramiko.SFTPClient) -> None:
        send(sender, words=trigger(SENDER))
        assert read(sender, f"IN/{FILE}") == TEXT


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no trigger at all": ({"words": b"what?"}, "10"),
    "neither words nor metadata": ({"words": b" "}, "10"),
    "another file's name": ({"words": trigger(file="other")}, "14"),
    "another size": ({"words": trigger(size=1)}, "12"),
    "another's name as sender": ({"words": trigger(sender=RECEIVER)}, "13"),
    "a receiver that nobody is": ({"words": trigger("nobody")}, "20"),
    "a receiver without an agreement": ({"words": trigger(STRANGER)}, "20"),
    "one of two receivers without an agreement": ({"words": trigger(RECEIVER, STRANGER)}, "20"),
    "a receiver named twice": ({"words": trigger(RECEIVER, RECEIVER)}, "10"),
    "the word for routing, which is no user here": ({"words": trigger("ROUTING_V1_0_0")}, "20"),
    "a municipality that has not agreed": (
        {"words": trigger(content=(b"<r><SenderAuthority>urn:oio:cvr-nr:99999999</SenderAuthority></r>",))}, "20",
    ),
}  # fmt: skip


class TestRefusals:
    @pytest.mark.parametrize("what", REFUSED)
    def test_come_as_a_receipt_the_file_stays_and_nobody_gets_it(self, hall: Hall, what: str) -> None:
        given, number = REFUSED[what]
        with hall.client(key_of(hall, SENDER)) as sender, hall.client(key_of(hall, RECEIVER)) as receiver:
            send(sender, **given)
            said = receipt(sender)
            assert said["ErrorCode"] == number
            assert said["ErrorDescription"]
            assert sender.listdir("OUT") == [FILE]
            assert receiver.listdir("IN") == []
        (refused,) = hall.of(CallRefused)
        assert (refused.operation, refused.system) == (Operation.EXCHANGE, SENDER)

    def test_can_be_mended_by_a_new_trigger_whose_receipt_takes_the_place_of_the_first(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        send(sender, words=trigger(size=1))
        write(sender, f"OUT/{FILE}.trigger", trigger())
        assert receipt(sender)["Message"] == "SUCCESS"
        assert read(receiver, f"IN/{FILE}") == TEXT

    def test_a_trigger_without_a_file(self, sender: paramiko.SFTPClient) -> None:
        write(sender, f"OUT/{FILE}.trigger", trigger())
        assert receipt(sender)["ErrorCode"] == "11"
        assert sender.listdir("OUT") == []

    def test_a_file_that_is_still_being_written(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        with sender.open(f"OUT/{FILE}", "wb") as file:
            file.write(TEXT)
            write(sender, f"OUT/{FILE}.trigger", trigger())
            assert receipt(sender)["ErrorCode"] == "41"
        write(sender, f"OUT/{FILE}.trigger", trigger())
        assert read(receiver, f"IN/{FILE}") == TEXT

    def test_a_name_that_lies_with_the_receiver(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        send(sender)
        send(sender, text=b"another")
        assert receipt(sender)["ErrorCode"] == "30"
        assert read(receiver, f"IN/{FILE}") == TEXT

    def test_the_same_file_id_again(self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient) -> None:
        send(sender, words=trigger(own_id="A"))
        for name in receiver.listdir("IN"):
            receiver.remove(f"IN/{name}")
        send(sender, words=trigger(own_id="A"))
        assert receipt(sender)["ErrorCode"] == "40"
        assert receiver.listdir("IN") == []
        write(sender, f"OUT/{FILE}.trigger", trigger(own_id="B"))
        assert receiver.listdir("IN") != []

    def test_a_trigger_that_comes_again_for_what_it_sent_changes_nothing(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        send(sender)
        write(sender, f"OUT/{FILE}.trigger", trigger())
        assert receipt(sender)["Message"] == "SUCCESS"
        assert len(receiver.listdir("IN")) == 3


class TestAgreements:
    def test_without_one_there_is_no_out(self, hall: Hall) -> None:
        with hall.client(key_of(hall, STRANGER)) as client:
            assert client.listdir("/") == ["IN"]
            with pytest.raises(PermissionError, match="read_only"):
                client.open("OUT/x", "wb")

    def test_that_ends_takes_what_came_under_it_out_of_sight(self, hall: Hall, sender: paramiko.SFTPClient) -> None:
        send(sender)
        with hall.client(key_of(hall, RECEIVER)) as receiver:
            hall.grants[:] = [each for each in hall.grants if each.system != RECEIVER]
            assert receiver.listdir("IN") == []
            with pytest.raises(FileNotFoundError):
                receiver.open(f"IN/{FILE}")
            with pytest.raises(FileNotFoundError):
                receiver.remove(f"IN/{FILE}")

    @pytest.mark.parametrize(("side", "scope"), [(SENDER, {"recipient": STRANGER}), (RECEIVER, {"sender": STRANGER})])
    def test_name_who_may_receive_and_from_whom(
        self, hall: Hall, sender: paramiko.SFTPClient, side: str, scope: dict[str, str]
    ) -> None:
        hall.grants[:] = [each for each in hall.grants if each.system != side]
        hall.grants.append(may_exchange(side, agreement="narrow", **scope))
        send(sender)
        assert receipt(sender)["ErrorCode"] == "20"

    def test_of_two_municipalities_one_is_named(
        self, hall: Hall, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        for system in (SENDER, RECEIVER):
            hall.grants.append(may_exchange(system, agreement=f"second-{system}", cvr="22334455"))
        send(sender)
        assert receipt(sender)["ErrorCode"] == "21"
        block = b'<a:R xmlns:a="urn:a"><a:SenderAuthority>urn:oio:cvr-nr:22334455</a:SenderAuthority></a:R>'
        write(sender, f"OUT/{FILE}.trigger", trigger(content=(block,)))
        assert read(receiver, f"IN/{FILE}") == TEXT
        (answered,) = [each for each in hall.of(CallAnswered) if each.status == 202]
        assert (answered.municipality_cvr, answered.agreement) == ("22334455", f"second-{SENDER}")


class TestLedger:
    def test_has_the_sending_under_the_senders_agreement_and_the_fetching_under_the_receivers(
        self, hall: Hall, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        send(sender)
        (sent,) = hall.of(CallAnswered)
        assert (sent.operation, sent.system, sent.agreement) == (Operation.EXCHANGE, SENDER, "exchange-0")
        assert (sent.status, sent.size_bytes) == (202, len(TEXT))
        read(receiver, f"IN/{FILE}")
        read(receiver, f"IN/{FILE}.metadata")
        (delivered,) = hall.of(RowsDelivered)
        assert (delivered.system, delivered.agreement, delivered.whole) == (RECEIVER, "exchange-1", True)
        assert (delivered.size_bytes, delivered.rows) == (len(TEXT), 0)
        assert delivered.extract == receipt(sender)["FileTransferUUID"]

    def test_that_fails_sends_nothing_and_it_goes_out_when_it_works_again(
        self, hall: Hall, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        write(sender, f"OUT/{FILE}", TEXT)
        hall.deaf = True
        write(sender, f"OUT/{FILE}.trigger", trigger())
        assert receiver.listdir("IN") == []
        hall.deaf = False
        hall.sending().resume(SystemId(SENDER))
        assert read(receiver, f"IN/{FILE}") == TEXT
        assert receipt(sender)["Message"] == "SUCCESS"
        assert len([each for each in hall.of(CallAnswered) if each.status == 202]) == 1


class TestDeliveriesOfTheHouse:
    def test_an_extract_in_in_counts_its_rows_when_it_is_fetched(
        self, hall: Hall, receiver: paramiko.SFTPClient
    ) -> None:
        given = grant(agreement="data", system=RECEIVER)
        hall.allow(given, plan(given))
        extract = hall.store.open(plan(given))
        metadata = InMetadata(
            transfer="5f0e0000-0000-4000-8000-000000000001", agreement=given.agreement, service=SERVICE,
            municipality_cvr=CVR, terms_hash=given.terms_hash, manifest=extract.manifest,
        )  # fmt: skip
        assert hall.exchange is not None
        hall.exchange.put_in(SystemId(RECEIVER), FILE, extract.path, metadata)
        assert read(receiver, f"IN/{FILE}") == extract.path.read_bytes()
        (delivered,) = hall.of(RowsDelivered)
        assert (delivered.rows, delivered.extract, delivered.agreement) == (20_000, extract.manifest.plan, "data")
        hall.grants[-1] = grant("number", agreement="data", system=RECEIVER)
        assert receiver.listdir("IN") == []


class TestQuotas:
    @pytest.fixture
    def hall(self, tmp_path: Path, source: Source) -> Iterator[Hall]:
        with open_exchange(tmp_path, source, ExchangeSettings(file_mb=1, out_mb=2, files=4)) as hall:
            yield hall

    def test_a_file_that_is_too_large_is_stopped_while_it_comes(self, sender: paramiko.SFTPClient) -> None:
        with pytest.raises(OSError, match="exchange_quota_full"):
            write(sender, "OUT/large", b"x" * 6_000_000)
        assert (sender.stat("OUT/large").st_size or 0) <= 1_000_000

    def test_nor_is_a_hole_a_way_to_be_large(self, sender: paramiko.SFTPClient) -> None:
        with pytest.raises(OSError, match="exchange_quota_full"):
            write(sender, "OUT/hole", b"x", at=2**40)
        with sender.open("OUT/hole", "wb") as file:
            file.truncate(2**40)
        assert sender.stat("OUT/hole").st_size == 0

    def test_out_as_a_whole_is_limited_and_has_room_again(self, sender: paramiko.SFTPClient) -> None:
        for number in range(2):
            write(sender, f"OUT/{number}", b"x" * 999_999)
        with pytest.raises(OSError, match="exchange_quota_full"):
            write(sender, "OUT/more", b"x" * 30_000)
        sender.remove("OUT/0")
        write(sender, "OUT/more", b"x" * 30_000)

    def test_names_are_counted(self, sender: paramiko.SFTPClient) -> None:
        for number in range(4):
            write(sender, f"OUT/{number}", b"")
        with pytest.raises(OSError, match="exchange_quota_full"):
            sender.open("OUT/fifth", "wb")

    def test_a_trigger_as_long_as_a_book_is_stopped(self, sender: paramiko.SFTPClient) -> None:
        with pytest.raises(OSError, match="exchange_quota_full"):
            write(sender, "OUT/x.trigger", b" " * 200_000)


class TestUploads:
    def test_go_on_where_they_were_cut(self, hall: Hall, receiver: paramiko.SFTPClient) -> None:
        transport = hall.connect(key_of(hall, SENDER))
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        file = client.open(f"OUT/{FILE}", "wb")
        file.write(TEXT[:100_000])
        file.flush()
        assert client.stat(f"OUT/{FILE}").st_size == 100_000
        transport.close()
        eventually(lambda: not read_now(out_of(hall, SENDER) / FILE))
        with hall.client(key_of(hall, SENDER)) as again:
            with again.open(f"OUT/{FILE}", "r+b") as rest:
                rest.seek(100_000)
                rest.write(TEXT[100_000:])
            write(again, f"OUT/{FILE}.trigger", trigger())
        assert read(receiver, f"IN/{FILE}") == TEXT

    def test_a_trigger_that_is_cut_off_sends_nothing(self, hall: Hall, receiver: paramiko.SFTPClient) -> None:
        transport = hall.connect(key_of(hall, SENDER))
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        write(client, f"OUT/{FILE}", TEXT)
        file = client.open(f"OUT/{FILE}.trigger", "wb")
        file.write(trigger())
        file.flush()
        assert len(list(out_of(hall, SENDER).iterdir())) == 2
        transport.close()
        eventually(lambda: [each.name for each in out_of(hall, SENDER).iterdir()] == [FILE])
        hall.sending().resume(SystemId(SENDER))
        assert receiver.listdir("IN") == []
        with hall.client(key_of(hall, SENDER)) as again:
            assert again.listdir("OUT") == [FILE]

    def test_are_seen_by_their_sender_alone(self, hall: Hall, sender: paramiko.SFTPClient) -> None:
        write(sender, f"OUT/{FILE}", TEXT)
        assert read(sender, f"OUT/{FILE}") == TEXT
        with hall.client(key_of(hall, RECEIVER)) as receiver:
            assert receiver.listdir("OUT") == []
            with pytest.raises(FileNotFoundError):
                receiver.open(f"OUT/{FILE}")
