"""A circle's change file, from a real mirror to the subscriber's IN."""

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from control import Agreements
from extract.delivery.circle import Filter, FilterKind
from extract.delivery.desk import wish_of
from extract.delivery.sftp_tree import File, Tree
from extract.delivery.subscription import Subscription
from extract.formats.cpr_records import end_line, start_line
from kernel import ServiceName
from replica import Lake
from runtime.clock import CLOCK
from runtime.delivering import Delivering
from runtime.demo import Stage
from runtime.environment import settings_of
from runtime.mirroring import Mirroring
from runtime.wiring import open_house
from sync.sources.cpr import CprDecoder, load_layout
from sync.testdata.delivery import PRODUCTION, generate_changes
from tests.journeys.platform import make_stage

SERVICE = ServiceName("cpr-persons-extract")
PERSONS = 40


@dataclass
class Office:
    stage: Stage
    delivering: Delivering

    @property
    def work(self) -> Path:
        """A folder of this test's own."""
        folder = self.stage.instance.root / "work"
        folder.mkdir(exist_ok=True)
        return folder

    def subscribe(self, target: str = "inbox") -> Subscription:
        house = self.delivering.house
        system = Agreements(house.control, house.registers).find(self.stage.agreement).system
        told = {"kind": "circle", "format": "cpr", "target": {"kind": target}}
        wish = wish_of(told, agreement=self.stage.agreement, system=system, service=SERVICE)
        return self.delivering.desk.subscribe(wish, self.delivering.grant_for(wish), by="a test")

    def follow(self, subscription: Subscription, *numbers: str) -> None:
        grant = self.delivering.grant_of(subscription)
        for number in numbers:
            self.delivering.circles.add(grant, Filter.of(FilterKind.NUMBER, number))

    def deliver(self, subscription: Subscription) -> tuple[str, list[str]]:
        """Name and lines of the newest file in IN."""
        self.delivering.plan()
        self.delivering.send()
        box = self.delivering.house.exchange.box(subscription.wish.system)
        folder, note = max(box.parcels(), key=lambda each: each[1].landed)
        return note.name, (folder / note.name).read_text("iso-8859-1").splitlines()

    def unfollow(self, subscription: Subscription, number: str) -> None:
        self.delivering.circles.remove(self.delivering.grant_of(subscription), Filter.of(FilterKind.NUMBER, number))

    def change(self) -> None:
        """A day later: a change file of the register, in which something happens to every other family."""
        day = PRODUCTION + timedelta(days=3)
        self.publish(day, b"".join(generate_changes(PERSONS, 7, day, PRODUCTION, families=5)))

    def move(self, lines: list[str], day: date, municipality: str) -> None:
        """The register delivers somebody's record set once more, with an address in another municipality."""
        places = {"002": 13, "02B": 13, "003": 207}
        moved = [
            line[: places[line[:3]]] + municipality + line[places[line[:3]] + 4 :] if line[:3] in places else line
            for line in lines
        ]
        text = [start_line(990_001, day, day - timedelta(days=1)), *moved, end_line(len(moved)), ""]
        self.publish(day, "\n".join(text).encode("iso-8859-1"))

    def publish(self, day: date, content: bytes) -> None:
        inbox = self.stage.instance.inbox / "cpr"
        (inbox / f"d{day:%y%m%d}.l990001").write_bytes(content)
        (inbox / f"d{day:%y%m%d}.l990001.trigger").touch()
        mirroring = Mirroring.of(self.stage.instance, self.delivering.house.settings, CLOCK)
        (source,) = mirroring.named(["cpr-persons"])
        with Lake.open(self.stage.instance.lake, self.delivering.house.settings.replica, write=True) as lake:
            report = mirroring.run(source, lake, accept=True)
        assert report.ok, report.one_line()


def people(lines: list[str]) -> set[str]:
    return {line[3:13] for line in lines[1:-1]}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    stage = make_stage(tmp_path / "instance", persons=PERSONS)
    with ExitStack() as stack:
        house = stack.enter_context(open_house(stage.instance, settings_of(stage.instance), "worker"))
        yield Office(stage, Delivering(house))


