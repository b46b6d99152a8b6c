"""Deltas on a real lake: a copy that takes them is what a full extract would be, for whoever may see what."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract import (
    Cursor,
    CursorRefused,
    DeltaNeedsKey,
    ExtractPlan,
    ExtractRequest,
    ViewChanged,
    plan_extract,
    rows_of,
)
from kernel import Grant, SnapshotId
from replica import (
    QUARANTINE,
    AppliedContract,
    Delivery,
    HistoryExpired,
    Lake,
    Mode,
    ReplicaSettings,
    RunRecord,
    SnapshotInfo,
)
from schemas import Column, Dataset, Kind
from tests.extract.builders import PUBLISHED, RESIDENTS, TODAY, grant

SETTINGS = ReplicaSettings(memory_limit="500MB", threads=1)
FORGETFUL = replace(SETTINGS, keep_days=0, quarantine_days=0, reader_patience_s=0.2)
AALBORG, ODENSE = "0851", "0461"
HERE = {"municipality": frozenset({AALBORG})}


def person(number: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(RESIDENTS.names) | {
        "number": number, "municipality": AALBORG, "name": f"navn {number}", "children": 0, "protections": [],
    }  # fmt: skip
    return row | values


def shielded(start: date, end: date | None = None) -> list[dict[str, Any]]:
    return [{"type": "0001", "from_date": start, "to_date": end}]


def delivery(rows: Sequence[dict[str, Any]], mode: Mode = Mode.FULL) -> Delivery:
    run = RunRecord(
        run="run", source="residents", mode=mode, started=PUBLISHED, content_sha256="0" * 64, cursor="{}",
        as_of=PUBLISHED, lines_in=len(rows), lines_quarantined=0, rows_in=len(rows), rows_quarantined=0,
    )  # fmt: skip
    table = pa.Table.from_pylist(list(rows), schema=RESIDENTS.arrow)
    return Delivery(rows=table, mode=mode, quarantine=QUARANTINE.empty_table(), run=run)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(RESIDENTS)
        yield opened


def publish(lake: Lake, *rows: dict[str, Any]) -> SnapshotId:
    return lake.publish(RESIDENTS, delivery(rows)).snapshot


def now(lake: Lake) -> SnapshotInfo:
    found = lake.info(RESIDENTS)
    assert found is not None
    return found


def planned(
    lake: Lake,
    given: Grant,
    since: Cursor | None = None,
    *,
    day: date = TODAY,
    columns: tuple[str, ...] | None = None,
    otherwise_full: bool = False,
    dataset: Dataset = RESIDENTS,
) -> ExtractPlan:
    request = ExtractRequest(columns=columns, since=since, otherwise_full=otherwise_full)
    return plan_extract(request, given, dataset, now(lake), day, lake.corrections)


def rows(lake: Lake, plan: ExtractPlan) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows_of(lambda: lake, RESIDENTS, plan).read_all().to_pylist()
    return found


def told(lake: Lake, plan: ExtractPlan) -> dict[str, str]:
    """Key -> what the delta says became of it."""
    found = rows(lake, plan)
    assert [row["number"] for row in found] == sorted({row["number"] for row in found})
    return {row["number"]: row["_operation"] for row in found}


def cursor_of(plan: ExtractPlan) -> Cursor:
    assert plan.cursor is not None
    return Cursor.read(str(plan.cursor))


def taken(copy: dict[str, dict[str, Any]], delta: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A copy after a delta, as a careful consumer takes it: each operation must fit what it has."""
    copy = dict(copy)
    for row in delta:
        what, key = row["_operation"], row["number"]
        values = {name: value for name, value in row.items() if name != "_operation"}
        assert (key in copy) == (what != "insert"), "an insert of what is there, or a change of what is not"
        if what == "delete":
            assert all(value is None for name, value in values.items() if name != "number")
            del copy[key]
        else:
            assert copy.get(key) != values, "an update that changes nothing"
            copy[key] = values
    return copy


