"""One production per plan, any number of readers, and never a file that looks whole and is not."""

import hashlib
import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from extract import ExtractBroken, ExtractNotReady, ExtractPlan, ExtractStore, Format
from extract.errors import TooManyExtracts
from extract.formats import SLICE_BYTES
from extract.place import Place
from extract.turns import MOST_AT_ONCE
from kernel import AgreementId
from tests.extract.builders import FORMATS, PUBLISHED, plan
from tests.extract.conftest import Source
from tests.waiting import eventually


def whole(store: ExtractStore, kind: Format = Format.CSV) -> bytes:
    return b"".join(store.open(plan(kind=kind)).chunks())


class TestExtract:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_its_manifest_tells_of_the_bytes_that_were_given(self, store: ExtractStore, kind: Format) -> None:
        extract = store.open(plan(kind=kind))
        given = b"".join(extract.chunks())
        manifest = extract.manifest
        assert manifest.sha256 == hashlib.sha256(given).hexdigest()
        assert (manifest.size_bytes, manifest.rows) == (len(given), 20_000)
        assert (manifest.plan, manifest.file) == (plan(kind=kind).id, plan(kind=kind).file_name)
        assert (extract.rows, extract.size_bytes, extract.etag) == (20_000, len(given), f'"{manifest.sha256}"')

    def test_comes_in_slices(self, store: ExtractStore) -> None:
        pieces = list(store.open(plan()).chunks())
        assert max(map(len, pieces)) <= SLICE_BYTES

    def test_is_read_from_the_file_the_second_time(self, store: ExtractStore, source: Source) -> None:
        assert whole(store) == whole(store)
        assert source.reads == 1

    def test_can_be_read_from_any_byte_to_any_other(self, store: ExtractStore) -> None:
        text = whole(store)
        extract = store.open(plan())
        assert b"".join(extract.chunks(start=1_000)) == text[1_000:]
        assert b"".join(extract.chunks(start=300_000, stop=900_000)) == text[300_000:900_000]

    def test_bears_the_time_at_which_its_snapshot_was_published(self, store: ExtractStore) -> None:
        extract = store.open(plan())
        list(extract.chunks())
        assert extract.path.stat().st_mtime == PUBLISHED.timestamp()

    def test_has_no_manifest_while_it_is_made(self, store: ExtractStore, source: Source) -> None:
        source.gate.clear()
        extract = store.open(plan())
        next(extract.chunks())
        assert not extract.ready
        assert (extract.rows, extract.size_bytes, extract.etag) == (None, None, None)
        assert store.find(plan()) is None
        with pytest.raises(ExtractNotReady):
            _ = extract.manifest

    def test_has_no_name_while_it_is_made(self, store: ExtractStore, source: Source, folder: Path) -> None:
        source.gate.clear()
        next(store.open(plan()).chunks())
        assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == []

    def test_can_be_empty(self, folder: Path, source: Source) -> None:
        source.table = source.table.slice(0, 0)
        with ExtractStore(folder, source.scan) as store:
            extract = store.open(plan())
            assert b"".join(extract.chunks()).count(b"\r\n") == 1
            assert extract.rows == 0


class TestReaders:
    def test_of_one_plan_at_once_share_one_production(self, store: ExtractStore, source: Source) -> None:
        source.gate.clear()
        with ThreadPoolExecutor(8) as threads:
            reading = [threads.submit(whole, store) for _ in range(8)]
            time.sleep(0.2)
            source.gate.set()
            texts = {each.result() for each in reading}
        assert len(texts) == 1
        assert source.reads == 1

    def test_of_another_process_follow_the_one_that_makes_it(self, store: ExtractStore, folder: Path) -> None:
        with making(folder, pause_s=0.02):
            text = whole(store)
        assert hashlib.sha256(text).hexdigest() == store.open(plan()).manifest.sha256

    def test_begin_before_it_is_done(self, store: ExtractStore, source: Source) -> None:
        source.gate.clear()
        pieces = store.open(plan()).chunks()
        assert next(pieces).startswith(b"number,municipality,")
        source.gate.set()
        assert sum(map(len, pieces)) > 1_000_000

    def test_that_go_away_leave_the_production_to_end(self, store: ExtractStore, source: Source) -> None:
        source.gate.clear()
        extract = store.open(plan())
        pieces = extract.chunks()
        next(pieces)
        assert isinstance(pieces, Iterator)
        pieces.close()  # type: ignore[attr-defined]
        source.gate.set()
        eventually(lambda: extract.ready)
        assert extract.rows == 20_000

    def test_that_are_slow_hold_nothing_in_memory(self, store: ExtractStore) -> None:
        extract = store.open(plan())
        list(extract.chunks())
        tracemalloc.start()
        try:
            readers = [extract.chunks() for _ in range(100)]
            held = [len(next(each)) for each in readers]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held == [SLICE_BYTES] * 100
        # Nothing of what they have taken is kept for them.
        assert peak < 3 * SLICE_BYTES

    def test_that_are_slow_do_not_slow_the_production_down(self, store: ExtractStore) -> None:
        extract = store.open(plan())
        pieces = extract.chunks()
        next(pieces)
        eventually(lambda: extract.ready)
        assert sum(map(len, pieces)) > 1_000_000


