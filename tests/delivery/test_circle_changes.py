"""A circle's files, one after another, on a real lake: who takes them follows whom the circle holds, nobody else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract import Cursor, ExtractPlan, ExtractRequest, plan_extract, rows_of
from extract.delivery.circle import Filter, FilterKind, Outcome, age_on, birthdays
from extract.delivery.circle_changes import CircleChanges, Known, Told
from extract.delivery.circles import KEPT_DAYS, Circles, Seal
from extract.delivery.outbox_tables import Database
from kernel import Grant, new_id
from replica import QUARANTINE, Delivery, Lake, Mode, ReplicaSettings, RunRecord
from schemas import Classification, Column, Dataset, Kind
from tests.delivery.builders import TestClock as Clock
from tests.delivery.builders import database
from tests.extract.builders import PUBLISHED, grant

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
        Column(name="name", kind=Kind.TEXT),
        Column(
            name="events",
            kind=Kind.ARRAY,
            item=Column(name="item", kind=Kind.OBJECT, fields=(Column(name="code", kind=Kind.TEXT),)),
        ),
    ),
)


def person(number: str, **values: Any) -> dict[str, Any]:
    row = {"pnr": number, "municipality_code": AALBORG, "birth_date": date(1970, 1, 1), "name": "navn", "events": []}
    return row | values


@dataclass
class Subscriber:
    """Somebody who takes each file, over a lake and a circle that a test changes.

    held   what it has: number -> row
    """

    lake: Lake
    circles: Circles
    clock: Clock
    grant: Grant
    day: date = TODAY
    known: Known | None = None
    held: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def publish(self, *rows: Mapping[str, Any], mode: Mode = Mode.FULL) -> None:
        run = RunRecord(
            run="run", source="folk", mode=mode, started=PUBLISHED, content_sha256="0" * 64, cursor="{}",
            as_of=PUBLISHED, lines_in=len(rows), lines_quarantined=0, rows_in=len(rows), rows_quarantined=0,
        )  # fmt: skip
        table = pa.Table.from_pylist([dict(each) for each in rows], schema=FOLK.arrow)
        self.lake.publish(FOLK, Delivery(rows=table, mode=mode, quarantine=QUARANTINE.empty_table(), run=run))

    def follow(self, kind: FilterKind, value: str = "") -> Outcome:
        return self.circles.add(self.grant, Filter.of(kind, value))

    def leave(self, kind: FilterKind, value: str = "") -> Outcome:
        return self.circles.remove(self.grant, Filter.of(kind, value))

    def take(self) -> tuple[set[str], set[str]]:
        """Take the next file as a careful reader does. Who was told whole, and who to be gone."""
        plan, book = self._plan(), self.circles.book(self.grant)
        changes = CircleChanges(scan=self._scan, plan=plan, book=book, day=self.day, known=self.known)
        told: Sequence[Told] = list(changes.told(lambda: None))
        assert len(told) == len({each.key for each in told}), "nobody stands there twice"
        for each in told:
            if each.row is None:
                del self.held[each.key]
            else:
                self.held[each.key] = {name: each.row[name] for name in FOLK.names}
        assert plan.cursor is not None
        changed = book.changed or PUBLISHED
        self.known = Known(Cursor.read(str(plan.cursor)), changed, self.day)
        return {each.key for each in told if each.row is not None}, {each.key for each in told if each.row is None}

    def followed(self) -> dict[str, Mapping[str, Any]]:
        """Whom the circle holds, by looking at everybody."""
        info = self.lake.info(FOLK)
        assert info is not None
        whole = plan_extract(ExtractRequest(), self.grant, FOLK, info, self.day)
        circle = self.circles.book(self.grant).now
        return {row["pnr"]: row for row in self._scan(whole).read_all().to_pylist() if circle.takes(row, self.day)}

    def _plan(self) -> ExtractPlan:
        info = self.lake.info(FOLK)
        assert info is not None
        since = None if self.known is None else self.known.since
        return plan_extract(ExtractRequest(since=since), self.grant, FOLK, info, self.day, self.lake.corrections)

    def _scan(self, plan: ExtractPlan) -> pa.RecordBatchReader:
        return rows_of(self.lake, FOLK, plan)


@dataclass(frozen=True)
class Town:
    lake: Lake
    database: Database

    def subscriber(self) -> Subscriber:
        """Somebody new, whose circle is empty."""
        clock = Clock()
        circles = Circles(self.database, Seal(b"k" * 32), lambda _, number: number in PEOPLE, clock)
        return Subscriber(self.lake, circles, clock, grant(rows=HERE, system=new_id()))


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

    def test_no_event_ends_nothing_while_its_filter_stands(self, someone: Subscriber) -> None:
        someone.follow(FilterKind.EVENT, "A01")
        someone.publish(person(ANNA, events=[{"code": "A01"}]), person(BENT, events=[{"code": "A13"}]))
        assert someone.take() == ({ANNA}, set())
        someone.publish(person(ANNA, name="nyt"), person(BENT))
        assert someone.take() == (set(), set())
        someone.publish(person(ANNA, events=[{"code": "A01"}]), person(BENT))
        assert someone.take() == ({ANNA}, set())
        someone.publish(person(BENT))
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
        assert len(someone.circles.book(someone.grant).entries) == 1
        someone.clock.pass_s(120)
        assert someone.circles.forget()
        assert someone.circles.book(someone.grant).entries == ()


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


# The youngest and oldest of the ages that are followed have birthdays within the days that pass.
a_person = st.fixed_dictionaries(
    {
        "municipality_code": st.sampled_from([AALBORG, ODENSE, ESBJERG, None]),
        "birth_date": st.sampled_from([date(2013, 3, 11), date(2012, 3, 12), date(1970, 1, 1), None]),
        "name": st.sampled_from(["a", "b"]),
    }
)
filters = st.sampled_from(
    [(FilterKind.NUMBER, ANNA), (FilterKind.NUMBER, BENT), (FilterKind.MUNICIPALITY, AALBORG),
     (FilterKind.MUNICIPALITY, ODENSE), (FilterKind.AGE, "18-18"), (FilterKind.AGE, "0-17"), (FilterKind.EVERYBODY, "")]
)  # fmt: skip
steps: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.sampled_from(["full", "delta"]), st.dictionaries(st.sampled_from(PEOPLE), a_person, max_size=4)),
    st.tuples(st.sampled_from(["follow", "leave"]), filters),
    st.tuples(st.sampled_from(["take", "tomorrow"]), st.none()),
)


@pytest.mark.slow
@given(history=st.lists(steps, min_size=5, max_size=12))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_takes_every_file_holds_whom_the_circle_holds(town: Town, history: list[tuple[str, Any]]) -> None:
    someone = town.subscriber()
    someone.publish(*(person(each) for each in PEOPLE))
    for what, value in [*history, ("take", None)]:
        match what:
            case "full" | "delta":
                someone.publish(*(person(each, **values) for each, values in value.items()), mode=Mode(what))
            case "follow":
                someone.follow(*value)
            case "leave":
                someone.leave(*value)
            case "tomorrow":
                someone.day += timedelta(days=1)
            case _:
                someone.take()
                assert someone.held == someone.followed()