class TestDelta:
    def test_tells_what_came_went_and_changed(self, lake: Lake) -> None:
        publish(lake, person("1"), person("2"), person("3"))
        before = planned(lake, grant())
        publish(lake, person("1"), person("2", children=1), person("4"))
        delta = planned(lake, grant(), cursor_of(before))
        assert delta.kind == "delta"
        assert told(lake, delta) == {"2": "update", "3": "delete", "4": "insert"}

    def test_is_empty_when_nothing_happened(self, lake: Lake) -> None:
        publish(lake, person("1"))
        plan = planned(lake, grant())
        delta = planned(lake, grant(), cursor_of(plan))
        assert told(lake, delta) == {}
        assert delta.cursor == plan.cursor

    def test_has_the_operation_before_the_columns_of_the_full_extract(self, lake: Lake) -> None:
        publish(lake, person("1"))
        plan = planned(lake, grant("number name born"))
        delta = planned(lake, grant("number name born"), cursor_of(plan))
        assert rows_of(lambda: lake, RESIDENTS, delta).schema.names == ["_operation", "number", "name", "born"]

    def test_who_moves_out_of_the_agreement_is_gone_and_who_moves_in_has_come(self, lake: Lake) -> None:
        publish(lake, person("1"), person("2", municipality=ODENSE), person("3", municipality=ODENSE))
        before = planned(lake, grant(rows=HERE))
        publish(lake, person("1", municipality=ODENSE), person("2"), person("3", municipality="0101"))
        assert told(lake, planned(lake, grant(rows=HERE), cursor_of(before))) == {"1": "delete", "2": "insert"}

    def test_a_change_in_what_is_not_covered_is_none(self, lake: Lake) -> None:
        publish(lake, person("1"), person("2"))
        before = planned(lake, grant("number name"))
        publish(lake, person("1", children=3), person("2", name="nyt"))
        assert told(lake, planned(lake, grant("number name"), cursor_of(before))) == {"2": "update"}

    def test_a_change_in_a_name_that_is_withheld_does_not_show(self, lake: Lake) -> None:
        shield = shielded(date(2031, 1, 1))
        publish(lake, person("1", protections=shield), person("2", protections=shield))
        before = planned(lake, grant(), columns=("number", "name"))
        publish(lake, person("1", name="nyt", protections=shield), person("2", protections=[]))
        delta = planned(lake, grant(), cursor_of(before), columns=("number", "name"))
        assert rows(lake, delta) == [{"_operation": "update", "number": "2", "name": "navn 2"}]
        seen = planned(lake, grant(protected=True), columns=("number", "name"))
        assert {row["name"] for row in rows(lake, seen)} == {"nyt", "navn 2"}

    def test_a_protection_that_begins_or_ends_is_a_change_although_nobody_delivered(self, lake: Lake) -> None:
        publish(
            lake,
            person("1", protections=shielded(date(2031, 3, 11))),
            person("2", protections=shielded(date(2031, 1, 1), date(2031, 3, 11))),
            person("3", protections=shielded(date(2031, 1, 1))),
        )
        before = planned(lake, grant(), day=date(2031, 3, 10))
        delta = planned(lake, grant(), cursor_of(before), day=date(2031, 3, 11))
        assert {row["number"]: row["name"] for row in rows(lake, delta)} == {"1": None, "2": "navn 2"}

    def test_says_what_went_back_to_an_earlier_state(self, lake: Lake) -> None:
        good = publish(lake, person("1"), person("2"))
        publish(lake, person("1", name="forkert"))
        spoiled = planned(lake, grant())
        assert spoiled.corrections == ()
        back = lake.rollback(RESIDENTS, good, "wrong file").snapshot
        delta = planned(lake, grant(), cursor_of(spoiled))
        assert delta.corrections == (back,)
        assert told(lake, delta) == {"1": "update", "2": "insert"}
        publish(lake, person("1"), person("2"), person("3"))
        assert planned(lake, grant(), cursor_of(delta)).corrections == ()

    def test_goes_over_a_change_of_the_contract(self, lake: Lake) -> None:
        publish(lake, person("1"), person("2"))
        before = planned(lake, grant("number children"))
        flag = Column(name="flag", kind=Kind.TEXT)
        wider = replace(RESIDENTS, columns=(*RESIDENTS.columns, flag))
        applied = AppliedContract(register="town", version="1.1.0", applied=PUBLISHED, files={})
        lake.evolve(applied, [(RESIDENTS, wider)])
        people = pa.Table.from_pylist([person("1", flag="x"), person("2", children=4)], schema=wider.arrow)
        lake.publish(wider, replace(delivery([]), rows=people))
        delta = planned(lake, grant("number children"), cursor_of(before), dataset=wider)
        assert told(lake, delta) == {"2": "update"}


