"""What a sender with a good key and a good agreement must never do with names, links, documents and files."""

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.message import Message
from paramiko.sftp import CMD_OPEN, SFTP_FLAG_CREATE, SFTP_FLAG_WRITE

from extract.exchange.xml import NAMESPACE
from tests.extract.builders import residents
from tests.extract.conftest import Source
from tests.extract.exchanging import (
    FILE,
    RECEIVER,
    SENDER,
    STRANGER,
    TEXT,
    key_of,
    open_exchange,
    receipt,
    send,
    trigger,
    write,
)
from tests.extract.hall import Hall
from tests.extract.test_sftp_attacks import raw


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_exchange(tmp_path_factory.mktemp("hall"), Source(residents(10).combine_chunks())) as hall:
        (hall.folder / "exchange").mkdir(exist_ok=True)
        (hall.folder / "exchange" / "secret").write_text("outside of every box")
        yield hall


@pytest.fixture(scope="module")
def sender(hall: Hall) -> Iterator[paramiko.SFTPClient]:
    with hall.client(key_of(hall, SENDER)) as client:
        yield client


@pytest.fixture(scope="module")
def receiver(hall: Hall) -> Iterator[paramiko.SFTPClient]:
    with hall.client(key_of(hall, RECEIVER)) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_is_left(hall: Hall, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient) -> Iterator[None]:
    """After each case the boxes are emptied, and outside of them nothing has changed."""
    yield
    assert hall.exchange is not None
    root = hall.exchange.root
    assert {each.name for each in root.iterdir()} <= {SENDER, RECEIVER, STRANGER, "secret"}
    assert (root / "secret").read_text() == "outside of every box"
    for client in (sender, receiver):
        for folder in ("IN", "OUT"):
            for name in client.listdir(folder):
                client.remove(f"{folder}/{name}")


def box_of(hall: Hall, system: str) -> Path:
    assert hall.exchange is not None
    return hall.exchange.root / system


def listed(cases: Iterable[str], tries: str, by: str) -> list[object]:
    """Cases that stand in the table of attacks, each by itself."""
    return [
        pytest.param(each, marks=pytest.mark.attack(tries.format(each), by=by, case=each), id=each) for each in cases
    ]


PATH_ALIKE = "a sibling that NFKC would make a path"
NAMES = {
    "an upper folder": "OUT/../x",
    "two upper folders": "OUT/../../x",
    "an upper folder and back": "OUT/../OUT/../x",
    "the folder itself": "OUT/.",
    "a folder of another system": f"/{RECEIVER}/out/x",
    "a folder below": "OUT/a/b",
    "a folder beside": "/OUT2/x",
    "another case": "out/x",
    "in IN": "IN/x",
    "in IN by an upper folder": "OUT/../IN/x",
    "a parcel's note": "IN/.parcel.json",
    "a hidden file": "OUT/.x",
    "the draft of an upload": "OUT/.up-1",
    "an option": "OUT/-rf",
    "a home folder": "OUT/~root",
    "a backslash": "OUT/..\\x",
    "a drive": "OUT/C:x",
    "a pattern": "OUT/*",
    "a question": "OUT/x?",
    "a pipe": "OUT/x|id",
    "a redirection": "OUT/x>y",
    "a quote": 'OUT/x"y',
    "a line end": "OUT/x\ny",
    "a carriage return": "OUT/x\ry",
    "an escape": "OUT/x\x1b[2Jy",
    "a zero": "OUT/x\0.csv",
    "a turn of the writing direction": "OUT/x\u202evsc.exe",
    "a sign without width": "OUT/x\u200by",
    "a full stop at the end": "OUT/x.",
    "a blank before": "OUT/ x",
    "a blank after": "OUT/x ",
    "a name that is too long": f"OUT/{'x' * 241}",
    "a name that is too long in UTF-8": f"OUT/{'æ' * 121}",
    "a receipt": f"OUT/{FILE}.sftpreceipt",
    "a receipt's trigger": f"OUT/{FILE}.sftpreceipt.trigger",
    "a trigger's trigger": f"OUT/{FILE}.trigger.trigger",
    "a metadata file's metadata": f"OUT/{FILE}.metadata.metadata",
    PATH_ALIKE: "OUT/\u2025\uff0fx",
}


@pytest.mark.parametrize("what", listed((each for each in NAMES if each != PATH_ALIKE), "a file under {}", "no name"))
def test_nothing_is_written_under(sender: paramiko.SFTPClient, what: str) -> None:
    with pytest.raises(OSError, match=r"read_only|exchange_name_invalid|no such file"):
        write(sender, NAMES[what], TEXT)
    assert sender.listdir("OUT") == []


def test_a_sibling_that_looks_like_a_path_is_a_name_and_no_path(hall: Hall, sender: paramiko.SFTPClient) -> None:
    write(sender, NAMES[PATH_ALIKE], b"x")
    assert len(list((box_of(hall, SENDER) / "out").iterdir())) == 1


