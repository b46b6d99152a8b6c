"""Bytes on their way to the disk are the same bytes, and each is told to leave once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract import writeback
from extract.writeback import Writeback

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("pieces", [(), (1,), (MEGABYTE,) * 20, (30 * MEGABYTE, 7)])
def test_a_file_is_what_was_written(tmp_path: Path, pieces: tuple[int, ...]) -> None:
    with (tmp_path / "file").open("wb", buffering=0) as file:
        towards_disk = Writeback(file.fileno())
        for number, size in enumerate(pieces):
            file.write(bytes([number]) * size)
            towards_disk.wrote(size)
    assert (tmp_path / "file").read_bytes() == b"".join(bytes([n]) * size for n, size in enumerate(pieces))


def test_a_handle_that_is_closed_is_no_error(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb", buffering=0) as file:
        towards_disk = Writeback(file.fileno())
    towards_disk.wrote(100 * MEGABYTE)


@given(st.lists(st.integers(min_value=0, max_value=20 * MEGABYTE), max_size=30))
def test_what_was_written_leaves_once_in_order_and_little_stays(pieces: list[int]) -> None:
    told: list[tuple[int, int]] = []

    def begin(_: int, start: int, length: int, __: int) -> int:
        told.append((start, length))
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writeback, "of_libc", lambda *_: begin)
        towards_disk = Writeback(3)
        for size in pieces:
            towards_disk.wrote(size)
    reached = 0
    for start, length in told:
        assert start == reached
        reached += length
    assert 0 <= sum(pieces) - reached < 8 * MEGABYTE
