"""Folding: some neighbouring parts of a stack become one, with what a lookup in the stack would have found.

Works on the parts alone, batch by batch of the oldest; of the newer ones only keys and places are held in memory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from replica.arrays import mapped
from replica.part_writer import write_part
from replica.parts import Part
from schemas import Dataset

MOST_ROWS: Final = 131_072
"""Rows per batch, at most: a batch grows where many new keys lie close together."""


def fold(folder: Path, dataset: Dataset, parts: tuple[Part, ...], count: int) -> Part:
    """One part in place of the `count` newest of a stack; a base when those are all."""
    *newer, oldest = parts[:count]
    frames = [_rows(folder, part) for part in newer]
    states = _states(folder, dataset.key, newer, frames)
    merged = _merged(frames_of(folder, oldest), frames, states, dataset.key)
    if count == len(parts):
        return write_part(folder, "base", dataset, merged)
    known = _gone(folder, dataset.key, oldest).join(states, on=dataset.key, how="anti")
    gone = pl.concat([states.filter(pl.col("place").is_null()).select(dataset.key), known])
    return write_part(folder, "delta", dataset, merged, gone[dataset.key].sort())


def frames_of(folder: Path, part: Part) -> list[pl.DataFrame]:
    """The rows of a part, batch by batch, mapped."""
    with pa.memory_map(str(folder / part.name / "rows.arrow")) as source:
        file = pa.ipc.open_file(source)
        return [pl.DataFrame(pl.from_arrow(file.get_batch(number))) for number in range(file.num_record_batches)]


def _rows(folder: Path, part: Part) -> pl.DataFrame | None:
    frames = frames_of(folder, part)
    return pl.concat(frames, rechunk=False) if frames else None


def _gone(folder: Path, key: str, part: Part) -> pl.DataFrame:
    keys = [each.decode() for each in mapped(folder / part.name / "gone.npy").tolist()]
    return pl.DataFrame({key: pl.Series(keys, dtype=pl.String)})


def _states(folder: Path, key: str, parts: list[Part], frames: list[pl.DataFrame | None]) -> pl.DataFrame:
    """Where the newest row of each key stands, sorted by key: `part`, and `place`, null for a key that is gone."""
    found = [pl.DataFrame(schema={key: pl.String, "place": pl.UInt32, "part": pl.Int32})]
    for number, (part, frame) in enumerate(zip(parts, frames, strict=True)):
        rows = [] if frame is None else [frame.select(key).with_row_index("place").select(key, "place")]
        rows.append(_gone(folder, key, part).with_columns(place=pl.lit(None, pl.UInt32)))
        found += [each.with_columns(part=pl.lit(number, pl.Int32)) for each in rows]
    return pl.concat(found).unique(key, keep="first", maintain_order=True).sort(key)


def _merged(
    batches: list[pl.DataFrame], frames: list[pl.DataFrame | None], states: pl.DataFrame, key: str
) -> Iterator[pl.DataFrame]:
    """The batches, each without the rows that have another state now and with the newer rows that belong between."""
    keys = states[key]
    starts = [0, *(int(keys.search_sorted(batch[key][0])) for batch in batches[1:]), states.height]
    for number, start in enumerate(starts[:-1]):
        touched = states.slice(start, starts[number + 1] - start)
        batch = batches[number] if batches else None
        if batch is not None and touched.is_empty():
            yield batch
            continue
        arrived = [
            frame[touched.filter((pl.col("part") == part) & pl.col("place").is_not_null())["place"]]
            for part, frame in enumerate(frames)
            if frame is not None
        ]
        kept = [] if batch is None else [batch.join(touched, on=key, how="anti")]
        if kept or arrived:
            yield from _compact(pl.concat([*kept, *arrived]).sort(key)).iter_slices(MOST_ROWS)


def _compact(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows without the texts of others, to which a view that was picked from a batch still holds on."""
    return pl.DataFrame(pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest())))