@pytest.mark.slow
def test_who_is_in_the_circle_comes_first_whole_and_then_when_something_changes(office: Office) -> None:
    subscription, shelved = office.subscribe(), office.subscribe("shelf")
    everybody = _everybody(office)
    first, second, later = everybody[0], everybody[1], everybody[2]
    office.follow(subscription, first, second)
    name, lines = office.deliver(subscription)
    assert re.fullmatch(rf"D\d{{6}}\.L000001\.{office.stage.agreement}", name)
    assert people(lines) == {first, second}
    assert lines[0][:3] == "000"
    assert lines[-1] == f"999{'9' * 10}{len(lines) - 2:08d}"
    assert {"001", "008", "012"} <= {line[:3] for line in lines if line[3:13] == first}
    _on_the_shelf_too(office, shelved, name, lines)
    # Somebody who joins comes with the next one, also when nothing has changed for them.
    office.follow(subscription, later)
    office.change()
    former = lines[0][19:27]
    name, lines = office.deliver(subscription)
    assert lines[0][27:35] == former, "the chain of dates"
    changed = {line[3:13] for line in _delivered(office) if line[:3] == "001"}
    assert people(lines) == {later} | ({first, second} & changed)
    assert name.split(".")[1] == "L000002"
    (delivery, _) = office.delivering.outbox.book.listed(subscriptions=(subscription.id,))
    assert (delivery.state, delivery.why_full, delivery.rows) == ("sent", "", len(people(lines)))
    assert first not in str(delivery)


def _on_the_shelf_too(office: Office, shelved: Subscription, name: str, lines: list[str]) -> None:
    house, agreement = office.delivering.house, office.stage.agreement
    tree = Tree(house.shelf, lambda: (office.delivering.grant_of(shelved),))
    (cvr,) = (tree.children("/") or {}).keys()
    files = tree.children(f"/{cvr}/{SERVICE}") or {}
    assert set(files) == {"SHA256SUMS", name, f"{name}.manifest.json", f"{name}.manifest.json.sig"}
    shown = files[name]
    assert isinstance(shown, File)
    assert shown.path.read_text("iso-8859-1").splitlines() == lines
    office.delivering.plan()
    assert shown.path.exists(), "it stays when what it was made from is tidied away"
    assert shown.manifest is not None
    office.delivering.outbox.fetched(agreement, shown.manifest.plan)
    (delivery,) = office.delivering.outbox.book.listed(subscriptions=(shelved.id,))
    assert delivery.state == "received"


@pytest.mark.slow
def test_who_is_followed_no_more_is_told_by_the_registers_receipt_and_nothing_else_once(office: Office) -> None:
    subscription = office.subscribe()
    places = _places(office)
    mover, place = next((number, place) for number, place in sorted(places.items()) if place is not None)
    dropped, stays = [number for number, other in sorted(places.items()) if other != place][:2]
    office.follow(subscription, dropped, stays)
    office.delivering.circles.add(office.delivering.grant_of(subscription), Filter.of(FilterKind.MUNICIPALITY, place))
    _, first = office.deliver(subscription)
    assert people(first) == {dropped, stays} | {number for number, other in places.items() if other == place}
    record_set = [line for line in first if line[3:13] == mover]
    office.move(record_set, PRODUCTION + timedelta(days=3), "0101" if place != "0101" else "0461")
    office.unfollow(subscription, dropped)
    _, second = office.deliver(subscription)
    assert [line[:13] for line in second[1:-1]] == [f"997{each}" for each in sorted((mover, dropped))]
    assert all(re.fullmatch(r"997\d{10}\d{12}A45", line) for line in second[1:-1]), "no other word about anybody"
    delivery = office.delivering.outbox.book.listed()[0]
    assert (delivery.rows, delivery.why_full) == (2, "")
    layout, told = load_layout("a"), io.BytesIO("\n".join([*second, ""]).encode("iso-8859-1"))
    persons = next(each for each in office.delivering.house.registers.datasets if each.id == "cpr.persons")
    read = CprDecoder(layout, persons.arrow).decode(told, {}, lambda *_: None, office.work)
    assert (read.rows.num_rows, read.quarantine.height, read.lines_envelope) == (0, 0, 4), (
        "readers of the layout take it"
    )
    office.change()
    _, third = office.deliver(subscription)
    assert not {line[3:13] for line in third if line[:3] == "997"} & {mover, dropped}, "once"


def _everybody(office: Office) -> list[str]:
    return sorted(_places(office))


def _places(office: Office) -> dict[str, str | None]:
    """Personal number -> municipality."""
    scanner, dataset = office.delivering.house.scanner, office.delivering.house.registers.datasets
    (persons,) = (each for each in dataset if each.id == "cpr.persons")
    table = scanner.lake().scan(persons, columns=["pnr", "municipality_code"]).read_all()
    return dict(zip(*(table[name].to_pylist() for name in ("pnr", "municipality_code")), strict=True))


def _delivered(office: Office) -> list[str]:
    newest = max(path for path in (office.stage.instance.inbox / "cpr").iterdir() if path.suffix == ".l990001")
    return newest.read_text("iso-8859-1").splitlines()
