"""Circles: whom they take, what they answer, and what the database knows."""

import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.delivery.circle import Circle, Filter, FilterKind, Outcome, age_on
from extract.delivery.circle_numbers import Seal
from extract.delivery.circles import Circles, circle_of
from extract.delivery.faults import CircleFilterInvalid, CircleFull, CircleKeyInvalid
from kernel import Grant, new_id
from runtime.migrations import config_for, upgrade
from schemas import ColumnsNotCovered
from tests.delivery.builders import Desk, database_at
from tests.delivery.builders import TestClock as Moved
from tests.extract.builders import grant

# Fictitious: 60 is added to the day.
ANNA, BENT, NOBODY = "6101701001", "6101701002", "6101709999"
TODAY = date(2031, 3, 10)
WANTED = (
    *(Filter.of(FilterKind.NUMBER, each) for each in (ANNA, BENT, NOBODY)), Filter.of(FilterKind.MUNICIPALITY, "851"),
    Filter.of(FilterKind.EVENT, "A01"), Filter.of(FilterKind.EVERYBODY),
)  # fmt: skip


@pytest.fixture
def circles(desk: Desk) -> Circles:
    return Circles(desk.database, Seal(b"k" * 32), lambda _, numbers: numbers & {ANNA, BENT}, desk.clock)


class TestOutcomes:
    def test_as_the_established_service_says_them(self, circles: Circles) -> None:
        anna = Filter.of(FilterKind.NUMBER, ANNA)
        assert circles.add(grant(), anna) is Outcome.ADDED
        assert circles.add(grant(), anna) is Outcome.ALREADY_EXISTED
        assert circles.add(grant(), Filter.of(FilterKind.NUMBER, NOBODY)) is Outcome.NON_EXISTING_PNR
        assert circles.remove(grant(), anna) is Outcome.REMOVED
        assert circles.remove(grant(), anna) is Outcome.NON_EXISTING_PNR

    def test_filters_of_all_kinds_and_all_of_a_kind_at_once(self, circles: Circles) -> None:
        added = [
            Filter.of(FilterKind.NUMBER, ANNA), Filter.of(FilterKind.NUMBER, BENT),
            Filter.of(FilterKind.MUNICIPALITY, "851"), Filter.ages(0, 17), Filter.of(FilterKind.EVENT, "a01"),
            Filter.of(FilterKind.EVERYBODY),
        ]  # fmt: skip
        assert {circles.add(grant(), each) for each in added} == {Outcome.ADDED}
        assert set(circles.filters(grant())) == set(added)
        assert circles.clear(grant(), FilterKind.NUMBER) == 2
        assert {each.kind for each in circles.filters(grant())} == set(FilterKind) - {FilterKind.NUMBER}
        assert circles.clear(grant()) == 4

    def test_a_circle_is_of_one_system_and_municipality(self, circles: Circles) -> None:
        circles.add(grant(), Filter.of(FilterKind.NUMBER, ANNA))
        assert circles.filters(grant(cvr="22222222")) == ()
        assert circles.book(grant(cvr="22222222")).now.empty
        # A renewed one goes on with it.
        assert circles.filters(grant(agreement="agreement-2"))

    def test_a_filter_by_what_the_agreement_hides_is_refused(self, circles: Circles) -> None:
        narrow: Grant = grant("pnr name")
        circles.add(narrow, Filter.of(FilterKind.NUMBER, ANNA))
        for each in (Filter.ages(0, 17), Filter.of(FilterKind.MUNICIPALITY, "851"), Filter.of(FilterKind.EVENT, "A01")):
            with pytest.raises(ColumnsNotCovered):
                circles.add(narrow, each)