class TestWhatKeepsADeltaFromBeingMade:
    def test_history_that_is_over(self, lake: Lake) -> None:
        publish(lake, person("1"))
        old = cursor_of(planned(lake, grant()))
        publish(lake, person("1"), person("2"))
        publish(lake, person("1"), person("3"))
        lake.maintain(FORGETFUL)
        with pytest.raises(HistoryExpired) as refusal:
            planned(lake, grant(), old)
        assert (refusal.value.code, refusal.value.status) == ("history_expired", 410)
        instead = planned(lake, grant(), old, otherwise_full=True)
        assert (instead.kind, instead.full_because) == ("full", "history_expired")
        assert instead == planned(lake, grant())
        assert "a delta is not possible: history_expired" in " ".join(instead.explain())

    @pytest.mark.parametrize(
        "other",
        [grant(), grant("number name"), grant(rows={"municipality": frozenset({AALBORG, ODENSE})}),
         grant(rows=HERE, protected=True)],
    )  # fmt: skip
    def test_an_agreement_that_shows_something_else_now(self, lake: Lake, other: Grant) -> None:
        publish(lake, person("1"))
        old = cursor_of(planned(lake, grant(rows=HERE)))
        with pytest.raises(ViewChanged):
            planned(lake, other, old)
        assert planned(lake, other, old, otherwise_full=True).full_because == "view_changed"

    def test_a_type_that_has_become_another(self, lake: Lake) -> None:
        publish(lake, person("1"))
        old = cursor_of(planned(lake, grant()))
        fewer = replace(RESIDENTS, columns=RESIDENTS.columns[:-2] + RESIDENTS.columns[-1:])
        with pytest.raises(ViewChanged):
            planned(lake, grant(), old, dataset=fewer)

    def test_a_copy_without_keys(self, lake: Lake) -> None:
        publish(lake, person("1"))
        keyed, bare = planned(lake, grant()), planned(lake, grant("name born"))
        assert bare.cursor is None
        for choice in (False, True):
            with pytest.raises(DeltaNeedsKey, match="number"):
                planned(lake, grant("name born"), cursor_of(keyed), otherwise_full=choice)

    def test_a_cursor_of_the_future(self, lake: Lake) -> None:
        publish(lake, person("1"))
        cursor = replace(cursor_of(planned(lake, grant())), snapshot=SnapshotId(99))
        with pytest.raises(CursorRefused, match="later"):
            planned(lake, grant(), cursor, otherwise_full=True)

    @pytest.mark.parametrize(
        "text", ["", "7", "7.0", "0.0." + "a" * 16, "7.20311340." + "a" * 16, "7.0." + "A" * 16, "7.0." + "a" * 17,
                 "-7.0." + "a" * 16, "7.0." + "a" * 16 + "\n", "9" * 16 + ".0." + "a" * 16, "٣.0." + "a" * 16],
    )  # fmt: skip
    def test_a_text_that_is_no_cursor(self, text: str) -> None:
        with pytest.raises(CursorRefused) as refusal:
            Cursor.read(text)
        assert not text or text not in refusal.value.message

    def test_a_cursor_is_read_as_it_was_written(self) -> None:
        for cursor in (Cursor(SnapshotId(7), None, "a" * 16), Cursor(SnapshotId(12), TODAY, "0123456789abcdef")):
            assert Cursor.read(str(cursor)) == cursor


DAYS = [date(2031, 3, 8), date(2031, 3, 9), date(2031, 3, 10)]
shields: st.SearchStrategy[list[dict[str, Any]]] = st.just([]) | st.builds(
    shielded, st.sampled_from(DAYS), st.none() | st.sampled_from(DAYS)
)
a_person = st.fixed_dictionaries(
    {
        "municipality": st.sampled_from([AALBORG, ODENSE, None]),
        "name": st.sampled_from(["a", "b", None]),
        "children": st.sampled_from([0, 1]),
        "protections": shields,
    }
)
states = st.dictionaries(st.sampled_from("12345"), a_person, max_size=4)
steps: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.just("full"), states),
    st.tuples(st.just("delta"), states),
    st.tuples(st.just("fetch"), st.none()),
    st.tuples(st.just("tomorrow"), st.none()),
    st.tuples(st.just("back"), st.integers(0, 5)),
    st.tuples(st.just("compact"), st.none()),
)
VIEWS: dict[str, Callable[[], Grant]] = {
    "everything": grant,
    "one municipality": lambda: grant(rows=HERE),
    "some columns": lambda: grant("number name"),
    "names of the protected too": lambda: grant("number name children", HERE, protected=True),
}


@pytest.mark.slow
@given(st.lists(steps, min_size=3, max_size=9))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_a_full_extract_and_all_deltas_are_the_next_full_extract(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, Any]]
) -> None:
    with Lake.open(tmp_path_factory.mktemp("lake"), SETTINGS, write=True) as lake:
        lake.prepare(RESIDENTS)
        snapshots = [publish(lake, person("1"), person("2", municipality=ODENSE))]
        day = 0
        copies: dict[str, tuple[dict[str, dict[str, Any]], Cursor]] = {}

        def full(name: str) -> tuple[dict[str, dict[str, Any]], Cursor]:
            plan = planned(lake, VIEWS[name](), day=DAYS[day])
            return {row["number"]: row for row in rows(lake, plan)}, cursor_of(plan)

        for name in VIEWS:
            copies[name] = full(name)
        for what, value in [*history, ("fetch", None)]:
            if what in {"full", "delta"}:
                people = [person(key, **values) for key, values in value.items()]
                snapshots.append(lake.publish(RESIDENTS, delivery(people, Mode(what))).snapshot)
            elif what == "tomorrow":
                day = min(day + 1, len(DAYS) - 1)
            elif what == "back":
                snapshots.append(lake.rollback(RESIDENTS, snapshots[value % len(snapshots)], "").snapshot)
            elif what == "compact":
                lake.maintain(SETTINGS)
            else:
                for name in VIEWS:
                    copy, since = copies[name]
                    delta = planned(lake, VIEWS[name](), since, day=DAYS[day])
                    copies[name] = taken(copy, rows(lake, delta)), cursor_of(delta)
                    assert copies[name] == full(name)
