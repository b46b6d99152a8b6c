"""The ledger on a file system that is really full: no line, no answer; no half line; and on it goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small_disk import Disk, small_disk
from tests.usage.builders import House, an_answer
from usage import Ledger, LedgerUnavailable, take_in, verify


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "ledger", kilobytes=1_000) as disk:
        yield disk


def kept_of(ledger: Ledger, calls: int) -> int:
    """How many of so many calls may be answered."""
    kept = 0
    for _ in range(calls):
        try:
            ledger.record(an_answer())
        except LedgerUnavailable:
            continue
        kept += 1
    return kept


def test_what_it_took_is_whole_and_counted_once_however_full_the_disk_was(disk: Disk, tmp_path: Path) -> None:
    house = House(disk.root, tmp_path / "usage")
    disk.fill()
    with house.open_ledger() as ledger:
        assert kept_of(ledger, 3) == 0, "not even a file can be begun"
        disk.empty()
        kept = kept_of(ledger, 10)
        assert kept == 10
        for pages in (0, 1, 2):
            disk.fill(but=pages * 4_096)
            some = kept_of(ledger, 40)
            assert some < 40
            disk.empty()
            kept += some + kept_of(ledger, 1)
        # What cannot be sealed now is sealed by the intake.
        disk.fill()
        kept += kept_of(ledger, 40)
    disk.empty()
    with house.open_ledger() as ledger:
        assert kept_of(ledger, 1) == 1
    assert take_in(house.ledger, house.usage).events == kept + 1
    assert verify(house.ledger, house.usage) == []
    assert house.files("faulty") == []