class TestManyAtOnce:
    def test_what_became_of_each_in_the_order_given_as_one_change(self, circles: Circles) -> None:
        anna, bent, nobody = (Filter.of(FilterKind.NUMBER, each) for each in (ANNA, BENT, NOBODY))
        here, moves = Filter.of(FilterKind.MUNICIPALITY, "851"), Filter.of(FilterKind.EVENT, "A01")
        added, removed = circles.change(grant(), add=[anna, here, nobody, anna], remove=[here, bent, moves, here])
        assert added == [Outcome.ADDED, Outcome.ADDED, Outcome.NON_EXISTING_PNR, Outcome.ALREADY_EXISTED]
        assert removed == [Outcome.REMOVED, Outcome.NON_EXISTING_PNR, Outcome.REMOVED, Outcome.REMOVED]
        assert circles.filters(grant()) == (anna,)
        assert circles.change(grant(), remove=[anna, anna]) == ([], [Outcome.REMOVED, Outcome.NON_EXISTING_PNR])
        assert circles.filters(grant()) == ()

    def test_all_or_none(self, circles: Circles, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("extract.delivery.circle_change.MOST", 2)
        full = [Filter.of(FilterKind.MUNICIPALITY, each) for each in ("851", "461")]
        circles.change(grant(), add=full)
        changed = circles.book(grant()).changed
        with pytest.raises(CircleFull) as refusal:
            circles.change(grant(), add=[Filter.of(FilterKind.NUMBER, ANNA)], remove=full[:1])
        assert refusal.value.left == 0
        assert circles.filters(grant()) == tuple(sorted(full, key=lambda each: each.value))
        assert circles.book(grant()).changed == changed
        # Those that stand already take no room.
        assert circles.change(grant(), add=full)[0] == [Outcome.ALREADY_EXISTED] * 2
        circles.remove(grant(), full[0])
        assert circles.add(grant(), Filter.of(FilterKind.NUMBER, ANNA)) is Outcome.ADDED

    @given(
        st.lists(
            st.tuples(st.lists(st.sampled_from(WANTED), max_size=4), st.lists(st.sampled_from(WANTED), max_size=3)),
            max_size=6,
        )
    )
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_as_many_at_once_as_one_after_another(
        self, circles: Circles, changes: list[tuple[list[Filter], list[Filter]]]
    ) -> None:
        at_once, one_by_one = grant(system=new_id()), grant(system=new_id())
        for add, remove in changes:
            said = circles.change(at_once, add=add, remove=remove)
            assert said == (
                [circles.add(one_by_one, each) for each in add], [circles.remove(one_by_one, each) for each in remove],
            )  # fmt: skip
            assert circles.filters(at_once) == circles.filters(one_by_one)
        standing = len(circles.filters(at_once))
        assert (circles.clear(at_once), circles.clear(one_by_one)) == (standing, standing)


class TestSecrecy:
    def test_no_number_is_in_the_database(self, circles: Circles, tmp_path: Path) -> None:
        circles.add(grant(), Filter.of(FilterKind.NUMBER, ANNA))
        with sqlite3.connect(tmp_path / "control.sqlite") as db:
            dump = "\n".join(db.iterdump())
        db.close()
        assert ANNA not in dump
        assert ANNA.encode().hex() not in dump.lower()

    def test_the_same_person_in_two_circles_cannot_be_told_to_be_the_same(self) -> None:
        seal = Seal(b"k" * 32)
        one, two = circle_of(grant()), circle_of(grant(cvr="22222222"))
        assert seal.hashed(one, ANNA) != seal.hashed(two, ANNA)
        assert seal.sealed(one, ANNA) != seal.sealed(one, ANNA)

    def test_a_number_moved_to_another_circles_row_or_under_another_key_does_not_open(self) -> None:
        seal, other = Seal(b"k" * 32), Seal(b"x" * 32)
        one, two = circle_of(grant()), circle_of(grant(cvr="22222222"))
        kept = seal.sealed(one, ANNA)
        assert seal.opened(one, kept) == ANNA
        for opener, circle in ((seal, two), (other, one)):
            with pytest.raises(CircleKeyInvalid):
                opener.opened(circle, kept)

    def test_a_filter_does_not_show_its_value(self) -> None:
        assert ANNA not in repr(Filter.of(FilterKind.NUMBER, ANNA))

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (FilterKind.NUMBER, "610170100"), (FilterKind.NUMBER, "61017010011"), (FilterKind.NUMBER, ""),
            (FilterKind.NUMBER, "61O1701001"), (FilterKind.MUNICIPALITY, "08510"), (FilterKind.MUNICIPALITY, "x"),
            (FilterKind.EVENT, "A0011"), (FilterKind.EVENT, ""), (FilterKind.EVENT, "'--"), (FilterKind.AGE, "17-3"),
            (FilterKind.AGE, "0-200"), (FilterKind.AGE, "-1-3"), (FilterKind.AGE, "3"), (FilterKind.EVERYBODY, "1"),
        ],
    )  # fmt: skip
    def test_what_is_not_as_it_must_be_is_refused_and_not_repeated(self, kind: FilterKind, value: str) -> None:
        with pytest.raises(CircleFilterInvalid) as refusal:
            Filter.of(kind, value)
        assert len(value) < 3 or value not in refusal.value.message + refusal.value.remedy