class TestFailures:
    def test_reach_every_reader(self, store: ExtractStore, source: Source) -> None:
        source.gate.clear()
        source.failing = True
        readers = [store.open(plan()).chunks() for _ in range(3)]
        for each in readers:
            next(each)
        source.gate.set()
        for each in readers:
            with pytest.raises(ExtractBroken):
                list(each)

    def test_leave_nothing_that_looks_like_a_file(self, store: ExtractStore, source: Source, folder: Path) -> None:
        source.failing = True
        with pytest.raises(ExtractBroken):
            whole(store)
        assert {path.suffix for path in folder.iterdir()} == {".lock"}

    def test_are_forgotten_by_the_next_request(self, store: ExtractStore, source: Source) -> None:
        source.failing = True
        with pytest.raises(ExtractBroken):
            whole(store)
        source.failing = False
        assert len(whole(store)) == store.open(plan()).size_bytes

    def test_of_the_disk_reach_the_reader_and_free_its_room(self, store: ExtractStore, folder: Path) -> None:
        # A limit on the size of files stands for a full disk: the write fails in the middle.
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
        try:
            with pytest.raises(ExtractBroken):
                whole(store)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert {path.suffix for path in folder.iterdir()} == {".lock"}

    def test_a_file_without_its_manifest_is_made_again(self, store: ExtractStore, source: Source) -> None:
        text = whole(store)
        extract = store.open(plan())
        extract.path.with_name(f"{plan().id}.manifest.json").unlink()
        extract.path.write_bytes(b"half of it, as a crash would leave")
        assert whole(store) == text
        assert source.reads == 2

    def test_a_manifest_without_its_file_is_made_again(self, store: ExtractStore, source: Source) -> None:
        text = whole(store)
        store.open(plan()).path.unlink()
        assert whole(store) == text
        assert source.reads == 2

    def test_closing_the_house_cuts_its_readers(self, folder: Path, source: Source) -> None:
        def without_end(wanted: ExtractPlan) -> pa.RecordBatchReader:
            batches = list(source.scan(wanted))
            return pa.RecordBatchReader.from_batches(batches[0].schema, itertools.cycle(batches))

        with ExtractStore(folder, without_end) as store:
            pieces = store.open(plan()).chunks()
            next(pieces)
        with pytest.raises(ExtractBroken):
            list(pieces)
        assert not any(name.suffix == ".part" for name in folder.iterdir())


