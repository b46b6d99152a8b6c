"""Folding: some neighbouring parts of a stack become one, with what a lookup in the stack would have found.

Works on the parts alone, batch by batch of the oldest; of the newer ones only keys and places are held in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import polars as pl
import pyarrow as pa

from replica.arrays import mapped
from replica.part_writer import write_part
from replica.parts import Part
from schemas import Dataset

MOST_ROWS: Final = 131_072
"""Rows per batch, at most: a batch grows where many new keys lie close together."""
_PART: Final = "_part"
_PLACE: Final = "_place"


@dataclass(frozen=True, slots=True)
class Newer:
    """A part on top of others, mapped: what it says of a key counts, and not what they say.

    rows   None when it has none
    gone   keys that are deleted
    """

    rows: pl.DataFrame | None
    gone: pl.DataFrame

    @classmethod
    def opened(cls, folder: Path, key: str, part: Part) -> Self:
        frames = frames_of(folder, part)
        return cls(pl.concat(frames, rechunk=False) if frames else None, _gone(folder, key, part))

    def select(self, columns: Sequence[str]) -> Self:
        return replace(self, rows=None if self.rows is None else self.rows.select(columns))


def fold(folder: Path, dataset: Dataset, parts: tuple[Part, ...], count: int) -> Part:
    """One part in place of the `count` newest of a stack; a base when those are all."""
    *newer, oldest = parts[:count]
    opened = [Newer.opened(folder, dataset.key, part) for part in newer]
    states = states_of(dataset.key, opened)
    frames = merged(dataset.key, frames_of(folder, oldest), opened, states, compact=True)
    if count == len(parts):
        return write_part(folder, "base", dataset, frames)
    known = _gone(folder, dataset.key, oldest).join(states, on=dataset.key, how="anti")
    gone = pl.concat([states.filter(pl.col(_PLACE).is_null()).select(dataset.key), known])
    return write_part(folder, "delta", dataset, frames, gone[dataset.key].sort())


def frames_of(folder: Path, part: Part, *, without: str = "") -> list[pl.DataFrame]:
    """The rows of a part, batch by batch, mapped; `without` a column, if it has that."""
    with pa.memory_map(str(folder / part.name / "rows.arrow")) as source:
        # Left out after they were read: a file of which only some fields are asked for is copied and not mapped.
        file = pa.ipc.open_file(source)
        chosen = [name for name in file.schema.names if name != without]
        batches = [file.get_batch(number).select(chosen) for number in range(file.num_record_batches)]
        return [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]


def _gone(folder: Path, key: str, part: Part) -> pl.DataFrame:
    keys = [each.decode() for each in mapped(folder / part.name / "gone.npy").tolist()]
    return pl.DataFrame({key: pl.Series(keys, dtype=pl.String)})


def states_of(key: str, newer: Sequence[Newer]) -> pl.DataFrame:
    """Where the newest row of each key stands, sorted by key: _PART, and _PLACE, null for a key that is gone."""
    found = [pl.DataFrame(schema={key: pl.String, _PLACE: pl.UInt32, _PART: pl.Int32})]
    for number, part in enumerate(newer):
        rows = [] if part.rows is None else [part.rows.select(key).with_row_index(_PLACE).select(key, _PLACE)]
        rows.append(part.gone.with_columns(pl.lit(None, pl.UInt32).alias(_PLACE)))
        found += [each.with_columns(pl.lit(number, pl.Int32).alias(_PART)) for each in rows]
    return pl.concat(found).unique(key, keep="first", maintain_order=True).sort(key)


def merged(
    key: str, batches: Iterable[pl.DataFrame], newer: Sequence[Newer], states: pl.DataFrame, *, compact: bool
) -> Iterator[pl.DataFrame]:
    """The batches of the oldest part, each without the rows that have another state now and with the newer rows that
    belong before its end. Sorted by key, as the batches are. All have the same columns, the key among them.

    compact   whether texts are copied out of the parts; else a frame holds on to all texts of those it was picked from
    """
    own = _compact if compact else pl.DataFrame.clone
    keys = states[key]
    done = 0
    for batch in batches:
        end = int(keys.search_sorted(batch[key][-1], side="right"))
        touched, done = states.slice(done, end - done), end
        if touched.is_empty():
            yield batch
            continue
        found = pl.concat([batch.join(touched, on=key, how="anti"), *_arrived(newer, touched)])
        yield from own(found.sort(key)).iter_slices(MOST_ROWS)
    if arrived := _arrived(newer, states.slice(done)):
        yield from own(pl.concat(arrived).sort(key)).iter_slices(MOST_ROWS)


def _arrived(newer: Sequence[Newer], touched: pl.DataFrame) -> list[pl.DataFrame]:
    places = [
        (part.rows, touched.filter((pl.col(_PART) == number) & pl.col(_PLACE).is_not_null())[_PLACE])
        for number, part in enumerate(newer)
    ]
    return [rows[chosen] for rows, chosen in places if rows is not None and len(chosen)]


def _compact(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows without the texts of others, to which a view that was picked from a batch still holds on."""
    return pl.DataFrame(pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest())))
