"""Search gives exactly the rows that meet its conditions, page by page, and never those that must stay hidden."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import SnapshotId
from replica import (
    AllOf,
    AnyOf,
    Condition,
    CursorInvalid,
    Found,
    HistoryExpired,
    Joined,
    Lake,
    Mode,
    Not,
    Op,
    Order,
    Search,
    SearchInvalid,
    SearchTooSlow,
    read_past,
)
from tests.replica.builders import DAY, PERSONS, SETTINGS, a_delivery, a_row

PROTECTION = {"type": "0001", "from_date": date(2020, 1, 1), "to_date": None}
PATIENCE_S = 30.0
DAYS = [date(1980, 1, 2), date(1980, 1, 3), date(1999, 12, 31)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with Lake.open(tmp_path_factory.mktemp("lake"), SETTINGS, write=True) as opened:
        opened.prepare(PERSONS)
        yield opened


def publish(lake: Lake, *rows: dict[str, Any]) -> SnapshotId:
    return lake.publish(PERSONS, a_delivery(list(rows), Mode.FULL)).snapshot


def search(lake: Lake, snapshot: SnapshotId, *conditions: Condition, **settings: Any) -> Found:
    asked = Search(conditions=conditions, **settings)
    return lake.search(PERSONS, asked, snapshot, timeout_s=PATIENCE_S)


def where(column: str, op: Op, value: Any) -> Condition:
    return Condition(column=column, op=op, value=value)


texts = st.sampled_from(["", "a", "ab", "aB", "b", "å", "%", "a'b", None])
rows_of = st.lists(
    st.builds(
        lambda status, name, born, types: {
            "status": status,
            "name": name,
            "born": born,
            "protections": [{"type": each, "from_date": None, "to_date": None} for each in types],
        },
        texts, texts, st.sampled_from([*DAYS, None]), st.lists(st.sampled_from(["0001", "0003", None]), max_size=2),
    ),
    max_size=8,
)  # fmt: skip
a_text = st.sampled_from(["", "a", "ab", "b", "å", "%", "a'b"])
conditions_of = st.one_of(
    st.builds(where, st.sampled_from(["status", "name"]), st.sampled_from([Op.EQ, Op.LT, Op.GE, Op.PREFIX]), a_text),
    st.builds(where, st.just("status"), st.just(Op.IN), st.lists(a_text, min_size=1, max_size=3)),
    st.builds(where, st.just("born"), st.sampled_from([Op.LE, Op.GT]), st.sampled_from(DAYS).map(date.isoformat)),
    st.builds(where, st.sampled_from(["name", "born"]), st.just(Op.NULL), st.booleans()),
    st.builds(where, st.just("protections.type"), st.just(Op.EQ), st.sampled_from(["0001", "0003"])),
)
TESTS: dict[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: lambda have, want: have == want,
    Op.LT: lambda have, want: have < want,
    Op.LE: lambda have, want: have <= want,
    Op.GT: lambda have, want: have > want,
    Op.GE: lambda have, want: have >= want,
    Op.IN: lambda have, want: have in want,
    Op.PREFIX: lambda have, want: have.startswith(want),
}


def meets(row: dict[str, Any], condition: Condition) -> bool:
    """What a condition means, row by row."""
    if condition.column == "protections.type":
        return any(each["type"] == condition.value for each in row["protections"])
    have = row[condition.column]
    if condition.op is Op.NULL:
        return (have is None) is condition.value
    if have is None:
        return False
    want = date.fromisoformat(condition.value) if condition.column == "born" else condition.value
    return TESTS[condition.op](_bytes(have), _bytes(want))


def _bytes(value: Any) -> Any:
    """Texts are ordered by their bytes."""
    if isinstance(value, list):
        return [_bytes(each) for each in value]
    return value.encode() if isinstance(value, str) else value


joined_of = st.recursive(
    conditions_of,
    lambda part: st.one_of(
        st.lists(part, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(part, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        part.map(Not),
    ),
    max_leaves=5,
)


def holds(row: dict[str, Any], joined: Joined) -> bool:
    match joined:
        case AllOf(parts):
            return all(holds(row, part) for part in parts)
        case AnyOf(parts):
            return any(holds(row, part) for part in parts)
        case Not(part):
            return not holds(row, part)
        case Condition():
            return meets(row, joined)
    raise AssertionError


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=rows_of, joined=joined_of, skip=st.integers(0, 3))
def test_joined_conditions_find_what_they_mean_and_count_it(
    lake: Lake, rows: list[dict[str, Any]], joined: Joined, skip: int
) -> None:
    people = {f"{number:010d}": row for number, row in enumerate(rows)}
    snapshot = publish(lake, *(a_row(key, **row) for key, row in people.items()))
    asked = Search(conditions=(joined,), skip=skip, counted=True)
    page = lake.search(PERSONS, asked, snapshot, timeout_s=PATIENCE_S)
    wanted = [key for key, row in people.items() if holds(row, joined)]
    assert list(page.keys) == wanted[skip:]
    assert page.total == (len(wanted) if wanted[skip:] else 0)


@pytest.mark.parametrize("name", ["Secret", "Other"])
def test_what_is_hidden_is_not_found_out_by_what_it_is_not(lake: Lake, name: str) -> None:
    snapshot = publish(lake, a_row("0000000001", name="Secret", protections=[PROTECTION]))
    asked = Search(conditions=(Not(where("name", Op.EQ, name)),), hide_protected_on=DAY)
    assert lake.search(PERSONS, asked, snapshot, timeout_s=PATIENCE_S).keys == ("0000000001",)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=rows_of, conditions=st.lists(conditions_of, max_size=3), limit=st.integers(1, 4), descending=st.booleans())
def test_pages_together_are_exactly_the_rows_that_meet_all_conditions(
    lake: Lake, rows: list[dict[str, Any]], conditions: list[Condition], limit: int, descending: bool
) -> None:
    people = {f"{number:010d}": row for number, row in enumerate(rows)}
    snapshot = publish(lake, *(a_row(key, **row) for key, row in people.items()))
    order = (Order(column="status", descending=descending),)
    found, cursor = list[str](), None
    while True:
        page = search(lake, snapshot, *conditions, order=order, limit=limit, cursor=cursor)
        assert len(page.keys) <= limit
        found += page.keys
        if (cursor := page.next) is None:
            break
    expected = [key for key, row in people.items() if all(meets(row, each) for each in conditions)]
    ranked = sorted(key for key in expected if people[key]["status"] is not None)
    ranked.sort(key=lambda key: _bytes(people[key]["status"]), reverse=descending)
    assert found == ranked + [key for key in expected if people[key]["status"] is None]


class TestAProtectedPerson:
    ROWS = (
        a_row("1", name="Anna Hemmelig", protections=[PROTECTION]),
        a_row("2", name="Bo Aaben"),
        a_row("3", name="Carl Ventende"),
    )

    @pytest.mark.parametrize(
        "condition",
        [
            where("name", Op.EQ, "Anna Hemmelig"),
            where("name", Op.PREFIX, ""),
            where("name", Op.LT, "B"),
            where("name", Op.IN, ["Anna Hemmelig"]),
            where("name", Op.NULL, False),
            where("name", Op.NULL, True),
        ],
    )
    def test_is_not_found_by_what_is_hidden(self, lake: Lake, condition: Condition) -> None:
        snapshot = publish(lake, *self.ROWS)
        assert "1" not in search(lake, snapshot, condition, hide_protected_on=DAY).keys

    def test_is_found_by_what_is_not(self, lake: Lake) -> None:
        snapshot = publish(lake, *self.ROWS)
        assert search(lake, snapshot, where("status", Op.EQ, "01"), hide_protected_on=DAY).keys == ("1", "2", "3")

    def test_does_not_betray_a_name_by_its_place_in_the_order(self, lake: Lake) -> None:
        snapshot = publish(lake, *self.ROWS)
        for descending in (False, True):
            order = (Order(column="name", descending=descending),)
            assert search(lake, snapshot, order=order, hide_protected_on=DAY).keys[-1] == "1"

    def test_is_found_by_name_where_the_agreement_lets_it_out(self, lake: Lake) -> None:
        snapshot = publish(lake, *self.ROWS)
        assert search(lake, snapshot, where("name", Op.PREFIX, "Anna")).keys == ("1",)


class TestARowOutsideTheScope:
    def test_does_not_exist(self, lake: Lake) -> None:
        snapshot = publish(lake, a_row("1", status="01"), a_row("2", status="90"))
        assert search(lake, snapshot, rows={"status": frozenset({"90"})}).keys == ("2",)


class TestASearchThatCannotBeUnderstood:
    @pytest.mark.parametrize(
        ("condition", "said"),
        [
            (where("nose", Op.EQ, "Hemmelig"), "condition 1: the dataset has no such column"),
            (where("protections.nose", Op.EQ, "x"), "condition 1: the dataset has no such column"),
            (where('name"; DROP', Op.EQ, "x"), "condition 1: the dataset has no such column"),
            (where("born", Op.EQ, "Hemmelig"), "condition 1: born takes a value of its type (date)"),
            (where("born", Op.EQ, 19800102), "condition 1: born takes a value of its type (date)"),
            (where("name", Op.EQ, True), "condition 1: name takes a value of its type (string)"),
            (where("name", Op.EQ, None), "condition 1: name takes a value of its type (string)"),
            (where("name", Op.IN, "Hemmelig"), "condition 1: name takes a list of values with in"),
            (where("name", Op.IN, []), "condition 1: name takes a list of values with in"),
            (where("born", Op.PREFIX, "1980-01-01"), "condition 1: born takes no prefix, since it is not text"),
            (where("protections", Op.EQ, "x"), "condition 1: protections takes null alone"),
            (where("name", Op.NULL, "x"), "condition 1: name takes true or false with null"),
        ],
    )
    def test_is_refused_with_the_column_and_never_the_value(self, lake: Lake, condition: Condition, said: str) -> None:
        snapshot = publish(lake, a_row("1"))
        with pytest.raises(SearchInvalid) as refused:
            search(lake, snapshot, condition)
        assert refused.value.message.startswith(said)
        assert "Hemmelig" not in refused.value.message

    def test_by_its_limit_is_refused(self, lake: Lake) -> None:
        for limit in (0, 1_001):
            with pytest.raises(SearchInvalid):
                search(lake, publish(lake, a_row("1")), limit=limit)

    def test_by_its_order_is_refused(self, lake: Lake) -> None:
        for column in ("nose", "protections", "protections.type"):
            with pytest.raises(SearchInvalid):
                search(lake, publish(lake, a_row("1")), order=(Order(column=column),))


class TestACursor:
    @pytest.fixture
    def page(self, lake: Lake) -> tuple[SnapshotId, Search, Found]:
        snapshot = publish(lake, *(a_row(str(number)) for number in range(5)))
        asked = Search(conditions=(where("status", Op.EQ, "01"),), limit=2)
        return snapshot, asked, lake.search(PERSONS, asked, snapshot, timeout_s=PATIENCE_S)

    def test_goes_on_in_its_snapshot_when_the_mirror_has_moved_on(
        self, lake: Lake, page: tuple[SnapshotId, Search, Found]
    ) -> None:
        _, asked, first = page
        moved = publish(lake, a_row("9"))
        second = lake.search(PERSONS, replace(asked, cursor=first.next), moved, timeout_s=PATIENCE_S)
        assert second.keys == ("2", "3")
        assert second.snapshot == first.snapshot

    def test_of_another_search_is_refused(self, lake: Lake, page: tuple[SnapshotId, Search, Found]) -> None:
        snapshot, asked, first = page
        other = replace(asked, conditions=(), cursor=first.next)
        with pytest.raises(CursorInvalid):
            lake.search(PERSONS, other, snapshot, timeout_s=PATIENCE_S)

    @pytest.mark.parametrize("cursor", ["", "x", "!!!", "W10", "WyJhIiwxLDJd", "å" * 9, "W" * 5_000])
    def test_of_anything_is_refused(self, lake: Lake, page: tuple[SnapshotId, Search, Found], cursor: str) -> None:
        snapshot, asked, _ = page
        with pytest.raises(CursorInvalid):
            lake.search(PERSONS, replace(asked, cursor=cursor), snapshot, timeout_s=PATIENCE_S)


def test_a_search_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with Lake.open(tmp_path, SETTINGS, write=True) as lake:
        lake.prepare(PERSONS)
        snapshot = publish(lake, *(a_row(f"{number:010d}", status="x" * 200) for number in range(20_000)))
        began = time.monotonic()
        with pytest.raises(SearchTooSlow):
            lake.search(PERSONS, Search(conditions=(), order=(Order(column="status"),)), snapshot, timeout_s=0.0001)
        assert time.monotonic() - began < PATIENCE_S
        assert search(lake, snapshot, limit=1).keys == ("0000000000",)


class TestThePast:
    def test_is_read_by_snapshot_and_by_time(self, tmp_path: Path) -> None:

        with Lake.open(tmp_path, SETTINGS, write=True) as lake:
            lake.prepare(PERSONS)
            first = lake.publish(PERSONS, a_delivery([a_row("1", status="01")]))
            second = lake.publish(PERSONS, a_delivery([a_row("1", status="90"), a_row("2")]))
            old = read_past(lake, PERSONS, first.snapshot)
            assert old.info.rows == 1
            assert old.get_many(["1", "2"]) == ({"1": a_row("1", status="01")}, old.info)
            assert read_past(lake, PERSONS, first.published).info == old.info
            new = read_past(lake, PERSONS, second.published)
            assert new.info == lake.info(PERSONS)
            rows, _ = new.get_many(["2", "1", "2"], ("status", "protections"))
            assert rows == {"2": {"status": "01", "protections": []}, "1": {"status": "90", "protections": []}}

    def test_before_the_first_publication_is_not_there(self, tmp_path: Path) -> None:

        with Lake.open(tmp_path, SETTINGS, write=True) as lake:
            lake.prepare(PERSONS)
            publish(lake, a_row("1"))
            for moment in (datetime(2001, 1, 1, tzinfo=UTC), SnapshotId(1)):
                with pytest.raises(HistoryExpired):
                    read_past(lake, PERSONS, moment)