@pytest.mark.parametrize("name", [b"OUT/\xff", b"OUT/\xed\xa0\x80", b"OUT/\xc0\xae\xc0\xae/x", b"\x80OUT/x"])
def test_a_name_that_is_not_utf_8_belongs_to_nothing(hall: Hall, name: bytes) -> None:
    with hall.client(key_of(hall, SENDER)) as client:
        answer = raw(client, CMD_OPEN, name, SFTP_FLAG_WRITE | SFTP_FLAG_CREATE, 0)
    assert "no such file" in answer or "read_only" in answer


def test_two_ways_to_write_a_letter_are_one_name(sender: paramiko.SFTPClient) -> None:
    write(sender, "OUT/A\u030a.csv", b"first")
    write(sender, "OUT/\u00c5.csv", b"second")
    assert sender.listdir("OUT") == ["\u00c5.csv"]


@pytest.mark.parametrize("what", listed((each for each in NAMES if each != PATH_ALIKE), "a new name: {}", "no name"))
def test_nothing_is_renamed_to(sender: paramiko.SFTPClient, what: str) -> None:
    write(sender, "OUT/good", b"x")
    with pytest.raises(OSError, match=r"read_only|exchange_name_invalid|no such file"):
        sender.rename("OUT/good", NAMES[what])
    assert sender.listdir("OUT") == ["good"]


class TestLinks:
    """That somebody with the disk has put there: followed by nobody."""

    def test_are_not_shown_read_written_or_sent(
        self, hall: Hall, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
    ) -> None:
        link = box_of(hall, SENDER) / "out" / "link"
        link.symlink_to("/etc/passwd")
        try:
            assert sender.listdir("OUT") == []
            for look in (lambda: sender.open("OUT/link"), lambda: sender.stat("OUT/link")):
                with pytest.raises(FileNotFoundError):
                    look()
            with pytest.raises(OSError, match="exchange_name_invalid"):
                write(sender, "OUT/link", b"x")
            write(sender, "OUT/link.trigger", trigger(file="link", size=None))
            assert receipt(sender, "link")["ErrorCode"] == "11"
            assert receiver.listdir("IN") == []
        finally:
            link.unlink()

    def test_are_not_made(self, sender: paramiko.SFTPClient) -> None:
        write(sender, "OUT/x", b"x")
        for target in ("/etc/passwd", "OUT/x", "../secret"):
            with pytest.raises(PermissionError, match="read_only"):
                sender.symlink(target, "OUT/link")

    def test_a_pipe_holds_nobody_up(self, hall: Hall, sender: paramiko.SFTPClient) -> None:
        pipe = box_of(hall, SENDER) / "out" / "pipe"
        os.mkfifo(pipe)
        try:
            write(sender, "OUT/pipe.trigger", trigger(file="pipe", size=None))
            assert receipt(sender, "pipe")["ErrorCode"] == "11"
        finally:
            pipe.unlink()


def document(inside: str, before: str = "", recipient: str = RECEIVER) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<t:Trigger xmlns:t="{NAMESPACE}"><FileDescriptor>'
        f"<FileName>{FILE}</FileName><SizeInBytes>{len(TEXT)}</SizeInBytes><Sender>{SENDER}</Sender>"
        f"<Recipients>{recipient}</Recipients></FileDescriptor>"
        f"<FileContentDescriptor>{inside}</FileContentDescriptor></t:Trigger>"
    ).encode()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DOCUMENTS = {
    "a document type": document("", "<!DOCTYPE Trigger>"),
    "entities that multiply": document("&l9;", f'<!DOCTYPE Trigger [<!ENTITY l0 "lol">{LAUGHS}]>'),
    "one large entity, many times": document("&a;" * 1_000, f'<!DOCTYPE Trigger [<!ENTITY a "{"a" * 10_000}">]>'),
    "a file as an entity": document("&f;", '<!DOCTYPE Trigger [<!ENTITY f SYSTEM "file:///etc/passwd">]>'),
    "a file as a recipient": document(
        "", '<!DOCTYPE Trigger [<!ENTITY f SYSTEM "file:///etc/passwd">]>', recipient="&f;"
    ),
    "an address as an entity": document("&f;", '<!DOCTYPE Trigger [<!ENTITY f SYSTEM "http://127.0.0.1:1/x">]>'),
    "a parameter entity": document("", '<!DOCTYPE Trigger [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>'),
    "an external document type": document("", '<!DOCTYPE Trigger SYSTEM "http://127.0.0.1:1/x.dtd">'),
    "a depth without end": document("<a>" * 9_000 + "</a>" * 9_000),
    "a document that does not end": document("")[:-20],
    "two documents": document("") + document(""),
    "a document type in another writing": document("", "<!DOCTYPE Trigger>").decode().encode("utf-16"),
    "a book": document("x" * 100_000),
    "an unknown prefix": document("<x:y/>"),
    "an element in the recipient's name": document("", recipient=f"<a>{RECEIVER}</a>"),
    "a size below nothing": document("").replace(f">{len(TEXT)}<".encode(), b">-1<"),
    "a size in words": document("").replace(f">{len(TEXT)}<".encode(), b">1e9<"),
    "another root": document("").replace(b"t:Trigger", b"t:TechnicalReceipt"),
    "another namespace": document("").replace(NAMESPACE.encode(), b"urn:other"),
    "two descriptions": document("").replace(b"<FileContentDescriptor>", b"<FileDescriptor/><FileContentDescriptor>"),
    "a hundred and one recipients": document("").replace(
        b"</FileDescriptor>", b"".join(b"<Recipients>r%d</Recipients>" % n for n in range(101)) + b"</FileDescriptor>"
    ),
}


