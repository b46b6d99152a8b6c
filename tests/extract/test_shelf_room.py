"""How much an agreement may keep on its shelf, and what goes to make room for more."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract import Allowance, ExtractStore, Manifest, Shelf, ShelfFull
from extract.delivery.shelf_room import Standing, room_makers
from kernel import AgreementId
from tests.extract.builders import PUBLISHED, SERVICE, plan
from tests.extract.conftest import Source
from tests.extract.test_shelf import made

OURS, THEIRS = AgreementId("agreement-1"), AgreementId("agreement-2")
COLUMNS = ("number", "name", "born", "seen")
_DAY_S = 86_400.0


@dataclass
class Waits:
    """What an agreement waits for: True waited for, False was taken, absent nobody's."""

    told: dict[str, bool] = field(default_factory=dict)

    def __call__(self, _: AgreementId, extract: str) -> bool | None:
        return self.told.get(extract)

    def tell(self, waited: bool, *columns: str) -> None:
        for each in columns:
            self.told[plan(columns=each).id] = waited


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def shelf(tmp_path: Path, waits: Waits) -> Shelf:
    allowance = Allowance(files=2, keep_s=_DAY_S)
    return Shelf(tmp_path / "agreements", allowance=allowance, waited=waits)


def on(shelf: Shelf, agreement: AgreementId = OURS) -> set[str]:
    names = {plan(columns=each).file_name: each for each in COLUMNS}
    return {names[name] for name in shelf.names(agreement, SERVICE) if name in names}


class TestShelf:
    def test_that_is_full_of_what_is_waited_for_takes_nothing_more_until_one_is_taken(
        self, shelf: Shelf, store: ExtractStore, waits: Waits
    ) -> None:
        waits.tell(True, "number", "name")
        for column in ("number", "name"):
            shelf.put(OURS, made(store, columns=column))
        third = made(store, columns="born")
        for _ in range(2):
            with pytest.raises(ShelfFull, match="2 files") as refusal:
                shelf.put(OURS, third)
            assert on(shelf) == {"number", "name"}
        assert (refusal.value.status, refusal.value.rule) == (507, "extracts.shelf")
        assert refusal.value.retry_after_s
        waits.tell(False, "name")
        shelf.put(OURS, third)
        assert on(shelf) == {"number", "born"}
        found = shelf.manifest(OURS, SERVICE, third.plan.file_name)
        assert found is not None
        assert found.number == 3, "the chain goes on"

    def test_what_is_there_may_be_put_there_again(self, shelf: Shelf, store: ExtractStore, waits: Waits) -> None:
        waits.tell(True, "number", "name")
        for column in ("number", "name", "number"):
            shelf.put(OURS, made(store, columns=column))
        assert on(shelf) == {"number", "name"}

    def test_what_was_fetched_by_hand_stays_for_its_time(self, shelf: Shelf, store: ExtractStore, waits: Waits) -> None:
        for column in ("number", "name"):
            shelf.put(OURS, made(store, columns=column))
        third = made(store, columns="born")
        with pytest.raises(ShelfFull):
            shelf.put(OURS, third)
        replace(shelf, allowance=replace(shelf.allowance, keep_s=0.0)).put(OURS, third)
        assert on(shelf) == {"name", "born"}, "the oldest made room"

    def test_the_same_bytes_count_on_each_shelf_and_for_each_alone(self, store: ExtractStore, tmp_path: Path) -> None:
        extract = made(store)
        size = extract.size_bytes or 0
        waited: Mapping[str, bool] = {extract.plan.id: True}
        shelf = Shelf(
            tmp_path / "agreements", allowance=Allowance(size_bytes=size), waited=lambda _, each: waited.get(each, True)
        )
        for agreement in (OURS, THEIRS):
            shelf.put(agreement, extract)
        for agreement in (OURS, THEIRS):
            with pytest.raises(ShelfFull, match="bytes"):
                shelf.put(agreement, made(store, columns="number"))
        shelf.folder(OURS, SERVICE).joinpath(f"{extract.plan.file_name}.manifest.json").unlink()
        with pytest.raises(ShelfFull):
            # What others tidy away gives nobody else room.
            shelf.put(THEIRS, made(store, columns="number"))
        shelf.put(OURS, made(store, columns="number"))

    def test_all_services_of_an_agreement_share_its_room(
        self, shelf: Shelf, store: ExtractStore, source: Source, waits: Waits
    ) -> None:
        extract = made(store)
        other = replace(extract.manifest, service="other-extract", file="other.csv", plan="1" * 64)
        waits.told |= {other.plan: False}
        waits.tell(True, "number", "name")
        shelf.put_file(OURS, extract.path, other, None)
        shelf.put(OURS, made(store, columns="number"))
        shelf.put(OURS, made(store, columns="name"))
        assert on(shelf) == {"number", "name"}
        assert not any(name.endswith(".csv") for name in shelf.names(OURS, type(SERVICE)("other-extract")))
        waits.told[other.plan] = True
        with pytest.raises(ShelfFull):
            shelf.put_file(OURS, extract.path, other, None)


_BASE = Manifest.of(plan(), rows=1, size_bytes=1, sha256="0" * 64, created=PUBLISHED)
_sizes = st.integers(0, 50)
_there = st.lists(st.tuples(_sizes, st.sampled_from((True, False, None)), st.integers(0, 2_000)), max_size=12)


@given(there=_there, size=_sizes, most_bytes=st.none() | st.integers(1, 300), most_files=st.none() | st.integers(1, 12))
def test_room_is_made_of_what_may_go_and_no_more_than_needed(
    there: list[tuple[int, bool | None, int]], size: int, most_bytes: int | None, most_files: int | None
) -> None:
    now, keep_s = time.time(), 1_000.0
    standing = [
        Standing(Path(str(number)), replace(_BASE, plan=str(number), size_bytes=each), now - age)
        for number, (each, _, age) in enumerate(there)
    ]
    allowance = Allowance(size_bytes=most_bytes, files=most_files, keep_s=keep_s)

    def waited(name: str) -> bool | None:
        return there[int(name)][1]

    def fits(kept: list[Standing]) -> bool:
        count, used = len(kept) + 1, sum(each.manifest.size_bytes for each in kept) + size
        return (most_bytes is None or used <= most_bytes) and (most_files is None or count <= most_files)

    free_to_go = [
        each for each in standing
        if waited(each.manifest.plan) is False or (waited(each.manifest.plan) is None and now - each.put >= keep_s)
    ]  # fmt: skip
    coming = replace(_BASE, size_bytes=size)
    try:
        going = room_makers(standing, coming, allowance, waited, now)
    except ShelfFull:
        assert not fits([each for each in standing if each not in free_to_go])
        return
    kept = [each for each in standing if each not in going]
    assert fits(kept)
    assert all(each in free_to_go for each in going)
    assert not going or not fits([*kept, going[-1]]), "the last one that went was needed"
    assert all(each.put <= other.put for each in going for other in free_to_go if other in kept), "the oldest first"
