"""All rows of a dataset, sorted by key, for those who take it whole.

The mirror's files are encrypted, packed and in the order in which they came: reading them sorted costs more than all
that is done with the rows afterwards. The segments hold the newest snapshot sorted and unpacked, since lookups search
them. Where they stand at the snapshot that is asked for, they are read instead, from front to back, with their deltas
merged in. What only the mirror can tell is read from the mirror: other snapshots, nested columns.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from kernel import SnapshotId
from replica.errors import LakeInconsistent
from replica.folding import Newer, merged, states_of
from replica.lake import Lake
from replica.nested import JUDGED, judged_by, nested_names
from replica.parts import Pointer
from replica.segments import columns_hash
from schemas import Dataset

_TRIES: Final = 20
_WITHHELD: Final = "_withheld"


Mirror = Callable[[], Lake]
"""Opens the mirror when it is asked for first: it costs a third of a second, and much memory."""


def sorted_rows(
    mirror: Mirror,
    segments: Path | None,
    dataset: Dataset,
    *,
    snapshot: SnapshotId,
    columns: Sequence[str],
    rows: Mapping[str, frozenset[str]],
    hide_protected_on: date | None = None,
    keys: tuple[str | None, str | None] | None = None,
    batch_rows: int = 65_536,
) -> pa.RecordBatchReader:
    """`Lake.scan`, of which every word holds here: the same rows in the same order, however they are read.

    mirror     not opened for what the segments tell by themselves
    segments   where the segments of datasets lie; None to read the mirror alone
    """
    asked = _Asked(dataset, snapshot, tuple(columns), rows, hide_protected_on)
    if segments is not None and keys is None and asked.told_by_segments:
        stack = _opened(segments / dataset.id, asked)
        if stack is not None:
            return pa.RecordBatchReader.from_batches(asked.schema, _read(mirror, stack, asked, batch_rows))
    return mirror().scan(
        dataset,
        snapshot=snapshot,
        columns=columns,
        rows=rows,
        hide_protected_on=hide_protected_on,
        keys=keys,
        batch_rows=batch_rows,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be read of a dataset. Raises KeyError for a name that the dataset lacks."""

    dataset: Dataset
    snapshot: SnapshotId
    columns: tuple[str, ...]
    rows: Mapping[str, frozenset[str]]
    day: date | None

    def __post_init__(self) -> None:
        for name in self._own:
            self.dataset.column(name)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that must be read for it: by the key rows are merged, by others they are chosen and judged."""
        return (*self._own, JUDGED) if self.hidden and self.dataset.protection is not None else self._own

    @property
    def hidden(self) -> tuple[str, ...]:
        """The columns that are withheld of rows whose protection is active on the day."""
        if self.day is None:
            return ()
        return tuple(name for name in self.columns if name in self.dataset.protected_columns)

    @property
    def told_by_segments(self) -> bool:
        """Whether segments hold all that is needed for it, and in its order: not for a key that is withheld."""
        judged = JUDGED not in self.needed or judged_by(self.dataset) is not None
        flat = not set(self.needed) & set(nested_names(self.dataset.arrow))
        return judged and flat and self.dataset.key not in self.hidden

    @property
    def _own(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.dataset.key, *self.columns, *sorted(self.rows))))

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([self.dataset.arrow.field(name) for name in self.columns])


@dataclass(frozen=True, slots=True)
class _Stack:
    """An open stack: whoever replaces it takes its names away, and not what is open.

    rows    in all, as the mirror counted them
    close   of the base's file
    """

    base: pa.ipc.RecordBatchFileReader
    newer: Sequence[Newer]
    rows: int
    close: ExitStack


def _opened(folder: Path, asked: _Asked) -> _Stack | None:
    """None unless the stack stands at the snapshot, was made for the dataset as it is, and can be read."""
    for _ in range(_TRIES):
        pointer = Pointer.read(folder)
        if pointer is None or not pointer.parts:
            return None
        if pointer.snapshot != asked.snapshot or pointer.columns != columns_hash(asked.dataset):
            return None
        with ExitStack() as stack:
            try:
                return _stack(folder, pointer, asked, stack)
            except FileNotFoundError:
                # A part may go between the reading of the pointer and its opening: then there is a newer pointer.
                time.sleep(0.01)
            except (OSError, pa.ArrowInvalid, pl.exceptions.ColumnNotFoundError):
                return None
    return None


def _stack(folder: Path, pointer: Pointer, asked: _Asked, stack: ExitStack) -> _Stack:
    *deltas, base = pointer.parts
    # Read, not mapped: a mapping of all rows would stay in the process's memory.
    file = stack.enter_context(pa.OSFile(str(folder / base.name / "rows.arrow")))
    names = pa.ipc.open_file(file).schema.names
    # A base without rows has no columns either.
    if names and (missing := set(asked.needed) - set(names)):
        raise pl.exceptions.ColumnNotFoundError(f"a base lacks {sorted(missing)}")
    chosen = pa.ipc.IpcReadOptions(
        use_threads=False, included_fields=[names.index(name) for name in asked.needed if name in names]
    )
    newer = [Newer.opened(folder, asked.dataset.key, part).select(asked.needed) for part in deltas]
    return _Stack(pa.ipc.open_file(file, options=chosen), newer, pointer.rows, stack.pop_all())


def _read(mirror: Mirror, stack: _Stack, asked: _Asked, batch_rows: int) -> Iterator[pa.RecordBatch]:
    for frame in _within(mirror, asked, _whole(stack, asked)):
        table = frame.select(asked.columns).to_arrow(compat_level=pl.CompatLevel.newest())
        if asked.day is not None and asked.hidden:
            table = table.append_column(_WITHHELD, _withheld(mirror(), asked.dataset, asked.day, frame))
        for batch in table.to_batches(max_chunksize=batch_rows):
            yield _shown(batch, asked)


def _withheld(lake: Lake, dataset: Dataset, day: date, frame: pl.DataFrame) -> pa.ChunkedArray:
    """Whether each row is protected, judged by the mirror's engine in its own words: protection has one meaning."""
    judged = judged_by(dataset)
    held = frame.select(dataset.key) if judged is None else frame.select(pl.col(JUDGED).alias(judged))
    return lake.withheld(dataset, day, held.to_arrow(compat_level=pl.CompatLevel.newest()))