class TestKilledMaker:
    """`kill -9` of the process that makes a file."""

    def test_leaves_the_next_request_to_make_it_whole(self, store: ExtractStore, source: Source, folder: Path) -> None:
        with making(folder, pause_s=UNTIL_KILLED_S) as maker:
            maker.kill()
            maker.wait()
        assert any(path.suffix == ".part" for path in folder.iterdir())
        text = whole(store)
        assert source.reads == 1
        assert store.open(plan()).manifest.sha256 == hashlib.sha256(text).hexdigest()
        assert store.open(plan()).rows == 20_000

    def test_cuts_a_follower_that_had_something(self, store: ExtractStore, folder: Path) -> None:
        with making(folder, pause_s=UNTIL_KILLED_S) as maker:
            pieces = store.open(plan()).chunks()
            next(pieces)
            maker.kill()
            maker.wait()
            with pytest.raises(ExtractBroken):
                list(pieces)

    def test_is_replaced_by_a_follower_that_had_nothing_yet(self, store: ExtractStore, folder: Path) -> None:
        with making(folder, pause_s=UNTIL_KILLED_S) as maker:
            extract = store.open(plan())
            maker.kill()
            maker.wait()
            text = b"".join(extract.chunks(start=0))
        assert hashlib.sha256(text).hexdigest() == extract.manifest.sha256

    def test_at_any_moment_leaves_a_right_file_or_none(self, folder: Path, source: Source) -> None:
        for patience_s in (0.0, 0.1, 0.3):
            with making(folder, pause_s=0.01) as maker:
                time.sleep(patience_s)
                maker.kill()
                maker.wait()
            with ExtractStore(folder, source.scan) as store:
                text = whole(store)
                assert store.open(plan()).manifest.sha256 == hashlib.sha256(text).hexdigest()
            for path in folder.iterdir():
                path.unlink()

    def test_followed_by_many_is_replaced_by_one(self, folder: Path, source: Source) -> None:
        with ExtractStore(folder, source.scan) as one, ExtractStore(folder, source.scan) as other:
            with making(folder, pause_s=UNTIL_KILLED_S) as maker:
                extracts = [store.open(plan()) for store in (one, other) for _ in range(4)]
                maker.kill()
                maker.wait()
                with ThreadPoolExecutor(8) as threads:
                    texts = set(threads.map(lambda each: b"".join(each.chunks()), extracts))
            assert len(texts) == 1
            assert source.reads == 1

    def test_is_waited_for_until_the_next_maker_has_cleared_away_what_it_left(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with making(folder, pause_s=UNTIL_KILLED_S) as maker:
            maker.kill()
            maker.wait()
        begun, go_on, clear = threading.Event(), threading.Event(), Place.clear

        def slowly(place: Place) -> None:
            begun.set()
            assert go_on.wait(60)
            clear(place)

        monkeypatch.setattr(Place, "clear", slowly)
        with (
            ExtractStore(folder, source.scan) as one,
            ExtractStore(folder, source.scan) as other,
            ThreadPoolExecutor(2) as threads,
        ):
            first = threads.submit(whole, one)
            assert begun.wait(60)
            second = threads.submit(whole, other)
            try:
                with pytest.raises(TimeoutError):
                    second.result(0.3)
            finally:
                go_on.set()
            assert first.result(60) == second.result(60)
        assert source.reads == 1


UNTIL_KILLED_S = 60.0
"""The pause of a maker that is to be killed at its first batch, however long that takes."""


@contextmanager
def making(folder: Path, *, pause_s: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that has begun to make the extract of `plan()`: 20 batches, with a pause after each."""
    command = [sys.executable, "-m", "tests.extract.maker", str(folder), "20000", str(pause_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "begun\n"
        try:
            yield maker
            if maker.poll() is None:
                maker.wait(60)
        finally:
            if maker.poll() is None:
                os.kill(maker.pid, signal.SIGKILL)


def test_productions_wait_for_their_turn(folder: Path, source: Source) -> None:
    at_once = most = 0
    counting, pairs = threading.Lock(), threading.Barrier(2)

    def scan(wanted: object) -> object:
        nonlocal at_once, most
        with counting:
            at_once += 1
            most = max(most, at_once)
        # There are as many as may be, and a moment for one too many.
        pairs.wait(60)
        time.sleep(0.02)
        with counting:
            at_once -= 1
        return source.scan(wanted)  # type: ignore[arg-type]

    with ExtractStore(folder, scan, productions=2) as store, ThreadPoolExecutor(6) as threads:
        plans = [plan(columns=name) for name in ("number", "name", "born", "seen", "alive", "income")]
        agreements = [AgreementId(name) for name in "abcdef"]
        sizes = list(threads.map(lambda *each: sum(map(len, store.open(*each).chunks())), plans, agreements))
    assert all(sizes)
    assert most == 2


def test_one_agreement_cannot_have_everything_made(store: ExtractStore, source: Source) -> None:
    source.gate.clear()
    source.table = source.table.slice(0, 2_000)
    ours, theirs = AgreementId("agreement-1"), AgreementId("agreement-2")
    many = [replace(plan(), contract_version=str(number)) for number in range(MOST_AT_ONCE)]
    for each in many:
        store.open(each, ours)
    with pytest.raises(TooManyExtracts) as refusal:
        store.open(plan(), ours)
    assert refusal.value.status == 429
    # What is on its way may be followed by anybody, and others have room.
    store.open(many[0], ours)
    store.open(plan(), theirs)
    source.gate.set()
    eventually(lambda: all(store.find(each) for each in many))
    assert store.open(replace(plan(), contract_version="another"), ours)
