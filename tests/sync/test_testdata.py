"""Fictitious test data: the shape it promises, the same every time, and nobody real in it."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from schemas import Dataset
from sync import generate, generate_changes, write_changes, write_testdata
from sync.sources.cpr import birth_date, has_check_digit
from sync.testdata import PRODUCTION
from sync.testdata.numbers import CAPACITY, CYCLE_DAYS, ROLES, ROUND, ROUNDS, TooManyPersons, newborn_number, number
from sync.testdata.places import municipalities
from tests.sync.conftest import FIXTURES
from tests.sync.test_cpr_decoder import decode

NEXT = date(2026, 11, 2)
TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def rows(persons: Dataset, small: bytes) -> list[dict]:  # type: ignore[type-arg]
    return decode(small, persons).rows.to_pylist()  # type: ignore[no-any-return]


class TestAGeneratedDelivery:
    def test_is_the_same_for_the_same_seed_and_another_for_another(self) -> None:
        assert b"".join(generate(40, 5)) == b"".join(generate(40, 5))
        assert b"".join(generate(40, 5)) != b"".join(generate(40, 6))

    def test_has_exactly_as_many_persons_as_asked_for(self, persons: Dataset) -> None:
        for count in (1, 403):
            assert decode(b"".join(generate(count, 2)), persons).rows.num_rows == count

    def test_is_streamed(self) -> None:
        pieces = generate(1_000_000, 1)
        assert len(next(pieces)) < 100
        assert len(next(pieces)) < 4_000_000

    def test_begins_with_the_same_people_however_many_there_are(self, small: bytes) -> None:
        assert small.splitlines()[1:50] == b"".join(generate(8_000, 1)).splitlines()[1:50]

    def test_has_a_family_in_each_municipality_and_in_greenland(self, rows: list[dict]) -> None:  # type: ignore[type-arg]
        places = Counter(row["municipality_code"] for row in rows)
        assert {place.code for place in municipalities()} | {"0956"} <= set(places)

    def test_has_persons_of_every_kind(self, rows: list[dict], persons: Dataset) -> None:  # type: ignore[type-arg]
        statuses = Counter(row["status"] for row in rows)
        assert set(statuses) == {"01", "03", "05", "20", "30", "50", "60", "70", "80", "90"}
        assert persons.protection is not None
        assert sum(persons.protection.active(row, TODAY) for row in rows) == 7
        expired = [row for row in rows if row["protections"] and not persons.protection.active(row, TODAY)]
        assert len(expired) == 3  # one over, one to come, one of other types
        assert any(row["birth_date_uncertain"] for row in rows)
        assert {mark for row in rows for mark in (row["name"]["given_names_mark"], row["name"]["surname_mark"])} == {
            None,
            "+",
            "*",
            "=",
        }

    def test_ties_families_together(self, rows: list[dict]) -> None:  # type: ignore[type-arg]
        by_number = {row["pnr"]: row for row in rows}
        for row in rows:
            for child in row["children"]:
                parents = by_number[child["pnr"]]["parents"]
                assert row["pnr"] in (parents["mother_pnr"], parents["father_pnr"]) or parents["mother_pnr"] is None
            spouse = row["civil_status"]["spouse_pnr"]
            if row["civil_status"]["code"] == "G" and spouse:
                assert by_number[spouse]["civil_status"]["spouse_pnr"] in (row["pnr"], None)
            if row["status"] == "60":
                assert row["pnr"] in [old["pnr"] for old in by_number[row["current_pnr"]]["former_numbers"]]

    def test_is_the_one_in_the_fixtures(self, tmp_path: Path) -> None:
        written = [*write_testdata(tmp_path, 400, 1), write_changes(tmp_path, 400, 1)]
        kept = [path for path in FIXTURES.rglob("*") if path.is_file() and path.name != "README.md"]
        assert {path.relative_to(FIXTURES) for path in kept} <= {path.relative_to(tmp_path) for path in written}
        for path in kept:
            assert path.read_bytes() == (tmp_path / path.relative_to(FIXTURES)).read_bytes()

    def test_cannot_have_more_persons_than_there_are_numbers_for(self) -> None:
        with pytest.raises(TooManyPersons):
            generate(CAPACITY * 4 + 1, 1)


class TestAChangeDelivery:
    def test_holds_whole_persons_of_whom_some_moved_died_were_renamed_born_or_protected(
        self,
        persons: Dataset,
        rows: list[dict],  # type: ignore[type-arg]
    ) -> None:
        changes = decode(b"".join(generate_changes(400, 1, NEXT, PRODUCTION)), persons)
        assert changes.quarantine.is_empty()
        assert changes.position["produced"] == "2026-11-02"
        before = {row["pnr"]: row for row in rows}
        after = {row["pnr"]: row for row in changes.rows.to_pylist()}
        assert len(set(after) - set(before)) == 1
        assert all(after[key] != before[key] for key in set(after) & set(before))
        codes = {event["code"] for row in after.values() for event in row["events"]}
        assert {"A01", "A21", "A13", "P10", "A33"} <= codes

    def test_can_touch_as_many_families_as_asked_for(self, persons: Dataset) -> None:
        changes = decode(b"".join(generate_changes(400, 1, NEXT, PRODUCTION, families=100)), persons)
        assert changes.quarantine.is_empty()
        assert changes.rows.num_rows > 250


class TestAFictitiousNumber:
    def test_cannot_belong_to_anybody_and_still_tells_birth_and_sex(self, rows: list[dict]) -> None:  # type: ignore[type-arg]
        for row in rows:
            assert row["pnr"][0] in "6789"
            assert birth_date(row["pnr"]) == row["birth_date"]
            assert int(row["pnr"][9]) % 2 == (row["gender"] == "M")

    def test_holds_the_check_digit_in_most_but_not_all(self, rows: list[dict]) -> None:  # type: ignore[type-arg]
        holding = sum(has_check_digit(row["pnr"]) for row in rows)
        assert 300 < holding < 390

    def test_is_given_once(self) -> None:
        families = [*range(200), *range(CYCLE_DAYS - 50, CYCLE_DAYS + 200), *range(CAPACITY - 200, CAPACITY)]
        births = [date(1960 + 8 * role, 3, 1) for role in range(ROLES)]
        # On one day each, as if all families were born on it within a cycle: only the slot keeps them apart.
        by_day = Counter(
            (family % CYCLE_DAYS, number(family, role, birth, female=True))
            for family in families
            for role, birth in enumerate(births)
        )
        assert max(by_day.values()) == 1
        assert len({newborn_number(index, NEXT, female=index % 2 == 0) for index in range(300)}) == 300

    @pytest.mark.parametrize("born", [date(1960, 3, 1), date(2001, 2, 28)])
    def test_is_given_once_to_all_who_are_born_on_a_day(self, born: date) -> None:
        # Whoever it is: each of the rounds holds so many families of that day, and each may be of either sex.
        families = [turn * ROUND + place for turn in range(ROUNDS) for place in range(0, ROUND, CYCLE_DAYS)]
        given = [
            number(family, role, born, female=sex) for family in families for role in (0, 5) for sex in (True, False)
        ]
        assert len(set(given)) == len(given) == CAPACITY // CYCLE_DAYS * 4

    def test_is_there_for_everyone_in_the_register(self) -> None:
        assert CAPACITY * 4 > 9_000_000

    @pytest.mark.parametrize(
        ("text", "born"),
        [
            ("0707614285", date(1961, 7, 7)),
            ("0101005038", date(2000, 1, 1)),
            ("0101365038", date(2036, 1, 1)),
            ("0101374038", date(1937, 1, 1)),
            ("0101585038", date(1858, 1, 1)),
            ("6101605038", date(1860, 1, 1)),
            ("3002800000", None),
        ],
    )
    def test_tells_the_century_as_the_register_does(self, text: str, born: date | None) -> None:
        assert birth_date(text) == born

    def test_of_the_cpr_offices_own_example_holds_the_check_digit(self) -> None:
        assert has_check_digit("0707614285")
        assert not has_check_digit("0707614286")