class TestTaking:
    def row(self, **more: Any) -> dict[str, Any]:
        return {"pnr": ANNA, "municipality_code": "0851", "birth_date": date(2013, 3, 10), "events": []} | more

    def test_any_filter_is_enough(self) -> None:
        assert Circle(municipalities=frozenset({"0851"})).among([self.row()], TODAY) == {ANNA}
        assert Circle(numbers=lambda asked: frozenset(asked) & {ANNA}).among([self.row()], TODAY) == {ANNA}
        assert Circle(ages=((18, 18),)).among([self.row()], TODAY) == {ANNA}
        assert Circle(events=frozenset({"A01"})).among([self.row(events=[{"code": "A01"}])], TODAY) == {ANNA}
        assert Circle(everybody=True).among([self.row()], TODAY) == {ANNA}

    def test_an_empty_circle_takes_nobody(self) -> None:
        assert Circle().empty
        assert not Circle().among([self.row()], TODAY)

    @given(st.dates(date(1900, 1, 1), date(2031, 3, 10)))
    def test_an_age_grows_on_the_birthday(self, born: date) -> None:
        age = age_on(born, TODAY)
        assert age is not None
        assert born.year + age in {TODAY.year, TODAY.year - 1}
        assert age_on(None, TODAY) is None
        assert age_on(TODAY.replace(year=2013), TODAY) == 18
        assert age_on(date(2013, 3, 11), TODAY) == 17


def test_a_circle_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    path, seal, circle = tmp_path / "control.sqlite", Seal(b"k" * 32), circle_of(grant())
    command.upgrade(config_for(f"sqlite:///{path}"), "0014")
    kept = [
        (circle, "number", seal.hashed(circle, ANNA), seal.sealed(circle, ANNA), "2031-03-01", "2031-03-04"),
        (circle, "number", seal.hashed(circle, BENT), seal.sealed(circle, BENT), "2031-03-02", None),
        (circle, "municipality", "0851", None, "2031-03-03", None), ("other", "event", "A01", None, "2031-03-09", None),
    ]  # fmt: skip
    moment = "T06:00:00.000000+00:00"
    with sqlite3.connect(path) as db:
        rows = [(*each[:4], each[4] + moment, each[5] and each[5] + moment) for each in kept]
        db.executemany(
            "INSERT INTO circle_filters (circle, kind, value, sealed, added, removed) VALUES (?,?,?,?,?,?)", rows
        )
    db.close()
    upgrade(f"sqlite:///{path}")
    with database_at(f"sqlite:///{path}") as database:
        circles = Circles(database, seal, lambda _, numbers: numbers, Moved())
        assert circles.filters(grant()) == (
            Filter.of(FilterKind.MUNICIPALITY, "851"),
            Filter.of(FilterKind.NUMBER, BENT),
        )
        book = circles.book(grant())
        assert book.changed == datetime(2031, 3, 4, 6, tzinfo=UTC)
        assert [*book.numbers_gone(datetime(2031, 3, 3, 6, tzinfo=UTC))] == [{ANNA}]
        assert circles.clear(grant()) == 2
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT circle, standing FROM circles ORDER BY standing").fetchall() == [
            (circle, 0),
            ("other", 1),
        ]
    db.close()
