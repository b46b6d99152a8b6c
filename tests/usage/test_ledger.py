import fcntl
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from kernel import TryAgainLater
from tests.usage.builders import House, a_delivery, a_refusal, an_answer, die
from tests.waiting import eventually
from usage import LedgerUnavailable, UsageSettings, subject_hash, take_in, verify
from usage.record import LedgerFile, read_ledger_file


def only_file(house: House, place: str) -> LedgerFile:
    (path,) = house.files(place)
    return read_ledger_file(path.stem, path.read_bytes(), sealed=place != "open")


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """The operating system lets no file grow beyond this size, as on a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


class TestRecord:
    def test_an_event_is_on_record_when_record_returns(self, house: House) -> None:
        with house.open_ledger() as ledger:
            ledger.record(an_answer("e-1"))
            assert [event["event"] for event in only_file(house, "open").events] == ["e-1"]

    def test_a_file_begins_with_who_writes_it_and_ends_with_a_seal(self, house: House) -> None:
        house.record(an_answer(), a_refusal(), a_delivery())
        file = only_file(house, "sealed")
        assert file.fault is None
        assert (file.header["node"], file.header["role"], file.header["pid"]) == ("node-1", "api", os.getpid())
        assert file.seal is not None
        assert file.seal["events"] == len(file.events) == 3

    def test_nothing_is_written_before_the_first_event(self, house: House) -> None:
        with house.open_ledger():
            pass
        assert house.files("open") + house.files("sealed") == []

    def test_threads_share_one_chain(self, house: House) -> None:
        with house.open_ledger() as ledger:

            def work() -> None:
                for _ in range(200):
                    ledger.record(an_answer())

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        file = only_file(house, "sealed")
        assert file.fault is None
        assert len({event["event"] for event in file.events}) == 800

    def test_half_a_character_from_outside_does_not_keep_a_refusal_off_the_record(self, house: House) -> None:
        house.record(a_refusal(reason="bad name \ud83d", subjects=("\udc00",)))
        assert only_file(house, "sealed").events[0]["reason"] == "bad name ?"

    def test_a_closed_ledger_lets_no_answer_leave(self, house: House) -> None:
        ledger = house.open_ledger()
        ledger.close()
        ledger.close()
        with pytest.raises(LedgerUnavailable):
            ledger.record(an_answer())


class TestSubjects:
    def test_no_identifier_stands_in_the_ledger_or_the_lake(self, house: House) -> None:
        canaries = ("0101301234", "2412991111")
        house.record(an_answer(subjects=canaries), a_refusal(subjects=canaries))
        sealed = only_file(house, "sealed")
        assert sealed.events[0]["subjects"] == [subject_hash(b"k" * 32, canary) for canary in canaries]
        take_in(house.ledger, house.usage)
        everything = [path for root in (house.ledger, house.usage) for path in root.rglob("*") if path.is_file()]
        assert len(everything) > 5
        for path in everything:
            data = path.read_bytes()
            assert not any(canary.encode() in data or canary in path.name for canary in canaries), path.name

    def test_another_key_gives_another_hash(self) -> None:
        assert subject_hash(b"a" * 32, "0101301234") != subject_hash(b"b" * 32, "0101301234")

    def test_a_hash_is_64_hex_digits_and_blanks_do_not_count(self) -> None:
        known = subject_hash(b"Jefe", "what do ya want for nothing?")  # RFC 4231, test case 2
        assert known == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        assert subject_hash(b"key", " 0101301234\n") == subject_hash(b"key", "0101301234")


class TestRotation:
    def test_a_file_that_is_old_enough_is_sealed_though_nobody_calls(self, house: House) -> None:
        with house.open_ledger(rotate_s=0.1) as ledger:
            ledger.record(an_answer())
            eventually(lambda: bool(house.files("sealed")))
            assert house.files("open") == []
        assert only_file(house, "sealed").fault is None

    def test_a_large_file_is_sealed_and_the_next_one_names_it(self, house: House) -> None:
        with house.open_ledger(rotate_mb=1) as ledger:
            for _ in range(2_500):
                ledger.record(an_answer(subjects=("0101301234",)))
        first, second = [read_ledger_file(path.stem, path.read_bytes(), sealed=True) for path in house.files("sealed")]
        assert second.header["previous_file"] == first.id
        assert second.header["previous"] == first.last
        assert len(first.events) + len(second.events) == 2_500
        assert verify(house.ledger, house.usage) == []


class TestLock:
    def test_a_living_writer_holds_its_file(self, house: House) -> None:
        with house.open_ledger() as ledger:
            ledger.record(an_answer())
            with house.files("open")[0].open("rb") as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_a_file_whose_writer_died_can_be_locked(self, house: House) -> None:
        ledger = house.open_ledger()
        ledger.record(an_answer())
        die(ledger)
        with house.files("open")[0].open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


class TestFullDisk:
    def test_the_answer_does_not_leave_and_the_half_line_is_cut_off(self, house: House) -> None:
        with house.open_ledger() as ledger:
            ledger.record(an_answer("e-1"))
            size = house.files("open")[0].stat().st_size
            with room_for(size + 100), pytest.raises(LedgerUnavailable) as refused:
                ledger.record(an_answer("e-2"))
            assert house.files("open")[0].stat().st_size == size
            ledger.record(an_answer("e-3"))
        assert isinstance(refused.value, TryAgainLater)
        assert refused.value.retry_after_s is not None
        assert [event["event"] for event in only_file(house, "sealed").events] == ["e-1", "e-3"]
        assert verify(house.ledger, house.usage) == []

    def test_a_file_that_cannot_even_begin_leaves_nothing_behind(self, house: House) -> None:
        with house.open_ledger() as ledger:
            with room_for(10), pytest.raises(LedgerUnavailable):
                ledger.record(an_answer("e-1"))
            ledger.record(an_answer("e-2"))
        assert [event["event"] for event in only_file(house, "sealed").events] == ["e-2"]
        assert verify(house.ledger, house.usage) == []

    def test_a_file_that_cannot_be_sealed_is_left_to_the_intake(self, house: House) -> None:
        ledger = house.open_ledger()
        ledger.record(an_answer("e-1"))
        with room_for(house.files("open")[0].stat().st_size):
            ledger.close()
        assert len(house.files("open")) == 1
        assert take_in(house.ledger, house.usage).events == 1
        assert verify(house.ledger, house.usage) == []

    def test_after_a_disk_error_in_the_background_a_new_file_is_begun(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with house.open_ledger(fsync_ms=20) as ledger:
            ledger.record(an_answer("e-1"))
            failed = threading.Event()

            def fails(handle: int) -> None:
                failed.set()
                raise OSError(5, "Input/output error")

            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", fails)
                assert failed.wait(60)
                eventually(lambda: ledger._damaged)
            ledger.record(an_answer("e-3"))
            take_in(house.ledger, house.usage)
            assert len(house.files("open")) == 1
        assert len(house.files("taken")) == 1


class TestFsync:
    def test_each_line_is_on_the_disk_before_its_answer_when_the_window_is_0(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with house.open_ledger(fsync_ms=0) as ledger:
            ledger.record(an_answer())
            synced: list[int] = []
            real, caller = os.fsync, threading.current_thread()

            def watched(handle: int) -> None:
                # The thread that looks after an idle ledger syncs too, once a second.
                if threading.current_thread() is caller:
                    synced.append(handle)
                real(handle)

            monkeypatch.setattr(os, "fsync", watched)
            ledger.record(an_answer())
            assert len(synced) == 1


class TestSettings:
    @pytest.mark.parametrize(
        "wrong", [{"rotate_mb": 0}, {"rotate_s": 0}, {"fsync_ms": -1}, {"sql_memory_mb": 10}, {"sql_max_rows": 0}]
    )
    def test_what_makes_no_sense_is_refused(self, wrong: dict[str, int]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            UsageSettings(**wrong)


def test_a_line_is_json_that_people_can_read(house: House) -> None:
    house.record(an_answer("e-1"))
    line = orjson.loads(house.files("sealed")[0].read_bytes().split(b"\n")[1])
    assert line["seq"] == 2
    assert line["time"] == "2031-03-04T12:00:00+00:00"
    assert (line["kind"], line["service"], line["status"]) == ("answered", "cpr-persons", 200)
    assert (line["own_us"], line["source_us"], line["total_us"]) == (70, 50, 120)
