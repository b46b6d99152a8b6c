"""Deltas fold into one another and into the base, and nothing that a lookup finds depends on it."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replica import Lake, LookupReader, Lookups, Mode, fold_segments, refresh_segments, segments
from replica.folding import fold
from replica.parts import Part, Pointer
from schemas import Column, Dataset, Kind
from tests.replica.builders import SETTINGS, a_delivery

AT_ONCE = replace(SETTINGS, fold_share=0.0)
NOTE = Column(
    name="note",
    kind=Kind.OBJECT,
    fields=(
        Column(name="day", kind=Kind.DATE),
        Column(name="share", kind=Kind.NUMBER),
        Column(name="words", kind=Kind.ARRAY, item=Column(name="word", kind=Kind.TEXT)),
    ),
)
FARMS = Dataset(
    register="r",
    name="farms",
    key="id",
    columns=(
        Column(name="id", kind=Kind.TEXT, required=True),
        Column(name="parish", kind=Kind.TEXT, secondary_key=True),
        Column(name="cows", kind=Kind.INTEGER, secondary_key=True),
        Column(name="founded", kind=Kind.DATE, secondary_key=True),
        Column(name="note", kind=Kind.OBJECT, fields=NOTE.fields),
        Column(name="notes", kind=Kind.ARRAY, item=NOTE),
    ),
)
LONG = "Sankt Hans og Sankt Olai Sogn i "
"""Exactly as long as what is searched of a text: values that begin with it differ beyond."""
Row = dict[str, Any]

words = st.none() | st.lists(st.none() | st.sampled_from(["", "a", "æ\n"]), max_size=2)
notes = st.none() | st.fixed_dictionaries(
    {"day": st.none() | st.just(date(2031, 1, 2)), "share": st.none() | st.sampled_from([0.5, -1.0]), "words": words}
)
# Keys of one width of digits, and others, so that parts keep their keys in both ways.
ids = st.sampled_from(["01", "02", "03", "11", "12", "13", "21", "99"]) | st.sampled_from(["a", "0", "011", "æ"])
farms = st.fixed_dictionaries(
    {
        "parish": st.none() | st.sampled_from(["", "Vor Frue", LONG + "Helsingør", LONG + "Hillerød"]),
        "cows": st.none() | st.sampled_from([-1, 0, 7]),
        "founded": st.none() | st.sampled_from([date(1890, 5, 1), date(1990, 5, 1)]),
        "note": notes,
        "notes": st.none() | st.lists(notes, max_size=2),
    }
)
deliveries = st.tuples(
    st.sampled_from([Mode.FULL, Mode.DELTA, Mode.DELTA, Mode.APPEND]),
    st.dictionaries(ids, farms, max_size=6),
    st.lists(ids, max_size=3),
)
AFTER = ["nothing", "nothing", "fold", "lose the segments", "no refresh"]


def after(model: dict[str, Row], mode: Mode, rows: dict[str, Row], gone: list[str]) -> dict[str, Row]:
    """What a dictionary would hold. A key that is delivered and said to be gone is there."""
    if mode is Mode.FULL:
        return dict(rows)
    kept = {key: row for key, row in model.items() if key not in gone or key in rows}
    return rows | kept if mode is Mode.APPEND else kept | rows


def net(before: dict[str, Row], now: dict[str, Row]) -> list[tuple[str, str]]:
    """The change feed between two states."""
    found = [("delete", key) for key in before.keys() - now.keys()]
    found += [("update" if key in before else "insert", key) for key in now if before.get(key) != now[key]]
    return sorted(found, key=lambda each: each[1].encode())


def reader_of(root: Path) -> LookupReader:
    return Lookups(root, [FARMS.id]).reader(FARMS.id)


def shown(reader: LookupReader, model: dict[str, Row]) -> None:
    """Every way of looking up gives what the model holds."""
    keys = ["01", "02", "03", "11", "12", "13", "21", "99", "a", "0", "011", "æ", "nobody", "", "1"]
    rows = {key: {"id": key} | row for key, row in model.items()}
    assert {key: reader.get(key) for key in keys} == {key: rows.get(key) for key in keys}
    assert reader.get_many(keys)[0] == {key: rows[key] for key in keys if key in rows}
    asked: dict[str, list[str] | list[int] | list[date]] = {
        "parish": ["", "Vor Frue", LONG, LONG + "Helsingør", LONG + "Hillerød"],
        "cows": [-1, 0, 7, 8],
        "founded": [date(1890, 5, 1), date(1990, 5, 1), date(2000, 1, 1)],
    }
    for column, values in asked.items():
        for value in values:
            same = sorted((key for key, row in model.items() if row[column] == value), key=str.encode)
            assert list(reader.find(column, value, 100)[0]) == same
            assert reader.find(column, value, 2, ("id", column))[0] == {
                key: {"id": key, column: value} for key in same[:2]
            }


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(deliveries, st.sampled_from(AFTER)), min_size=1, max_size=6))
def test_lake_feed_and_segments_are_what_a_dictionary_would_be(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[tuple[Mode, dict[str, Row], list[str]], str]],
) -> None:
    root = tmp_path_factory.mktemp("model")
    model: dict[str, Row] = {}
    states = []
    # So small that a few rows come in several batches and deltas fold in every way.
    small = patch.multiple(segments, MOST_DELTAS=2, SMALL_ROWS=6, QUICK_ROWS=12, DELTA_ROWS=2)
    with small, Lake.open(root / "lake", SETTINGS, write=True) as lake:
        lake.prepare(FARMS)
        for (mode, rows, gone), then in drawn:
            before, model = model, after(model, mode, rows, gone)
            delivered = [{"id": key} | row for key, row in rows.items()]
            random.Random(len(delivered)).shuffle(delivered)
            done = lake.publish(FARMS, a_delivery(delivered, mode, deletes=gone, dataset=FARMS))
            feed = net(before, model)
            assert (done.inserted, done.updated, done.deleted) == tuple(
                sum(what == each for each, _ in feed) for what in ("insert", "update", "delete")
            )
            assert done.inserted + done.updated + done.unchanged == len(rows)
            assert (done.rows, done.changed) == (len(model), bool(feed))
            states.append((done.snapshot, model))
            if then != "no refresh":
                if then == "lose the segments":
                    shutil.rmtree(root / "segments", ignore_errors=True)
                refresh_segments(lake, FARMS, root / "segments", SETTINGS)
                if then == "fold":
                    fold_segments(FARMS, root / "segments", AT_ONCE)
                shown(reader_of(root / "segments"), model)
        refresh_segments(lake, FARMS, root / "segments", SETTINGS)
        shown(reader_of(root / "segments"), model)
        in_lake = {row.pop("id"): row for row in lake.scan(FARMS).read_all().to_pylist()}
        assert in_lake == model
        (first, start), (last, end) = states[0], states[-1]
        changes = [(row["_change"], row["id"]) for row in lake.changes(FARMS, first, last).to_pylist()]
        # A row that was changed and changed back is told of too.
        back = [("update", key) for key in start if end.get(key) == start[key]]
        assert [each for each in changes if each not in back] == net(start, end)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(FARMS)
        yield opened


def farm(key: str, cows: int) -> Row:
    return {"id": key, "parish": "Vor Frue", "cows": cows, "founded": None, "note": None, "notes": []}


def published(lake: Lake, root: Path, rows: list[Row], **more: Any) -> tuple[Part, ...]:
    lake.publish(FARMS, a_delivery(rows, dataset=FARMS, **more))
    refresh_segments(lake, FARMS, root, SETTINGS)
    return parts_of(root)


def parts_of(root: Path) -> tuple[Part, ...]:
    pointer = Pointer.read(root / FARMS.id)
    assert pointer is not None
    return pointer.parts


def folders_of(root: Path) -> set[str]:
    return {entry.name for entry in (root / FARMS.id).iterdir() if entry.is_dir()}


class TestFold:
    def test_makes_one_base_of_all_parts_and_only_when_it_is_due(self, lake: Lake, tmp_path: Path) -> None:
        published(lake, tmp_path, [farm(f"{n:04d}", 1) for n in range(100)])
        published(lake, tmp_path, [farm("0007", 2)], deletes=["0008"])
        assert not fold_segments(FARMS, tmp_path, SETTINGS)
        with patch.object(segments, "SMALL_ROWS", 1):
            assert fold_segments(FARMS, tmp_path, AT_ONCE)
            assert not fold_segments(FARMS, tmp_path, AT_ONCE)
        assert [(part.rows, part.gone) for part in parts_of(tmp_path)] == [(99, 0)]
        assert folders_of(tmp_path) == {part.name for part in parts_of(tmp_path)}
        reader = reader_of(tmp_path)
        assert reader.get("0007") == farm("0007", 2)
        assert reader.get("0008") is None

    def test_of_what_is_not_there_is_nothing(self, tmp_path: Path) -> None:
        assert not fold_segments(FARMS, tmp_path, AT_ONCE)

    def test_does_not_hold_up_a_publication_and_keeps_it(self, lake: Lake, tmp_path: Path) -> None:
        published(lake, tmp_path, [farm(f"{n:04d}", 1) for n in range(10)])
        published(lake, tmp_path, [farm("0003", 2)])

        def while_folding(*given: Any) -> Part:
            base = fold(*given)
            published(lake, tmp_path, [farm("0004", 3)])
            assert base.name in folders_of(tmp_path)
            return base

        with patch.multiple(segments, SMALL_ROWS=0, fold=while_folding):
            assert fold_segments(FARMS, tmp_path, AT_ONCE)
        assert [part.rows for part in parts_of(tmp_path)] == [1, 10]
        reader = reader_of(tmp_path)
        assert [reader.get(key) for key in ("0003", "0004")] == [farm("0003", 2), farm("0004", 3)]

    def test_gives_way_to_a_stack_that_was_made_anew_meanwhile(self, lake: Lake, tmp_path: Path) -> None:
        published(lake, tmp_path, [farm(f"{n:04d}", 1) for n in range(10)])
        published(lake, tmp_path, [farm("0003", 2)])

        def while_folding(*given: Any) -> Part:
            base = fold(*given)
            (tmp_path / FARMS.id / "pointer.json").write_text("{")
            published(lake, tmp_path, [farm("0003", 4)])
            return base

        with patch.multiple(segments, SMALL_ROWS=0, fold=while_folding):
            assert not fold_segments(FARMS, tmp_path, AT_ONCE)
        assert reader_of(tmp_path).get("0003") == farm("0003", 4)
        refresh_segments(lake, FARMS, tmp_path, SETTINGS)
        assert folders_of(tmp_path) == {part.name for part in parts_of(tmp_path)}

    def test_of_small_deltas_keeps_a_stack_low_without_a_new_base(self, lake: Lake, tmp_path: Path) -> None:
        published(lake, tmp_path, [farm(f"{n:04d}", 1) for n in range(5)])
        with patch.multiple(segments, MOST_DELTAS=3, QUICK_ROWS=200, SMALL_ROWS=1_000):
            heights = [len(published(lake, tmp_path, [farm("0002", n)])) for n in range(2, 14)]
        assert max(heights) <= 4
        assert parts_of(tmp_path)[-1].rows == 5
        assert reader_of(tmp_path).get("0002") == farm("0002", 13)


class TestFind:
    def test_knows_only_columns_that_are_declared(self, lake: Lake, tmp_path: Path) -> None:
        published(lake, tmp_path, [farm("0001", 1)])
        with pytest.raises(KeyError):
            reader_of(tmp_path).find("note", "x", 1)

    def test_makes_the_segments_anew_when_a_column_is_declared_later(self, lake: Lake, tmp_path: Path) -> None:
        bare = replace(FARMS, columns=tuple(replace(column, secondary_key=False) for column in FARMS.columns))
        lake.publish(bare, a_delivery([farm("0001", 1)], dataset=bare))
        refresh_segments(lake, bare, tmp_path, SETTINGS)
        refresh_segments(lake, FARMS, tmp_path, SETTINGS)
        assert list(reader_of(tmp_path).find("cows", 1, 5)[0]) == ["0001"]