def _shown(batch: pa.RecordBatch, asked: _Asked) -> pa.RecordBatch:
    """The columns that were asked for, in their types. What is withheld is not copied along, not behind a null either:
    pyarrow's `if_else` and polars' `when` would leave it there.
    """
    if not asked.hidden:
        return batch.cast(asked.schema)
    seen = pc.if_else(batch.column(_WITHHELD), pa.scalar(None, pa.int64()), pa.arange(0, batch.num_rows))
    columns = []
    for field, values in zip(asked.schema, batch.columns[:-1], strict=True):
        own = values.cast(field.type)
        columns.append(own.take(seen) if field.name in asked.hidden else own)
    return pa.RecordBatch.from_arrays(columns, schema=asked.schema)


def _whole(stack: _Stack, asked: _Asked) -> Iterator[pl.DataFrame]:
    """All rows. Raises LakeInconsistent, at the end, when they are not as many as the mirror has."""
    dataset, count = asked.dataset, 0
    with stack.close:
        numbers = range(stack.base.num_record_batches)
        frames: Iterator[pl.DataFrame] = (pl.DataFrame(pl.from_arrow(stack.base.get_batch(each))) for each in numbers)
        if stack.newer:
            newer = stack.newer
            base = (frame.select(asked.needed) for frame in frames)
            frames = merged(dataset.key, base, newer, states_of(dataset.key, newer), compact=False)
        for frame in frames:
            count += frame.height
            yield frame
    if count != stack.rows:
        raise LakeInconsistent(
            f"the segments of {dataset.id} hold {count} rows at snapshot {asked.snapshot}, the mirror {stack.rows}",
            remedy="remove the dataset's folder below segments/ and run `knudepunkt sync`",
        )


def _within(mirror: Mirror, asked: _Asked, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows within the scope, chosen by the mirror's engine in its own words: a scope has one meaning."""
    for frame in frames:
        if asked.rows:
            held = frame.select(sorted(asked.rows)).to_arrow(compat_level=pl.CompatLevel.newest())
            yield frame.filter(pl.Series(pl.from_arrow(mirror().within(asked.rows, held))))
        else:
            yield frame
