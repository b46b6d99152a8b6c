"""The outbox on PostgreSQL: workers that ask at once get different deliveries, and each is sent once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from extract.delivery.alarms import AlarmKind, find_alarms
from extract.delivery.circle import Filter, FilterKind, Outcome
from extract.delivery.circle_numbers import Seal
from extract.delivery.circles import Circles
from extract.delivery.figures import delivery_figures
from extract.delivery.outbox_rows import Delivery
from extract.delivery.outbox_states import State
from extract.delivery.targets import HttpsTarget
from extract.errors import ExtractBroken
from runtime.migrations import upgrade
from tests.delivery.builders import Desk, database_at, wish
from tests.extract.builders import SERVICE, grant
from tests.sync.connectors.postgres import DATABASE, serve_postgres

PUSHED = HttpsTarget(url="https://receiver.example/in")
WORKERS = 6


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve_postgres() as server:
        url = f"postgresql+psycopg://owner@/{DATABASE}?host={server.folder}&port={server.own_port}"
        upgrade(url)
        yield url


@pytest.fixture
def desk(address: str, tmp_path: Path) -> Iterator[Desk]:
    with database_at(address) as found:
        yield Desk(tmp_path, found)


@pytest.mark.slow
def test_each_delivery_is_claimed_by_one_and_sent_once(desk: Desk) -> None:
    for _ in range(12):
        made = desk.subscriptions.add(wish(PUSHED, confirm_within_s=3600), by="a test")
        desk.subscriptions.plan(made.id, 5)
    gate = Barrier(WORKERS)

    def claim(_: int) -> list[Delivery]:
        gate.wait(60)
        found = []
        for _ in range(6):
            delivery = desk.outbox.claim()
            if delivery is not None:
                found.append(delivery)
        return found

    with ThreadPoolExecutor(WORKERS) as pool:
        claimed = [each for found in pool.map(claim, range(WORKERS)) for each in found]
    assert len({each.id for each in claimed}) == len(claimed) == 12
    for each in claimed:
        desk.outbox.release(each)
    desk.trouble = [ExtractBroken("it is broken", remedy="wait")] * 3

    def work(_: int) -> None:
        gate.wait(60)
        for _ in range(12):
            desk.courier.turn()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    desk.clock.pass_s(3000)
    while desk.courier.turn() is not None:
        pass
    assert [each.state for each in desk.outbox.book.listed()] == [State.SENT] * 12
    assert len({parcel.delivery for parcel in desk.sent}) == len(desk.sent) == 12
    desk.clock.pass_s(4000)
    told = delivery_figures(desk.database, desk.clock.now())
    assert dict(told.alarms) == {(SERVICE, AlarmKind.UNCONFIRMED): 12}
    assert (told.deliveries, told.failing) == ({(SERVICE, State.SENT): 12}, 0)
    assert len(find_alarms(desk.database, desk.clock)) == 12


def test_circles_are_kept_there_too(desk: Desk) -> None:
    circles = Circles(desk.database, Seal(b"k" * 32), lambda _, numbers: numbers, desk.clock)
    wanted = Filter.of(FilterKind.NUMBER, "6101701001")
    assert circles.add(grant(), wanted) is Outcome.ADDED
    assert circles.filters(grant()) == (wanted,)
    book = circles.book(grant())
    assert list(book.numbers_came(None)) == [{wanted.value}]
    asked = [{"pnr": each} for each in (wanted.value, "6101701002")]
    assert book.now.among(asked, desk.clock.now().date()) == {wanted.value}
    assert circles.change(grant(), remove=[wanted])[1] == [Outcome.REMOVED]
    assert circles.book(grant()).now.empty


def test_no_filter_of_a_circle_comes_to_light_behind_one_that_a_delivery_knew(desk: Desk) -> None:
    circles, mine = (
        Circles(desk.database, Seal(b"k" * 32), lambda _, numbers: numbers, desk.clock),
        grant(system="system-9"),
    )
    gate = Barrier(WORKERS)

    def follow(worker: int) -> None:
        gate.wait(60)
        for each in range(10):
            circles.add(mine, Filter.of(FilterKind.EVENT, f"A{worker}{each}"))

    with ThreadPoolExecutor(WORKERS) as pool:
        adding = [pool.submit(follow, worker) for worker in range(WORKERS)]
        seen: set[str] = set()
        while True:
            over = all(each.done() for each in adding)
            book = circles.book(mine)
            before = seen
            seen = {each.added for each in book.entries}
            assert len(seen) == len(book.entries), "each has a moment of its own"
            assert not before or min(seen - before, default="9") > max(before)
            if over:
                break
    assert len(seen) == 10 * WORKERS
