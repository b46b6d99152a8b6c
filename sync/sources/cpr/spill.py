"""Lines on disk, sorted by key: a delivery can have a hundred million of them.

They are written in runs, each sorted, one after the other as they come. A part of the delivery is then a range of
keys: a stretch of each run. Only the first key of every two thousand lines is kept in memory, and only the stretches
that are asked for are read, so memory does not grow with the delivery (an external sort by sampled ranges).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import ipc

LINES_OF = pl.Schema({"key": pl.UInt64, "record": pl.UInt8, "line": pl.UInt32, "text": pl.String})
"""Lines with an owner: `key` is the owner's number, `record` the place of its type in `Layout.types`."""
RUN_BYTES = 96 * 1024 * 1024
"""Text of one run; what the first pass holds in memory at a time."""
STRETCH_LINES = 2_048
NO_END = 2**64 - 1
"""Above every key."""


@dataclass(frozen=True, slots=True)
class _Run:
    """stretches   the file, open; stretch `n` is its record batch `n`
    firsts      the first key of each stretch
    """

    stretches: ipc.RecordBatchFileReader
    firsts: list[int]
    heights: list[int]

    def between(self, low: int, high: int) -> range:
        """Stretches that may hold keys in [low, high): lines of a key can begin in the stretch before its first."""
        return range(max(0, bisect_left(self.firsts, low) - 1), bisect_left(self.firsts, high))

    def read(self, numbers: Sequence[int]) -> Iterator[pl.DataFrame]:
        for number in numbers:
            yield pl.DataFrame(pl.from_arrow(self.stretches.get_batch(number)))


class Spill:
    """LINES_OF a delivery, to be read again by key. They come in the order of their numbers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: list[_Run] = []
        self._waiting: list[pl.DataFrame] = []
        self._waiting_bytes = 0
        self.height = 0

    def add(self, lines: pl.DataFrame, text_bytes: int) -> None:
        self._waiting.append(lines.select(LINES_OF.names()))
        self._waiting_bytes += text_bytes
        self.height += lines.height
        if self._waiting_bytes >= RUN_BYTES:
            self.close_run()

    def close_run(self) -> None:
        """Write what waits. To be called once all lines are added."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not sum(map(len, waiting)):
            return
        run = pl.concat(waiting, rechunk=False).sort("key", maintain_order=True)
        path = self._folder / f"run-{len(self._runs):05}.arrow"
        starts = range(0, run.height, STRETCH_LINES)
        heights = [min(STRETCH_LINES, run.height - start) for start in starts]
        table = run.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
        with pa.OSFile(str(path), "wb") as file, ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=STRETCH_LINES)
        # Not mapped: pages of a mapped file count as memory of this process until the kernel wants them back.
        stretches = ipc.open_file(pa.OSFile(str(path)))
        self._runs.append(_Run(stretches, run["key"].gather(list(starts)).to_list(), heights))

    def parts(self, lines_at_once: int) -> Iterator[pl.DataFrame]:
        """All lines, sorted by key and line, about so many at a time; those of one key come together."""
        for low, high in pairwise(self._bounds(lines_at_once)):
            part = self._read(low, high)
            if part.height:
                yield part

    def lines(self, keys: pl.Series) -> pl.DataFrame:
        """LINES_OF these keys, sorted by key and line."""
        wanted = keys.unique().sort()
        found = [LINES_OF.to_frame()]
        for run in self._runs:
            for lines in run.read(_holding(run.firsts, wanted.to_list())):
                found.append(lines.filter(pl.col("key").is_in(wanted.implode())))
        return pl.concat(found).sort("key", maintain_order=True)

    def _bounds(self, lines_at_once: int) -> list[int]:
        """Keys that divide the lines into parts of about that size, from the stretches' first keys."""
        samples = sorted((key, lines) for run in self._runs for key, lines in zip(run.firsts, run.heights, strict=True))
        bounds, size = [0], 0
        for key, lines in samples:
            if size >= lines_at_once and key > bounds[-1]:
                bounds.append(key)
                size = 0
            size += lines
        return [*bounds, NO_END]

    def _read(self, low: int, high: int) -> pl.DataFrame:
        inside = pl.col("key").is_between(pl.lit(low, pl.UInt64), pl.lit(high, pl.UInt64), closed="left")
        found = [stretch for run in self._runs for stretch in run.read(run.between(low, high))]
        if not found:
            return LINES_OF.to_frame()
        return pl.concat(found).filter(inside).sort("key", maintain_order=True)


def _holding(firsts: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Stretches that may hold one of the keys, which are sorted."""
    ends = [*firsts[1:], NO_END]
    return [
        number
        for number, (first, end) in enumerate(zip(firsts, ends, strict=True))
        if bisect_left(wanted, first) < bisect_right(wanted, end)
    ]
