"""What lands in a system's IN: together, whole, once."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from extract import Exchange, ExchangeSettings, InMetadata
from extract.errors import ExchangeBoxFull, ExchangeNameInvalid, ExchangeNameTaken
from extract.exchange.xml import NAMESPACE
from kernel import SystemId
from tests.extract.builders import CVR, SERVICE, grant
from tests.extract.hall import StoppedClock

SYSTEM = SystemId("system-1")


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    settings = ExchangeSettings(files=3, legacy_metadata=("OLD",))
    return Exchange(tmp_path / "exchange", {"system-1": "NEW", "system-2": "OLD"}.__getitem__, StoppedClock(), settings)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made"
    path.write_bytes(b"a whole file\n" * 1_000)
    return path


def metadata(transfer: str = "6b5e3f2a-0000-4000-8000-000000000001") -> InMetadata:
    return InMetadata(
        transfer=transfer, agreement=grant().agreement, service=SERVICE, municipality_cvr=CVR, terms_hash="0" * 64
    )


def test_file_metadata_and_trigger_land_together(exchange: Exchange, file: Path) -> None:
    assert exchange.put_in(SYSTEM, "D310310.L000001", file, metadata())
    held = exchange.box(SYSTEM).names()
    assert sorted(held) == ["D310310.L000001", "D310310.L000001.metadata", "D310310.L000001.trigger"]
    landed = held["D310310.L000001"].path
    assert hashlib.sha256(landed.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()
    assert landed.stat().st_mtime == file.stat().st_mtime
    assert held["D310310.L000001"].note.landed == datetime(2031, 3, 10, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(("system", "root"), [("system-1", "FileMetadata"), ("system-2", "Trigger")])
def test_metadata_is_as_published_with_the_root_that_the_user_has_chosen(
    exchange: Exchange, file: Path, system: str, root: str
) -> None:
    exchange.put_in(SystemId(system), "a.csv", file, metadata())
    text = exchange.box(SystemId(system)).names()["a.csv.metadata"].path.read_bytes()
    assert b"<ns2:" + root.encode() in text
    found = etree.fromstring(text)
    assert found.tag == f"{{{NAMESPACE}}}{root}"
    assert [child.tag for child in found] == ["FileTransferUUID", "FileDescriptor", "FileContentDescriptor"]
    said = {child.tag: child.text for child in found[1]}
    assert said == {
        "FileName": "a.csv",
        "SizeInBytes": "13000",
        "Sender": "KNUDEPUNKT",
        "Recipients": {"system-1": "NEW", "system-2": "OLD"}[system],
    }


def test_putting_it_again_changes_nothing_also_when_it_was_taken_away(exchange: Exchange, file: Path) -> None:
    assert exchange.put_in(SYSTEM, "a.csv", file, metadata())
    assert not exchange.put_in(SYSTEM, "a.csv", file, metadata())
    box = exchange.box(SYSTEM)
    for name, held in box.names().items():
        assert box.remove(name, held)
    assert not exchange.put_in(SYSTEM, "a.csv", file, metadata())
    assert box.names() == {}


def test_a_name_that_lies_there_is_an_error_and_the_first_one_stays(exchange: Exchange, file: Path) -> None:
    exchange.put_in(SYSTEM, "a.csv", file, metadata())
    with pytest.raises(ExchangeNameTaken):
        exchange.put_in(SYSTEM, "a.csv", file, metadata("another"))
    assert exchange.box(SYSTEM).names()["a.csv"].note.transfer == metadata().transfer
    assert [each.name for each in exchange.box(SYSTEM).incoming.iterdir()] == [metadata().transfer]


def test_a_full_box_takes_no_more_until_it_is_emptied(exchange: Exchange, file: Path) -> None:
    for number in range(3):
        exchange.put_in(SYSTEM, f"{number}.csv", file, metadata(f"t{number}"))
    with pytest.raises(ExchangeBoxFull):
        exchange.put_in(SYSTEM, "3.csv", file, metadata("t3"))
    box = exchange.box(SYSTEM)
    for name, held in box.names().items():
        if name.startswith("0."):
            box.remove(name, held)
    assert exchange.put_in(SYSTEM, "3.csv", file, metadata("t3"))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "a\\b", ".a", "-a", "a\0", "a\n", "a\u202eb", "a ", "x" * 241, "a.trigger"]
)
def test_what_is_no_name_is_refused(exchange: Exchange, file: Path, name: str) -> None:
    with pytest.raises(ExchangeNameInvalid):
        exchange.put_in(SYSTEM, name, file, metadata())


def test_what_is_old_is_cleaned_up(exchange: Exchange, file: Path) -> None:
    exchange.put_in(SYSTEM, "a.csv", file, metadata())
    assert exchange.box(SYSTEM).sweep(3_600) == 0
    assert exchange.box(SYSTEM).sweep(-1) == 3
    assert exchange.box(SYSTEM).names() == {}
