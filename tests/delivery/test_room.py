"""A delivery for which a shelf, IN or the disk has no room waits, is told once, and leaves by itself."""

from pathlib import Path

import pytest
from sqlalchemy import text

from extract import Circles, Filter, FilterKind, Seal
from extract.delivery.alarms import AlarmKind, find_alarms
from extract.delivery.outbox_rows import Delivery
from extract.delivery.targets import Inbox, SftpTarget, Target
from extract.delivery.targets import Shelf as OnShelf
from extract.errors import ExchangeBoxFull, ShelfFull
from kernel import DiskFull, PlatformError, no_room
from tests.delivery.builders import Desk, database, wish
from tests.extract.builders import grant
from tests.small_disk import small_disk

TARGET = SftpTarget(host="192.0.2.1", user="town", host_key="ssh-ed25519 " + "A" * 68)


def newest(desk: Desk) -> Delivery:
    return desk.outbox.book.listed()[0]


class Refusing(list[Delivery]):
    """Where a test's deliveries are shelved, while there is no room."""

    def __init__(self, why: Exception) -> None:
        super().__init__()
        self.why = why

    def append(self, _: Delivery) -> None:
        raise self.why


@pytest.mark.parametrize(
    ("target", "full", "told"),
    [
        (OnShelf(), ShelfFull("the shelf is full", remedy="fetch", retry_after_s=300), 1),
        (Inbox(), ExchangeBoxFull("IN is full", remedy="fetch", retry_after_s=300), 1),
        (OnShelf(), no_room(), 0),
        (TARGET, no_room(), 0),
        (TARGET, OSError(28, "No space left on device"), 0),
    ],
)
def test_a_delivery_without_room_waits_is_told_once_and_goes_on(
    desk: Desk, target: Target, full: Exception, told: int
) -> None:
    made = desk.subscriptions.add(wish(target), by="a test")
    desk.subscriptions.plan(made.id, 5)
    code = full.code if isinstance(full, PlatformError) else "disk_full"
    desk.trouble, desk.shelved = [full] * 3, Refusing(full)
    for _ in range(3):
        desk.courier.turn()
        held = newest(desk)
        assert (held.state, held.fault_code, held.attempts) == ("withheld", code, 0)
        desk.clock.pass_s(301)
    assert len(desk.notices) == told
    assert [each.kind for each in find_alarms(desk.database, desk.clock)] == [AlarmKind.HELD]
    assert find_alarms(desk.database, desk.clock) == (), "once"
    assert desk.subscriptions.plan(made.id, 6) is None, "the later ones wait for it"
    desk.shelved = []
    desk.courier.turn()
    assert (newest(desk).state, newest(desk).alarmed) == ("sent", None), "what waits untaken next is news again"
    assert len(desk.notices) == told


@pytest.mark.parametrize("pages", [0, 8, 20])
def test_an_outbox_on_a_full_disk_forgets_nothing_and_goes_on_when_there_is_room(tmp_path: Path, pages: int) -> None:
    with small_disk(tmp_path / "disk", kilobytes=6_000) as disk, database(disk.root) as found:
        desk = Desk(tmp_path, found)
        made = desk.subscriptions.add(wish(OnShelf()), by="a test")
        desk.subscriptions.plan(made.id, 5)
        disk.fill(but=pages * 4_096)
        refused = 0
        for number in range(6, 24):
            try:
                desk.courier.turn()
                desk.subscriptions.plan(made.id, number)
            except DiskFull:
                refused += 1
            desk.clock.pass_s(61)
        assert refused
        disk.empty()
        for _ in range(3):
            desk.courier.turn()
            desk.clock.pass_s(61)
        desk.subscriptions.plan(made.id, 50)
        desk.courier.turn()
        with found.reading() as db:
            assert db.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        last = desk.outbox.book.listed()[0]
        assert (last.state, last.until) == ("sent", 50)
        numbers = [each.number for each in desk.outbox.book.listed()]
        assert numbers == list(range(len(numbers), 0, -1)), "none is left out"
        states = {each.state for each in desk.outbox.book.listed()[1:]}
        assert states <= {"superseded", "received", "sent"}


def test_a_circle_on_a_full_disk_takes_a_filter_whole_or_not_at_all(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=6_000) as disk, database(disk.root) as found:
        desk = Desk(tmp_path, found)
        circles = Circles(found, Seal(b"k" * 32), lambda _, numbers: numbers, desk.clock)
        added = 0

        def add(code: int) -> None:
            nonlocal added
            circles.add(grant(), Filter.of(FilterKind.MUNICIPALITY, f"{code:04}"))
            added += 1

        disk.fill()
        # Not even the first connection has room, which every command makes.
        with pytest.raises(DiskFull):
            circles.book(grant())
        disk.empty()
        assert circles.book(grant()).changed is None
        disk.fill(but=40_960)
        with pytest.raises(DiskFull):
            list(map(add, range(2_000)))
        assert len(circles.book(grant()).now.municipalities) == added
        disk.empty()
        add(9_999)
        assert len(circles.book(grant()).now.municipalities) == added
