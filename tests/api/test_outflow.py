"""How a body goes out: the bytes are the file's whatever the pieces and pauses, a slow reader costs little, and one
that takes nothing is cut."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.pieces import FileSlices, Followed, Piece, Pieces
from api.protocol import UNSENT_BYTES
from api.request import Connection, Request
from api.rest.outflow import Outflow
from api.rest.pace import EASY_BYTES, FAST_S, LARGE_BYTES, PAUSE_S, ROOM_BYTES, SLOW_S, SMALL_BYTES, Pace
from extract import ExtractBroken

KIB = 1024


@pytest.fixture
def clock() -> "Clock":
    return Clock()


@pytest.fixture
def pace(clock: "Clock") -> Pace:
    return Pace(clock)


@pytest.fixture
def fast(pace: Pace) -> Pace:
    """Of a reader that has shown that it is fast."""
    assert pace.sent(EASY_BYTES, 0.0)
    return pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class TestPace:
    def test_begins_small_and_careful(self) -> None:
        pace = Pace()
        assert (pace.size_bytes, pace.careful, pace.unsent_bytes) == (SMALL_BYTES, True, UNSENT_BYTES)

    def test_who_takes_much_in_little_time_gets_large_pieces(self, clock: Clock, pace: Pace) -> None:
        clock.now = FAST_S
        assert not pace.sent(EASY_BYTES - 1, 0.0)
        assert pace.sent(1, 0.0)
        assert (pace.size_bytes, pace.careful) == (LARGE_BYTES, False)
        assert pace.unsent_bytes > UNSENT_BYTES

    def test_who_takes_it_slowly_does_not(self, clock: Clock, pace: Pace) -> None:
        clock.now = 2 * FAST_S
        assert not pace.sent(EASY_BYTES, 0.0)
        assert pace.careful
        # Each stretch counts for itself: what was slow once may be fast later.
        clock.now = 3 * FAST_S
        assert pace.sent(EASY_BYTES, 0.0)

    @pytest.mark.parametrize("waited_s", [0.0, 0.02, PAUSE_S])
    def test_a_short_pause_of_a_fast_one_is_forgiven(self, fast: Pace, waited_s: float) -> None:
        assert not fast.sent(LARGE_BYTES, waited_s)
        assert not fast.careful

    def test_a_long_one_is_not(self, fast: Pace) -> None:
        assert fast.sent(LARGE_BYTES, PAUSE_S + 0.01)
        assert (fast.size_bytes, fast.careful) == (SMALL_BYTES, True)

    def test_nor_are_many_short_ones(self, clock: Clock, fast: Pace) -> None:
        changed = False
        for _ in range(EASY_BYTES // LARGE_BYTES + 1):
            clock.now += 2 * SLOW_S * LARGE_BYTES / EASY_BYTES
            changed |= fast.sent(LARGE_BYTES, 0.02)
        assert changed
        assert fast.careful

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.tuples(st.integers(1, LARGE_BYTES), st.floats(0.0, 1.0)), max_size=200))
    def test_nobody_below_the_slow_rate_keeps_large_pieces(self, sent: list[tuple[int, float]]) -> None:
        """After any history, a reader at a quarter of the rate is a slow one within two stretches."""
        clock = Clock()
        pace = Pace(clock)
        for size_bytes, waited_s in sent:
            clock.now += waited_s
            pace.sent(size_bytes, waited_s)
        for _ in range(3 * EASY_BYTES // LARGE_BYTES):
            waited_s = 4 * SLOW_S * LARGE_BYTES / EASY_BYTES
            clock.now += waited_s
            pace.sent(LARGE_BYTES, waited_s)
        assert pace.careful


class TestFileSlices:
    @settings(deadline=None)
    @given(
        st.integers(0, 300 * KIB),
        st.tuples(st.floats(0, 1), st.floats(0, 1)),
        st.lists(st.sampled_from([1 * KIB, SMALL_BYTES, LARGE_BYTES]), min_size=1),
    )
    def test_together_they_are_the_range(
        self, tmp_path_factory: pytest.TempPathFactory, size: int, part: tuple[float, float], mosts: list[int]
    ) -> None:
        body = random.Random(size).randbytes(size)
        path = tmp_path_factory.getbasetemp() / "slices.bin"
        path.write_bytes(body)
        start, stop = sorted(round(size * share) for share in part)

        async def take() -> list[Piece]:
            pieces, taken = FileSlices(path, start, stop), list[Piece]()
            while not taken or not pieces.ended:
                most = mosts[len(taken) % len(mosts)]
                taken.append(await pieces.take(most))
                assert len(taken[-1]) <= most
            await pieces.close()
            return taken

        taken = asyncio.run(take())
        # Only now: a piece that was taken stays as it is, whatever is taken after it.
        assert b"".join(taken) == body[start:stop]
        assert all(taken) or start == stop

    def test_whoever_reads_a_file_gets_it_whole_though_its_name_goes(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        path.write_bytes(b"a" * SMALL_BYTES + b"b" * SMALL_BYTES)
        pieces = FileSlices(path, 0, 2 * SMALL_BYTES)

        async def take() -> bytes:
            first = await pieces.take(SMALL_BYTES)
            path.unlink()
            path.write_bytes(b"another file of that name")
            second = await pieces.take(SMALL_BYTES)
            await pieces.close()
            return bytes(first) + bytes(second)

        assert asyncio.run(take()) == b"a" * SMALL_BYTES + b"b" * SMALL_BYTES
        assert pieces.ended

    def test_what_is_not_in_memory_is_fetched(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        path.write_bytes(os.urandom(64 * KIB))
        handle = os.open(path, os.O_RDWR)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
        pieces = FileSlices(path, 0, 64 * KIB)

        async def take() -> bytes:
            body = b""
            while not pieces.ended:
                body += await pieces.take(SMALL_BYTES)
            await pieces.close()
            return body

        taken = asyncio.run(take())
        assert taken == path.read_bytes()

    def test_a_file_shorter_than_was_promised_has_no_end(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        path.write_bytes(b"12345")
        pieces = FileSlices(path, 0, 6)

        async def take() -> None:
            assert bytes(await pieces.take(SMALL_BYTES)) == b"12345"
            assert not pieces.ended
            try:
                await pieces.take(SMALL_BYTES)
            finally:
                await pieces.close()

        with pytest.raises(ExtractBroken):
            asyncio.run(take())


class TestFollowed:
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.binary(min_size=1, max_size=5), max_size=6))
    def test_the_last_is_known_as_such(self, parts: list[bytes]) -> None:
        async def made() -> AsyncGenerator[bytes]:
            for part in parts[1:]:
                yield part

        async def take() -> list[tuple[Piece, bool]]:
            pieces = Followed(made(), parts[0] if parts else b"")
            taken: list[tuple[Piece, bool]] = []
            while not taken or not pieces.ended:
                piece = await pieces.take(SMALL_BYTES)
                taken.append((piece, pieces.ended))
            await pieces.close()
            return taken

        taken = asyncio.run(take())
        assert [piece for piece, _ in taken] == (parts or [b""])
        assert [ended for _, ended in taken] == [False] * (len(taken) - 1) + [True]

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.integers(min_value=1, max_value=60))
    def test_a_run_goes_out_in_pieces(self, runs: list[bytes], most: int) -> None:
        async def made() -> AsyncGenerator[bytes]:
            for run in runs[1:]:
                yield run

        async def take() -> list[Piece]:
            pieces = Followed(made(), runs[0] if runs else b"")
            taken = [await pieces.take(most)]
            while not pieces.ended:
                taken.append(await pieces.take(most))
            await pieces.close()
            return taken

        taken = asyncio.run(take())
        assert b"".join(taken) == b"".join(runs)
        assert all(0 < len(piece) <= most for piece in taken) or not runs


@dataclass
class Line:
    """A connection as a reader makes it: what it has room for, as a list of sizes that it takes one after another.

    wants   sizes; when they are used up, the reader takes nothing more, or, when it is `patient`, all there is
    most_held   the most that lay in our own memory at a time
    """

    wants: list[int]
    patient: bool = True
    open: bool = True
    received: bytearray = field(default_factory=bytearray)
    most_unsent: int = UNSENT_BYTES
    most_held: int = 0
    asked_while_held: int = 0
    _ours: bytearray = field(default_factory=bytearray)
    _system: bytearray = field(default_factory=bytearray)

    @property
    def paused(self) -> bool:
        return bool(self._ours)

    @property
    def unsent_bytes(self) -> int:
        self._take()
        return len(self._system)

    async def drained(self, most_s: float) -> None:
        self._take()
        await asyncio.sleep(0 if not self._ours else min(most_s, 0.001))

    def keep_unsent(self, most_bytes: int) -> None:
        self.most_unsent = most_bytes

    def cut(self) -> None:
        self.open = False

    async def send(self, message: dict[str, Any]) -> None:
        assert not self._ours, "a piece was sent while the one before waited in our memory"
        self._ours += message["body"]
        self._flow()
        self.most_held = max(self.most_held, len(self._ours))

    def _take(self) -> None:
        size = self.wants.pop(0) if self.wants else len(self._system) if self.patient else 0
        self.received += self._system[:size]
        del self._system[:size]
        self._flow()

    def _flow(self) -> None:
        room = max(0, self.most_unsent - len(self._system))
        self._system += self._ours[:room]
        del self._ours[:room]

    def end(self) -> bytes:
        return bytes(self.received + self._system + self._ours)


@dataclass
class Watched:
    """Pieces that are only taken when nothing waits in our memory."""

    pieces: Pieces
    line: Line

    @property
    def ended(self) -> bool:
        return self.pieces.ended

    async def take(self, most: int) -> Piece:
        assert not self.line.paused
        return await self.pieces.take(most)

    async def close(self) -> None:
        await self.pieces.close()


@dataclass
class Asked:
    """As much of a request as an outflow needs."""

    connection: Connection
    trace: str = "0" * 32


def run(line: Line, pieces: Pieces, stall_s: float = 5.0) -> tuple[Outflow, Piece | None]:
    async def flowing() -> tuple[Outflow, Piece | None]:
        flow = Outflow(cast(Request, Asked(line)), stall_s)
        return flow, await flow.last_of(Watched(pieces, line), cast(Any, line.send))

    return asyncio.run(flowing())


class TestOutflow:
    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.integers(0, 200 * KIB), max_size=30), st.integers(0, 10))
    def test_whatever_a_reader_does_it_gets_the_file(
        self, tmp_path_factory: pytest.TempPathFactory, wants: list[int], mb: int
    ) -> None:
        body = random.Random(mb).randbytes(mb * 1000 * KIB + mb)
        path = tmp_path_factory.getbasetemp() / "flow.bin"
        path.write_bytes(body)
        line = Line(wants)
        flow, last = run(line, FileSlices(path, 0, len(body)))
        assert last is not None
        assert line.end() + bytes(last) == body
        assert flow.sent_bytes + len(last) == len(body)
        assert line.most_unsent == UNSENT_BYTES, "the next answer on the connection begins carefully"

    def test_a_slow_reader_leaves_nothing_in_our_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        path.write_bytes(bytes(EASY_BYTES))
        line = Line([40 * KIB] * 60, patient=False)
        flow, last = run(line, FileSlices(path, 0, EASY_BYTES), stall_s=0.05)
        assert last is None
        assert line.most_held == 0
        assert len(line.received) <= flow.sent_bytes <= len(line.received) + ROOM_BYTES + SMALL_BYTES

    def test_one_that_takes_nothing_is_cut(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        path.write_bytes(bytes(EASY_BYTES))
        line = Line([], patient=False)
        flow, last = run(line, FileSlices(path, 0, EASY_BYTES), stall_s=0.05)
        assert (last, line.open) == (None, False)
        assert flow.sent_bytes <= ROOM_BYTES + SMALL_BYTES

    def test_one_that_was_fast_and_takes_nothing_is_cut_too(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        path.write_bytes(bytes(4 * EASY_BYTES))
        line = Line([1000 * KIB] * 8, patient=False)
        _, last = run(line, FileSlices(path, 0, 4 * EASY_BYTES), stall_s=0.05)
        assert (last, line.open) == (None, False)

    def test_nothing_more_is_read_for_one_that_is_gone(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        path.write_bytes(bytes(EASY_BYTES))
        line = Line([], open=False)
        flow, last = run(line, FileSlices(path, 0, EASY_BYTES))
        assert (last, flow.sent_bytes) == (None, 0)