@pytest.mark.parametrize("what", listed(DOCUMENTS, "a trigger with {}", "a receipt with an error"))
def test_a_trigger_is_refused_that_holds(sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient, what: str) -> None:
    if what == "a book":
        with pytest.raises(OSError, match="exchange_quota_full"):
            send(sender, words=DOCUMENTS[what])
        assert receiver.listdir("IN") == []
        return
    send(sender, words=DOCUMENTS[what])
    said = receipt(sender)
    assert said["ErrorCode"] in {"10", "20"}
    assert "root:" not in str(said)
    assert receiver.listdir("IN") == []


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>', b"include"),
        ("<?php system('id'); ?>", b""),
        ("<!-- nothing to see -->", b""),
        ("<![CDATA[<script>alert(1)</script>]]>", b""),
    ],
)
def test_what_is_passed_on_is_carried_out_by_nobody(
    sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient, inside: str, expected: bytes
) -> None:
    send(sender, words=document(inside))
    metadata = receiver.open(f"IN/{FILE}.metadata").read()
    assert b"root:" not in metadata
    assert expected in metadata


def test_an_archive_that_would_fill_the_disk_is_a_file_like_any_other(
    sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../zeros", b"\0" * 50_000_000)
    send(sender, text=packed.getvalue())
    assert receiver.open(f"IN/{FILE}").read() == packed.getvalue()


def test_users_cannot_be_found_out_by_trying(sender: paramiko.SFTPClient) -> None:
    words = set()
    for user in ("nobody-at-all", STRANGER, "ROUTING_V1_0_0", "' or 1=1 --"):
        send(sender, words=trigger(user))
        said = receipt(sender)
        words.add((said["ErrorCode"], said["ErrorDescription"]))
    assert len(words) == 1


HIDDEN = (
    "IN/.parcel.json", "IN/lock", "IN/../lock", "IN/../in", f"IN/../../{SENDER}/out", "/secret", "/sent", "/refs",
)  # fmt: skip


class TestTheReceiver:
    def test_changes_nothing_in_in(self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient) -> None:
        send(sender)
        for mode in ("w", "a", "r+", "x"):
            with pytest.raises(PermissionError, match="read_only"):
                receiver.open(f"IN/{FILE}", mode)
        with pytest.raises(PermissionError, match="read_only"):
            receiver.rename(f"IN/{FILE}", "IN/other")
        with pytest.raises(PermissionError, match="read_only"):
            receiver.rename(f"IN/{FILE}", f"OUT/{FILE}")
        with pytest.raises(PermissionError, match="read_only"):
            receiver.truncate(f"IN/{FILE}", 0)
        assert receiver.open(f"IN/{FILE}").read() == TEXT

    @pytest.mark.parametrize("path", HIDDEN)
    def test_sees_nothing_but_names(
        self, sender: paramiko.SFTPClient, receiver: paramiko.SFTPClient, path: str
    ) -> None:
        send(sender)
        with pytest.raises(FileNotFoundError):
            receiver.open(path)
        with pytest.raises(OSError, match=r"no such file|read_only"):
            receiver.remove(path)

    def test_does_not_reach_what_was_sent_to_another(self, hall: Hall, sender: paramiko.SFTPClient) -> None:
        send(sender)
        with hall.client(key_of(hall, STRANGER)) as stranger:
            assert stranger.listdir("IN") == []
            for path in (f"IN/{FILE}", f"/{RECEIVER}/in", f"OUT/{FILE}"):
                with pytest.raises(FileNotFoundError):
                    stranger.open(path)


def test_an_offset_beyond_every_file_is_no_room(sender: paramiko.SFTPClient) -> None:
    with sender.open("OUT/x", "wb") as file:
        for offset in (2**63 - 10, 2**63, 2**64 - 1):
            message = Message()
            message.add_int(4_712)
            message.add_string(file.handle)  # type: ignore[arg-type]
            message.add_int64(offset)
            message.add_string(b"x" * 10)
            sender._send_packet(6, message)  # type: ignore[attr-defined]
            kind, data = sender._read_packet()  # type: ignore[attr-defined]
            assert kind == 101
            assert b"exchange_quota_full" in data
