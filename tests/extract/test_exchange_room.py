"""IN and OUT when there is no room: on a small file system that is really full, below the floor, and beyond the limit
of one receiver's IN.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from extract import ExchangeSettings, InMetadata
from extract.errors import ExchangeBoxFull
from kernel import Floor, SystemId
from tests.extract.builders import CVR, SERVICE, grant, plan
from tests.extract.conftest import Source
from tests.extract.exchanging import FILE, RECEIVER, SENDER, TEXT, key_of, open_exchange, receipt, send, trigger, write
from tests.extract.hall import Hall
from tests.small_disk import Disk, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", kilobytes=12_000) as disk:
        yield disk


def client_of(hall: Hall, system: str) -> paramiko.SFTPClient:
    client = paramiko.SFTPClient.from_transport(hall.connect(key_of(hall, system)))
    assert client is not None
    return client


class TestFullDisk:
    @pytest.fixture
    def hall(self, disk: Disk, source: Source) -> Iterator[Hall]:
        with open_exchange(disk.root, source) as hall:
            yield hall

    def test_an_upload_is_told_stays_unsent_and_goes_on_where_it_stopped(self, hall: Hall, disk: Disk) -> None:
        sender, receiver = client_of(hall, SENDER), client_of(hall, RECEIVER)
        sender.listdir("OUT")
        disk.fill(but=100_000)
        with pytest.raises(OSError, match="disk_full"):
            write(sender, f"OUT/{FILE}", TEXT)
        size = sender.stat(f"OUT/{FILE}").st_size or 0
        assert 0 < size < len(TEXT)
        with pytest.raises(OSError, match="disk_full"):
            write(sender, f"OUT/{FILE}.trigger", trigger())
        assert sender.listdir("OUT") == [FILE], "half a trigger is none"
        assert receiver.listdir("IN") == []
        disk.empty()
        with sender.open(f"OUT/{FILE}", "r+b") as file:
            file.seek(size)
            file.write(TEXT[size:])
        write(sender, f"OUT/{FILE}.trigger", trigger())
        assert receiver.open(f"IN/{FILE}").read() == TEXT
        assert receipt(sender)["Message"] == "SUCCESS"

    @pytest.mark.parametrize("pages", [1, 3, 5])
    def test_what_was_triggered_lands_once_when_there_is_room(self, hall: Hall, disk: Disk, pages: int) -> None:
        sender, receiver = client_of(hall, SENDER), client_of(hall, RECEIVER)
        write(sender, f"OUT/{FILE}", TEXT)
        disk.fill(but=pages * 4_096)
        # paramiko's client keeps what closing failed with to itself; what writing fails with it tells.
        with contextlib.suppress(OSError):
            write(sender, f"OUT/{FILE}.trigger", trigger())
        assert f"{FILE}.sftpreceipt" not in sender.listdir("IN")
        seen = set(receiver.listdir("IN"))
        assert seen in (set(), {FILE, f"{FILE}.metadata", f"{FILE}.trigger"}), "whole or not at all"
        disk.empty()
        hall.sending().resume(SystemId(SENDER))
        if FILE in sender.listdir("OUT"):
            # Not even the trigger had room: its sender was told, and sends it again.
            write(sender, f"OUT/{FILE}.trigger", trigger())
        assert receiver.open(f"IN/{FILE}").read() == TEXT
        assert receipt(sender)["Message"] == "SUCCESS"
        assert sender.listdir("OUT") == []

    def test_what_lies_in_in_is_fetched_and_deleted_without_any_room(self, hall: Hall, disk: Disk) -> None:
        sender, receiver = client_of(hall, SENDER), client_of(hall, RECEIVER)
        send(sender)
        disk.fill()
        assert receiver.open(f"IN/{FILE}").read() == TEXT
        receiver.remove(f"IN/{FILE}")
        assert FILE not in receiver.listdir("IN")


def test_no_upload_is_begun_or_gone_on_with_below_the_floor(disk: Disk, source: Source) -> None:
    with open_exchange(disk.root, source) as hall:
        assert hall.exchange is not None
        object.__setattr__(hall.exchange, "floor", Floor(free_bytes=3_000_000))
        sender = client_of(hall, SENDER)
        write(sender, "OUT/before", b"x" * 1_000)
        disk.fill(but=2_000_000)
        with pytest.raises(OSError, match="disk_full"):
            sender.open("OUT/new", "wb")
        with pytest.raises(OSError, match="disk_full"):
            write(sender, "OUT/before", b"y" * 1_000)
        assert sender.listdir("OUT") == ["before"]
        disk.empty()
        write(sender, "OUT/new", b"x" * 1_000)


class TestIn:
    @pytest.fixture
    def hall(self, tmp_path: Path, source: Source) -> Iterator[Hall]:
        with open_exchange(tmp_path, source, ExchangeSettings(in_mb=1)) as hall:
            yield hall

    def test_that_is_full_tells_the_sender_and_takes_the_next_when_something_was_fetched(self, hall: Hall) -> None:
        sender, receiver = client_of(hall, SENDER), client_of(hall, RECEIVER)
        assert 500_000 > len(TEXT) > 300_000
        for number in range(4):
            send(sender, file=f"F{number}")
        told = [receipt(sender, f"F{number}").values() for number in range(4)]
        assert ["SUCCESS" in each for each in told] == [True] * 3 + [False]
        assert any("exchange_box_full" in word for word in told[3])
        receiver.remove("IN/F0")
        send(sender, file="F4")
        assert receipt(sender, "F4")["Message"] == "SUCCESS"

    def test_the_same_bytes_count_in_each_in_that_they_lie_in(self, hall: Hall) -> None:
        given = grant(agreement="data", system=RECEIVER)
        hall.allow(given, plan(given))
        extract = hall.store.open(plan(given))
        assert hall.exchange is not None
        size = extract.manifest.size_bytes
        settings = replace(hall.exchange.settings, in_mb=-(-size // 1_000_000))
        exchange = replace(hall.exchange, settings=settings)
        metadata = InMetadata(
            transfer="5f0e0000-0000-4000-8000-000000000001", agreement=given.agreement, service=SERVICE,
            municipality_cvr=CVR, terms_hash=given.terms_hash, manifest=extract.manifest,
        )  # fmt: skip
        for system in (RECEIVER, SENDER):
            assert exchange.put_in(SystemId(system), "first.csv", extract.path, metadata)
        again = replace(metadata, transfer="5f0e0000-0000-4000-8000-000000000002")
        with pytest.raises(ExchangeBoxFull, match="megabytes"):
            exchange.put_in(SystemId(RECEIVER), "second.csv", extract.path, again)
        assert not any(
            name.startswith(".new")
            for name in (path.name for path in exchange.box(SystemId(RECEIVER)).incoming.iterdir())
        )
