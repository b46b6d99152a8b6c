"""Rows for those who take a dataset whole are the mirror's, in the mirror's order, however they are read."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import SnapshotId
from replica import (
    HistoryExpired,
    Lake,
    LakeInconsistent,
    Mode,
    SnapshotInfo,
    fold_segments,
    refresh_segments,
    segments,
    sorted_rows,
)
from replica.parts import Pointer
from schemas import Classification, Column, Dataset, Kind, ProtectionRule
from tests.replica.builders import ELEMENT, SETTINGS, a_delivery
from tests.replica.test_folding import AT_ONCE

THINGS = Dataset(
    register="r",
    name="things",
    key="id",
    protection=ProtectionRule(),
    columns=(
        Column(name="id", kind=Kind.TEXT, required=True),
        Column(name="place", kind=Kind.TEXT, classification=Classification.PROTECTED),
        Column(name="count", kind=Kind.INTEGER, classification=Classification.PROTECTED),
        Column(name="share", kind=Kind.NUMBER),
        Column(name="open", kind=Kind.BOOLEAN, classification=Classification.PROTECTED),
        Column(name="day", kind=Kind.DATE, classification=Classification.PROTECTED),
        Column(name="at", kind=Kind.TIMESTAMP),
        Column(name="owner", kind=Kind.TEXT, classification=Classification.PROTECTED),
        Column(name="protections", kind=Kind.ARRAY, item=ELEMENT),
    ),
)
FLAT = tuple(name for name in THINGS.names if name != "protections")
HIDDEN_ON = date(2031, 2, 10)
ONE_DAY = timedelta(days=1)
Row = dict[str, Any]

ids = st.sampled_from(["01", "02", "03", "11", "12", "13", "21", "99"]) | st.sampled_from(["a", "0", "011", "æ", "A"])
# Before, on and after the day of judgement, and open; of the type that protects, of another, and of none.
days = st.sampled_from([None, HIDDEN_ON - ONE_DAY, HIDDEN_ON, HIDDEN_ON + ONE_DAY])
protections = st.fixed_dictionaries(
    {"type": st.sampled_from(["0001", "0001", "0002", None]), "from_date": days, "to_date": days}
)
things = st.fixed_dictionaries(
    {
        "place": st.none() | st.sampled_from(["", "0101", "0751", 'a text longer than twelve bytes, with æ\r\n"']),
        "count": st.none() | st.sampled_from([-(2**63), 0, 2**63 - 1]),
        "share": st.none() | st.sampled_from([0.1, -0.0, 1e300, float("inf")]),
        "open": st.none() | st.booleans(),
        "day": st.none() | st.sampled_from([date(1, 1, 1), date(1990, 5, 1), date(9999, 12, 31)]),
        "at": st.none() | st.sampled_from([datetime(1890, 1, 1), datetime(2031, 1, 2, 3, 4, 5, 678)]),  # noqa: DTZ001
        "owner": st.none() | st.sampled_from(["Sonja", "An owner with a name of some length"]),
        "protections": st.none() | st.lists(protections, max_size=3),
    }
)
deliveries = st.tuples(
    st.sampled_from([Mode.FULL, Mode.DELTA, Mode.DELTA, Mode.DELTA]),
    st.dictionaries(ids, things, max_size=7),
    st.lists(ids, max_size=3),
    st.sampled_from(["refresh", "refresh", "refresh", "fold", "no refresh"]),
)
scopes = st.sampled_from(
    [{}, {"place": frozenset({"0101", ""})}, {"place": frozenset({"0751"}), "id": frozenset({"0", "11"})}]
)


class Unread:
    """A mirror that must not be read; it judges what is within a scope, and who is protected."""

    def __init__(self, lake: Lake) -> None:
        self.within, self.withheld = lake.within, lake.withheld

    def scan(self, *_: Any, **__: Any) -> pa.RecordBatchReader:
        raise AssertionError("the mirror was read")


def unread(lake: Lake) -> Callable[[], Lake]:
    return lambda: cast(Lake, Unread(lake))


def info_of(lake: Lake) -> SnapshotInfo:
    found = lake.info(THINGS)
    assert found is not None
    return found


def from_segments(lake: Lake, root: Path, snapshot: SnapshotId, **more: Any) -> pa.Table:
    asked = {"columns": FLAT, "rows": {}} | more
    return sorted_rows(unread(lake), root, THINGS, snapshot=snapshot, **asked).read_all()


@settings(max_examples=6, deadline=None)
@given(
    st.lists(deliveries, min_size=1, max_size=4),
    st.lists(st.sampled_from(FLAT), min_size=1, max_size=len(FLAT), unique=True),
    scopes,
    st.sampled_from([1, 2, 65_536]),
)
def test_the_same_rows_come_from_segments_and_from_the_mirror(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[Mode, dict[str, Row], list[str], str]],
    columns: list[str],
    rows: dict[str, frozenset[str]],
    batch_rows: int,
) -> None:
    root = tmp_path_factory.mktemp("rows")
    # So small that a few rows come in several batches and deltas fold in every way.
    small = patch.multiple(segments, MOST_DELTAS=2, SMALL_ROWS=6, QUICK_ROWS=12, DELTA_ROWS=2)
    with small, patch("replica.reading.PACKED_ROWS", 2), Lake.open(root / "lake", SETTINGS, write=True) as lake:
        lake.prepare(THINGS)
        for mode, delivered, gone, then in drawn:
            table = [{"id": key} | row for key, row in delivered.items()]
            random.Random(len(table)).shuffle(table)
            lake.publish(THINGS, a_delivery(table, mode, deletes=gone, dataset=THINGS))
            if then != "no refresh":
                refresh_segments(lake, THINGS, root, SETTINGS)
            if then == "fold":
                fold_segments(THINGS, root, AT_ONCE)
        refresh_segments(lake, THINGS, root, SETTINGS)
        now = info_of(lake).snapshot
        # With a rule, with another one, and with none, by which everything is withheld; as contracts may change them.
        unlisted = replace(THINGS, protection=None)
        stricter = replace(THINGS, protection=ProtectionRule(types=frozenset({"0001", "0002"})))
        for dataset, hidden_on in ((THINGS, None), (THINGS, HIDDEN_ON), (stricter, HIDDEN_ON), (unlisted, HIDDEN_ON)):
            if dataset is unlisted:
                refresh_segments(lake, unlisted, root, SETTINGS)
            for chosen in (FLAT, tuple(columns)) if dataset is THINGS else (FLAT,):
                asked: dict[str, Any] = {
                    "snapshot": now, "columns": chosen, "rows": rows, "batch_rows": batch_rows,
                    "hide_protected_on": hidden_on,
                }  # fmt: skip
                expected = lake.scan(dataset, **asked)
                found = sorted_rows(unread(lake), root, dataset, **asked)
                assert found.schema == expected.schema
                assert found.read_all().combine_chunks() == expected.read_all().combine_chunks()
        # What is nested only the mirror can tell.
        for more in ({"columns": THINGS.names}, {"keys": ("02", "1")}):
            asked = {"snapshot": now, "columns": FLAT, "rows": rows, "hide_protected_on": HIDDEN_ON} | more
            assert sorted_rows(lambda: lake, root, THINGS, **asked).read_all() == lake.scan(THINGS, **asked).read_all()


@settings(max_examples=6, deadline=None)
@given(st.lists(st.none() | st.lists(protections, max_size=3), min_size=1, max_size=60))
def test_what_is_withheld_is_what_the_rule_says(mirror: tuple[Lake, Path], drawn: list[list[Row] | None]) -> None:
    lake, root = mirror
    secret = "a secret, longer than a view of it holds"
    rows = [
        a_thing(f"{n:02d}", 7_777_777, owner=secret, day=date(1999, 9, 9), protections=protections)
        for n, protections in enumerate(drawn)
    ]
    now = published(lake, root, rows, mode=Mode.FULL)
    guarded = ("owner", "count", "day")
    found = from_segments(lake, root, now, columns=("id", *guarded), hide_protected_on=HIDDEN_ON)
    shown = [not ProtectionRule().active(row, HIDDEN_ON) for row in rows]
    for name in guarded:
        assert found[name].to_pylist() == [row[name] if seen else None for row, seen in zip(rows, shown, strict=True)]
    # And nothing of it is left behind a null.
    for name, value in (("owner", secret.encode()), ("count", (7_777_777).to_bytes(8, "little"))):
        held = b"".join(buffer.to_pybytes() for chunk in found[name].chunks for buffer in chunk.buffers() if buffer)
        assert held.count(value) == sum(shown)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Path]]:
    root = tmp_path_factory.mktemp("mirror")
    with Lake.open(root / "lake", SETTINGS, write=True) as opened:
        opened.prepare(THINGS)
        yield opened, root


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(THINGS)
        yield opened


def a_thing(key: str, count: int, **more: Any) -> Row:
    return dict.fromkeys(THINGS.names) | {"id": key, "count": count, "protections": []} | more


def published(lake: Lake, root: Path, rows: list[Row], **more: Any) -> SnapshotId:
    lake.publish(THINGS, a_delivery(rows, dataset=THINGS, **more))
    return refresh_segments(lake, THINGS, root, SETTINGS).snapshot


def counts(table: pa.Table) -> dict[str, int]:
    return dict(zip(table["id"].to_pylist(), table["count"].to_pylist(), strict=True))


class TestWhichRoad:
    def test_is_the_segments_alone_for_all_rows_with_nothing_withheld(self, lake: Lake, tmp_path: Path) -> None:
        now = published(lake, tmp_path, [a_thing("1", 1)])

        def opened() -> Lake:
            raise AssertionError("the mirror was opened")

        found = sorted_rows(opened, tmp_path, THINGS, snapshot=now, columns=FLAT, rows={})
        assert counts(found.read_all()) == {"1": 1}

    def test_is_the_mirror_for_another_snapshot_than_the_segments_stand_at(self, lake: Lake, tmp_path: Path) -> None:
        old = published(lake, tmp_path, [a_thing("1", 1)])
        lake.publish(THINGS, a_delivery([a_thing("1", 2)], dataset=THINGS))
        behind = sorted_rows(lambda: lake, tmp_path, THINGS, snapshot=info_of(lake).snapshot, columns=FLAT, rows={})
        assert counts(behind.read_all()) == {"1": 2}
        refresh_segments(lake, THINGS, tmp_path, SETTINGS)
        as_of = sorted_rows(lambda: lake, tmp_path, THINGS, snapshot=old, columns=FLAT, rows={})
        assert counts(as_of.read_all()) == {"1": 1}

    def test_is_the_mirror_where_there_are_no_segments(self, lake: Lake, tmp_path: Path) -> None:
        now = published(lake, tmp_path, [a_thing("1", 1)])
        shutil.rmtree(tmp_path / THINGS.id)
        for folder in (tmp_path, None):
            assert counts(
                sorted_rows(lambda: lake, folder, THINGS, snapshot=now, columns=FLAT, rows={}).read_all()
            ) == {"1": 1}

    @pytest.mark.parametrize("harm", ["gone", "cut"])
    def test_is_the_mirror_where_a_part_cannot_be_read(self, lake: Lake, tmp_path: Path, harm: str) -> None:
        now = published(lake, tmp_path, [a_thing("1", 1)])
        (rows,) = (tmp_path / THINGS.id).glob("base-*/rows.arrow")
        rows.unlink() if harm == "gone" else rows.write_bytes(rows.read_bytes()[:100])
        assert counts(sorted_rows(lambda: lake, tmp_path, THINGS, snapshot=now, columns=FLAT, rows={}).read_all()) == {
            "1": 1
        }

    def test_is_the_mirror_while_the_segments_are_of_an_older_contract(self, lake: Lake, tmp_path: Path) -> None:
        now = published(lake, tmp_path, [a_thing("1", 1)])
        wider = Dataset(
            register="r", name="things", key="id", columns=(*THINGS.columns, Column(name="late", kind=Kind.TEXT))
        )
        found = sorted_rows(lambda: lake, tmp_path, wider, snapshot=now, columns=("id", "late"), rows={}).read_all()
        assert found.to_pylist() == [{"id": "1", "late": None}]

    def test_is_the_mirror_where_the_key_is_withheld_and_with_it_the_order(self, lake: Lake, tmp_path: Path) -> None:
        shield = [{"type": "0001", "from_date": HIDDEN_ON, "to_date": None}]
        lake.publish(THINGS, a_delivery([a_thing("1", 1), a_thing("2", 2, protections=shield)], dataset=THINGS))
        key, *others = THINGS.columns
        hidden = replace(THINGS, columns=(replace(key, classification=Classification.PROTECTED), *others))
        now = refresh_segments(lake, hidden, tmp_path, SETTINGS).snapshot
        asked: dict[str, Any] = {"snapshot": now, "columns": ("id",), "rows": {}, "hide_protected_on": HIDDEN_ON}
        with pytest.raises(AssertionError, match="the mirror was read"):
            sorted_rows(unread(lake), tmp_path, hidden, **asked)
        assert set(sorted_rows(lambda: lake, tmp_path, hidden, **asked).read_all()["id"].to_pylist()) == {"1", None}

    def test_is_the_mirror_while_the_segments_cannot_tell_who_is_protected(self, lake: Lake, tmp_path: Path) -> None:
        lake.publish(THINGS, a_delivery([a_thing("1", 1)], dataset=THINGS))
        asked: dict[str, Any] = {"columns": ("id", "count"), "rows": {}, "hide_protected_on": HIDDEN_ON}
        # Made before anything was classified as protected, and so without the list.
        plain = replace(
            THINGS, columns=tuple(replace(each, classification=Classification.PUBLIC) for each in THINGS.columns)
        )
        now = refresh_segments(lake, plain, tmp_path, SETTINGS).snapshot
        for pretended in (False, True):
            if pretended:
                pointer = Pointer.read(tmp_path / THINGS.id)
                assert pointer is not None
                replace(pointer, columns=segments.columns_hash(THINGS)).write(tmp_path / THINGS.id)
            with pytest.raises(AssertionError, match="the mirror was read"):
                sorted_rows(unread(lake), tmp_path, THINGS, snapshot=now, **asked)

    def test_refuses_what_the_mirror_refuses(self, lake: Lake, tmp_path: Path) -> None:
        now = published(lake, tmp_path, [a_thing("1", 1)])
        for more in ({"columns": ("nobody",)}, {"rows": {"nobody": frozenset({"1"})}}):
            with pytest.raises(KeyError):
                from_segments(lake, tmp_path, now, **more)
        with pytest.raises(HistoryExpired):
            sorted_rows(
                lambda: lake, tmp_path, THINGS, snapshot=SnapshotId(now + 1_000), columns=FLAT, rows={}
            ).read_all()


class TestReading:
    def test_goes_on_with_the_snapshot_it_began_with_when_the_segments_are_replaced(
        self, lake: Lake, tmp_path: Path
    ) -> None:
        with patch("replica.reading.PACKED_ROWS", 2):
            first = published(lake, tmp_path, [a_thing(f"{n:02d}", 1) for n in range(10)])
            began = published(lake, tmp_path, [a_thing("03", 2)], deletes=["04"])
            reader = sorted_rows(
                unread(lake), tmp_path, THINGS, snapshot=began, columns=("id", "count"), rows={}, batch_rows=1
            )
            waiting = sorted_rows(unread(lake), tmp_path, THINGS, snapshot=began, columns=("id", "count"), rows={})
            seen = [reader.read_next_batch() for _ in range(2)]
            before = set((tmp_path / THINGS.id).iterdir())
            published(lake, tmp_path, [a_thing(f"{n:02d}", 3) for n in range(10)], mode=Mode.FULL)
            with patch.multiple(segments, SMALL_ROWS=0):
                assert fold_segments(THINGS, tmp_path, AT_ONCE)
        # Nothing of what is being read is there by name any more.
        assert not {path for path in before if path.is_dir()} & set((tmp_path / THINGS.id).iterdir())
        expected = {f"{n:02d}": 2 if n == 3 else 1 for n in range(10) if n != 4}
        assert counts(pa.Table.from_batches([*seen, *reader])) == expected == counts(waiting.read_all())
        assert first < began

    def test_keeps_to_a_scope_and_leaves_out_rows_that_have_nothing_there(self, lake: Lake, tmp_path: Path) -> None:
        places = ["0101", None, "0751", "", "0101"]
        now = published(lake, tmp_path, [a_thing(str(n), n, place=place) for n, place in enumerate(places)])
        scope = {"place": frozenset({"0101", "0999"})}
        found = from_segments(lake, tmp_path, now, columns=("count",), rows=scope)
        assert found.to_pydict() == {"count": [0, 4]}
        assert from_segments(lake, tmp_path, now, rows={"place": frozenset()}).num_rows == 0

    def test_holds_nothing_of_the_rows_that_it_leaves_out(self, lake: Lake, tmp_path: Path) -> None:
        secret = "a text too long to stand in its view"
        now = published(lake, tmp_path, [a_thing("1", 1, owner=secret, place="a"), a_thing("2", 2, place="b")])
        found = from_segments(lake, tmp_path, now, rows={"place": frozenset({"b"})})
        held = [buffer for column in found.columns for chunk in column.chunks for buffer in chunk.buffers() if buffer]
        assert not any(secret.encode() in buffer.to_pybytes() for buffer in held)

    def test_never_passes_for_whole_when_rows_are_missing(self, lake: Lake, tmp_path: Path) -> None:
        now = published(lake, tmp_path, [a_thing("1", 1), a_thing("2", 2)])
        folder = tmp_path / THINGS.id
        pointer = Pointer.read(folder)
        assert pointer is not None
        lake.publish(THINGS, a_delivery([a_thing("3", 3)], dataset=THINGS))
        refresh_segments(lake, THINGS, tmp_path, SETTINGS)
        newer = Pointer.read(folder)
        assert newer is not None
        # As if the delta had been lost on the way from the mirror.
        Pointer(
            dataset=newer.dataset, snapshot=newer.snapshot, published=newer.published, as_of=newer.as_of,
            rows=newer.rows, columns=newer.columns, parts=pointer.parts,
        ).write(folder)  # fmt: skip
        with pytest.raises(LakeInconsistent, match=r"hold 2 rows .* the mirror 3"):
            from_segments(lake, tmp_path, newer.snapshot)
        assert now < newer.snapshot
