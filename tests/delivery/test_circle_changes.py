"""A circle's files, one after another, on a real lake: who takes them follows whom the circle holds, nobody else."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from extract import Cursor, ExtractPlan, ExtractRequest, plan_extract, rows_of
from extract.delivery.circle import Filter, FilterKind, Outcome, age_on, birthdays
from extract.delivery.circle_changes import CircleChanges, Keys, Known
from extract.delivery.circle_numbers import Seal
from extract.delivery.circles import KEPT_DAYS, Circles, circle_of
from extract.delivery.outbox_tables import CIRCLE_FILTERS, Database
from kernel import Grant, SnapshotId, new_id
from replica import QUARANTINE, Delivery, Lake, Mode, ReplicaSettings, RunRecord
from schemas import Classification, Column, Dataset, Kind, ProtectionRule
from tests.delivery.builders import TestClock as Clock
from tests.delivery.builders import database
from tests.extract.builders import PUBLISHED, grant
from tests.replica.builders import ELEMENT

SETTINGS = ReplicaSettings(memory_limit="500MB", threads=1)
# Fictitious: 60 is added to the day.
ANNA, BENT, CARL, DORA = PEOPLE = ("6101701001", "6101701002", "6101701003", "6101701004")
AALBORG, ODENSE, ESBJERG = "0851", "0461", "0561"
HERE = {"municipality_code": frozenset({AALBORG, ODENSE})}
TODAY = date(2031, 3, 10)
FOLK = Dataset(
    register="town",
    name="folk",
    key="pnr",
    columns=(
        Column(name="pnr", kind=Kind.TEXT, required=True, classification=Classification.PERSONAL),
        Column(name="municipality_code", kind=Kind.TEXT),
        Column(name="birth_date", kind=Kind.DATE),
        Column(name="name", kind=Kind.TEXT, classification=Classification.PROTECTED),
        Column(name="current", kind=Kind.TEXT, classification=Classification.PERSONAL),
        Column(
            name="events",
            kind=Kind.ARRAY,
            item=Column(name="item", kind=Kind.OBJECT, fields=(Column(name="code", kind=Kind.TEXT),)),
        ),
        Column(name="protections", kind=Kind.ARRAY, item=ELEMENT),
    ),
    protection=ProtectionRule(),
)


def person(number: str, **values: Any) -> dict[str, Any]:
    row = {
        "pnr": number, "municipality_code": AALBORG, "birth_date": date(1970, 1, 1), "name": "navn", "current": None,
        "events": [], "protections": [],
    }  # fmt: skip
    return row | values


@dataclass
class Subscriber:
    """Somebody who takes each file, over a lake and a circle that a test changes.

    held      what it has: number -> row
    planned   the snapshot that the next file was planned for, when it is not the newest
    """

    lake: Lake
    database: Database
    circles: Circles
    clock: Clock
    grant: Grant
    day: date = TODAY
    known: Known | None = None
    held: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    planned: SnapshotId | None = None

    def publish(self, *rows: Mapping[str, Any], mode: Mode = Mode.FULL) -> SnapshotId:
        run = RunRecord(
            run="run", source="folk", mode=mode, started=PUBLISHED, content_sha256="0" * 64, cursor="{}",
            as_of=PUBLISHED, lines_in=len(rows), lines_quarantined=0, rows_in=len(rows), rows_quarantined=0,
        )  # fmt: skip
        table = pa.Table.from_pylist([dict(each) for each in rows], schema=FOLK.arrow)
        self.lake.publish(FOLK, Delivery(rows=table, mode=mode, quarantine=QUARANTINE.empty_table(), run=run))
        return self.newest

    @property
    def newest(self) -> SnapshotId:
        info = self.lake.info(FOLK)
        assert info is not None
        return info.snapshot

    def follow(self, kind: FilterKind, value: str = "") -> Outcome:
        return self.circles.add(self.grant, Filter.of(kind, value))

    def kept(self) -> int:
        """How many filters of its circle are remembered."""
        mine = CIRCLE_FILTERS.c.circle == circle_of(self.grant)
        with self.database.reading() as db:
            return len(db.execute(select(CIRCLE_FILTERS.c.value).where(mine)).all())

    def leave(self, kind: FilterKind, value: str = "") -> Outcome:
        return self.circles.remove(self.grant, Filter.of(kind, value))

    def take(self, *, arrives: bool = True) -> tuple[set[str], set[str]]:
        """Take the next file as a careful reader does. Who was told whole, and who to be gone. One that does not
        arrive leaves both where they were.
        """
        plan, book = self._plan(), self.circles.book(self.grant)
        known = None if plan.since is None else self.known
        held = {} if known is None else dict(self.held)
        rows, gone = list[dict[str, Any]](), list[str]()
        for told in CircleChanges(scan=self._scan, plan=plan, book=book, day=self.day, known=known).told(lambda: None):
            rows += [] if told.rows is None else told.rows.to_pylist()
            gone += told.gone
        keys = [row["pnr"] for row in rows]
        assert len({*keys, *gone}) == len(keys) + len(gone), "nobody stands there twice"
        assert held.keys() >= set(gone), "nobody is told to be gone who was not there"
        held = {key: row for key, row in held.items() if key not in gone} | dict(zip(keys, rows, strict=True))
        if arrives:
            assert plan.cursor is not None
            self.held, self.planned = held, None
            self.known = Known(Cursor.read(str(plan.cursor)), book.changed or PUBLISHED, self.day)
        return set(keys), set(gone)

    def _plan(self) -> ExtractPlan:
        info = self.lake.info(FOLK) if self.planned is None else self.lake.info_at(FOLK, self.planned)
        assert info is not None
        request = ExtractRequest(
            since=None if self.known is None else self.known.since, otherwise_full=self.known is not None
        )
        return plan_extract(request, self.grant, FOLK, info, self.day, self.lake.corrections)

    def _scan(self, plan: ExtractPlan, keys: Keys | None) -> pa.RecordBatchReader:
        return rows_of(lambda: self.lake, FOLK, plan, keys)


@dataclass(frozen=True)
class Town:
    lake: Lake
    database: Database

    def subscriber(self) -> Subscriber:
        """Somebody new, whose circle is empty."""
        clock = Clock()
        circles = Circles(self.database, Seal(b"k" * 32), lambda _, numbers: numbers & set(PEOPLE), clock)
        return Subscriber(self.lake, self.database, circles, clock, grant(rows=HERE, system=new_id()))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("circle")
    with database(folder) as found, Lake.open(folder / "lake", SETTINGS, write=True) as lake:
        lake.prepare(FOLK)
        yield Town(lake, found)


@pytest.fixture
def someone(town: Town) -> Subscriber:
    return town.subscriber()


class TestWhoLeaves:
    def test_by_moving_out_of_what_the_agreement_covers_is_told_by_number_alone_and_once(
        self, someone: Subscriber
    ) -> None:
        someone.follow(FilterKind.NUMBER, ANNA)
        someone.publish(person(ANNA), person(BENT))
        assert someone.take() == ({ANNA}, set())
        someone.publish(person(ANNA, municipality_code=ESBJERG), person(BENT, municipality_code=ESBJERG))
        assert someone.take() == (set(), {ANNA}), "of Bent, who was not followed, nothing is told"
        someone.publish(person(ANNA, municipality_code=ESBJERG, name="nyt"))
        assert someone.take() == (set(), set())
        someone.publish(person(ANNA))
        assert someone.take() == ({ANNA}, set()), "who comes back is told whole"

    def test_by_moving_out_of_a_municipality_that_is_followed(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.MUNICIPALITY, AALBORG)
        someone.publish(person(ANNA), person(BENT), person(CARL, municipality_code=ODENSE))
        assert someone.take() == ({ANNA, BENT}, set())
        someone.publish(person(ANNA, municipality_code=ODENSE), person(BENT), person(CARL, municipality_code=ESBJERG))
        assert someone.take() == (set(), {ANNA})

    def test_but_is_held_by_another_filter_is_told_whole(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.MUNICIPALITY, AALBORG)
        someone.follow(FilterKind.NUMBER, ANNA)
        someone.publish(person(ANNA))
        someone.take()
        someone.publish(person(ANNA, municipality_code=ODENSE))
        assert someone.take() == ({ANNA}, set())

    def test_from_the_register(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.EVERYBODY)
        someone.publish(person(ANNA), person(BENT))
        someone.take()
        someone.publish(person(BENT))
        assert someone.take() == (set(), {ANNA})

    def test_by_a_birthday_although_nothing_was_delivered(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.AGE, "0-17")
        someone.follow(FilterKind.AGE, "65-99")
        someone.publish(
            person(ANNA, birth_date=date(2013, 3, 12)), person(BENT, birth_date=date(1966, 3, 11)),
            person(CARL, birth_date=date(2013, 3, 13)),
        )  # fmt: skip
        assert someone.take() == ({ANNA, CARL}, set())
        someone.day = date(2031, 3, 12)
        assert someone.take() == ({BENT}, {ANNA})
        assert someone.take() == (set(), set())

    @pytest.mark.parametrize(
        ("kind", "value"),
        [(FilterKind.NUMBER, ANNA), (FilterKind.MUNICIPALITY, AALBORG), (FilterKind.AGE, "60-61"),
         (FilterKind.EVERYBODY, ""), (FilterKind.EVENT, "A01")],
    )  # fmt: skip
    def test_with_a_filter_that_was_removed(self, someone: Subscriber, kind: FilterKind, value: str) -> None:
        someone.follow(kind, value)
        someone.follow(FilterKind.NUMBER, BENT)
        people = (person(ANNA, events=[{"code": "A01"}]), person(BENT, events=[{"code": "A01"}]))
        someone.publish(*people)
        assert someone.take() == ({ANNA, BENT}, set())
        assert someone.leave(kind, value) is Outcome.REMOVED
        assert someone.take() == (set(), {ANNA})
        assert someone.take() == (set(), set())

    def test_by_a_newer_record_without_the_event(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.EVENT, "A01")
        someone.publish(person(ANNA, events=[{"code": "A01"}]), person(BENT, events=[{"code": "A13"}]))
        assert someone.take() == ({ANNA}, set())
        assert someone.take() == (set(), set()), "while nothing happens to her she stays"
        someone.publish(person(ANNA, events=[{"code": "A13"}]), person(BENT, events=[{"code": "A01"}]))
        assert someone.take() == ({BENT}, {ANNA})
        someone.publish(person(ANNA, municipality_code=ESBJERG), person(BENT, events=[{"code": "A01"}], name="nyt"))
        assert someone.take() == ({BENT}, set())

    @pytest.mark.parametrize("code", ["A01", "A13"])
    def test_out_of_what_the_agreement_covers_whom_an_event_brought_long_ago(
        self, someone: Subscriber, code: str
    ) -> None:
        someone.follow(FilterKind.EVENT, "A01")
        someone.publish(person(ANNA, events=[{"code": "A01"}]), person(BENT))
        someone.take()
        someone.publish(person(ANNA, events=[{"code": code}], name="nyt"), person(BENT))
        someone.take()
        someone.publish(person(ANNA, municipality_code=ESBJERG), person(BENT))
        someone.take()
        assert someone.held == {}

    def test_out_of_what_the_agreement_covers_while_a_filter_was_set_up_anew(self, someone: Subscriber) -> None:
        for kind, value in ((FilterKind.NUMBER, ANNA), (FilterKind.MUNICIPALITY, AALBORG), (FilterKind.EVENT, "A01")):
            someone.follow(kind, value)
        someone.publish(person(ANNA, events=[{"code": "A01"}]))
        someone.take()
        someone.circles.clear(someone.grant)
        for kind, value in ((FilterKind.NUMBER, ANNA), (FilterKind.MUNICIPALITY, AALBORG), (FilterKind.EVENT, "A01")):
            assert someone.follow(kind, value) is Outcome.ADDED
        someone.publish(person(ANNA, municipality_code=ESBJERG, events=[{"code": "A01"}]))
        assert someone.take() == (set(), {ANNA})


class TestFilters:
    def test_one_that_is_removed_and_added_once_more_brings_everybody_again(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.NUMBER, ANNA)
        someone.publish(person(ANNA))
        someone.take()
        someone.leave(FilterKind.NUMBER, ANNA)
        assert someone.follow(FilterKind.NUMBER, ANNA) is Outcome.ADDED
        assert someone.take() == ({ANNA}, set())
        assert someone.circles.filters(someone.grant) == (Filter.of(FilterKind.NUMBER, ANNA),)

    def test_by_event_that_are_set_up_anew_tell_no_old_events(self, someone: Subscriber) -> None:
        someone.publish(person(ANNA, events=[{"code": "A01"}]), person(BENT, events=[{"code": "A13"}]))
        someone.follow(FilterKind.EVENT, "A01")
        assert someone.take() == ({ANNA}, set())
        someone.circles.clear(someone.grant, FilterKind.EVENT)
        assert someone.follow(FilterKind.EVENT, "A01") is Outcome.ADDED
        someone.follow(FilterKind.EVENT, "A13")
        assert someone.take() == ({BENT}, set())
        someone.leave(FilterKind.EVENT, "A01")
        assert someone.take() == (set(), {ANNA})
        someone.follow(FilterKind.EVENT, "A01")
        assert someone.take() == ({ANNA}, set()), "one that came and had gone is told"

    def test_each_change_has_a_moment_of_its_own_also_when_a_clock_is_set_back(self, someone: Subscriber) -> None:
        someone.publish(person(ANNA), person(BENT), person(CARL))
        someone.follow(FilterKind.NUMBER, ANNA)
        assert someone.take() == ({ANNA}, set())
        someone.follow(FilterKind.NUMBER, BENT)
        assert someone.take() == ({BENT}, set()), "in the same microsecond"
        someone.clock.pass_s(-3600)
        someone.follow(FilterKind.NUMBER, CARL)
        someone.leave(FilterKind.NUMBER, ANNA)
        assert someone.take() == ({CARL}, {ANNA})

    def test_one_that_was_removed_long_ago_is_forgotten(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.NUMBER, ANNA)
        someone.leave(FilterKind.NUMBER, ANNA)
        someone.clock.pass_s(KEPT_DAYS * 86_400 - 60)
        someone.circles.forget()
        assert someone.kept() == 1
        someone.clock.pass_s(120)
        assert someone.circles.forget()
        assert someone.kept() == 0


@given(st.dates(date(1890, 1, 1), date(2031, 3, 10)), st.dates(date(2027, 1, 1), date(2033, 1, 1)), st.integers(0, 70),
       st.integers(0, 100), st.integers(0, 40))  # fmt: skip
def test_everybody_who_came_into_an_age_or_grew_out_of_it_has_a_birthday(
    born: date, after: date, days: int, youngest: int, years: int
) -> None:
    until = after + timedelta(days=days)
    was, now = age_on(born, after), age_on(born, until)
    assert was is not None
    assert now is not None
    oldest = youngest + years
    if (youngest <= was <= oldest) != (youngest <= now <= oldest):
        assert born in birthdays([(youngest, oldest)], after, until)


@dataclass
class Model:
    """What stands where, as plain as it can be: the register, the circle and the agreement of one subscriber."""

    people: dict[str, dict[str, Any]]
    filters: set[tuple[FilterKind, str]] = field(default_factory=set)
    history: dict[SnapshotId, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def followed(self, snapshot: SnapshotId, places: Collection[str], day: date) -> dict[str, Mapping[str, Any]]:
        people = self.history[snapshot]
        return {
            key: self._shown(row, day)
            for key, row in people.items()
            if row["municipality_code"] in places and any(self._takes(*each, row, day) for each in self.filters)
        }

    def _takes(self, kind: FilterKind, value: str, row: Mapping[str, Any], day: date) -> bool:
        match kind:
            case FilterKind.NUMBER:
                return bool(row["pnr"] == value)
            case FilterKind.MUNICIPALITY:
                return bool(row["municipality_code"] == value)
            case FilterKind.EVENT:
                return {"code": value} in row["events"]
            case FilterKind.AGE:
                youngest, oldest = (int(each) for each in value.split("-"))
                age = age_on(row["birth_date"], day)
                return age is not None and youngest <= age <= oldest
        return True

    def _shown(self, row: Mapping[str, Any], day: date) -> Mapping[str, Any]:
        def under_way(each: Mapping[str, Any]) -> bool:
            return (each["from_date"] or day) <= day and (each["to_date"] is None or day < each["to_date"])

        return {**row, "name": None} if any(under_way(each) for each in row["protections"]) else row


def days(*least_and_most: int) -> st.SearchStrategy[date]:
    return st.integers(*least_and_most).map(lambda after: TODAY + timedelta(days=after))


# Birthdays, and beginnings and ends of protection, are within the days that pass.
some_events = st.lists(st.sampled_from(["A01", "A13", "A21"]), max_size=2, unique=True).map(
    lambda codes: [{"code": each} for each in codes]
)
some_protections = st.lists(
    st.fixed_dictionaries({"type": st.just("0001"), "from_date": days(-3, 8), "to_date": st.none() | days(1, 20)}),
    max_size=1,
)
a_person = st.fixed_dictionaries(
    {
        "municipality_code": st.sampled_from([AALBORG, ODENSE, ESBJERG, None]),
        "birth_date": st.sampled_from([date(2013, 3, 11), date(2012, 3, 12), date(1970, 1, 1), None]),
        "name": st.sampled_from(["a", "b"]),
        # Another number took the place of this one, or was found to be the same person's.
        "current": st.none() | st.sampled_from(PEOPLE),
        "events": some_events,
        "protections": some_protections,
    }
)
filters = st.sampled_from(
    [(FilterKind.NUMBER, ANNA), (FilterKind.NUMBER, BENT), (FilterKind.MUNICIPALITY, AALBORG),
     (FilterKind.MUNICIPALITY, ODENSE), (FilterKind.AGE, "18-18"), (FilterKind.AGE, "0-17"), (FilterKind.EVERYBODY, ""),
     (FilterKind.EVENT, "A01"), (FilterKind.EVENT, "A13")]
)  # fmt: skip
steps: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.sampled_from(["full", "delta"]), st.dictionaries(st.sampled_from(PEOPLE), a_person, max_size=4)),
    st.tuples(st.sampled_from(["follow", "leave", "set up anew"]), filters),
    st.tuples(st.sampled_from(["take", "take", "lose", "plan", "remove all", "take back"]), st.none()),
    st.tuples(st.just("pass"), st.sampled_from([1, 1, 5, 35])),
    st.tuples(st.just("agree"), st.sampled_from([{AALBORG, ODENSE}, {AALBORG}])),
)


@pytest.mark.slow
@given(history=st.lists(steps, min_size=6, max_size=16))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_who_takes_every_file_holds_whom_the_circle_holds(town: Town, history: list[tuple[str, Any]]) -> None:
    """No more and no less, of each what is shown now: whatever happens to persons, circle and agreement between two
    files, and whichever of them never arrive.
    """
    someone = town.subscriber()
    model = Model({each: person(each) for each in PEOPLE})
    first = someone.publish(*model.people.values())
    model.history[first] = dict(model.people)
    for what, value in [*history, ("take", None), ("take", None)]:
        match what:
            case "full" | "delta":
                rows = {each: person(each, **values) for each, values in value.items()}
                model.people = rows if what == "full" else model.people | rows
                model.history[someone.publish(*rows.values(), mode=Mode(what))] = model.people
            case "take back":
                someone.lake.rollback(FOLK, first, "wrong files")
                model.people = model.history[first]
                model.history[someone.newest] = model.people
            case "follow" | "leave" | "set up anew":
                if what != "follow":
                    someone.leave(*value)
                    model.filters.discard(value)
                if what != "leave":
                    someone.follow(*value)
                    model.filters.add(value)
            case "remove all":
                someone.circles.clear(someone.grant)
                model.filters.clear()
            case "agree":
                someone.grant = replace(someone.grant, rows={"municipality_code": frozenset(value)})
            case "pass":
                someone.day += timedelta(days=value)
            case "plan":
                someone.planned = someone.newest
            case "lose":
                someone.take(arrives=False)
            case _:
                snapshot = someone.planned or someone.newest
                someone.take()
                assert someone.held == model.followed(snapshot, someone.grant.rows["municipality_code"], someone.day)
