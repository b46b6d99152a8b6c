"""Flat persons of 23 columns for benchmarks: made column by column from a seed, so nine million take seconds.

Nothing in them is anybody's: keys are numbers in order with gaps, and are no personal numbers.
"""

import numpy as np
import polars as pl
import pyarrow as pa

from schemas import Column, Dataset, Kind

FIRST_KEY = 1_000_000_000
STEP = 7
TEXTS = {
    "status": 12, "sex": 2, "given_names": 4_000, "middle_name": 900, "surname": 6_000, "municipality_code": 98,
    "road_code": 8_000, "house_number": 300, "floor": 12, "door": 10, "locality": 2_500, "postcode": 1_100,
}  # fmt: skip
"""Text columns, and how many different values each has."""
NUMBERS = ("birth_registration", "church_relation", "household", "parish", "version")
DAYS = ("born", "moved_in", "status_since", "name_since", "civil_status_since")
FLAT = Dataset(
    register="bench",
    name="persons",
    key="pnr",
    columns=(
        Column(name="pnr", kind=Kind.TEXT, required=True, unique=True),
        *(Column(name=name, kind=Kind.TEXT) for name in TEXTS),
        *(Column(name=name, kind=Kind.INTEGER) for name in NUMBERS),
        *(Column(name=name, kind=Kind.DATE) for name in DAYS),
    ),
)


def flat_persons(rows: int, seed: int) -> pa.Table:
    """Rows sorted by key."""
    return _persons(np.arange(rows), seed)


def changed_persons(rows: int, changes: int, seed: int) -> pa.Table:
    """`changes` of those rows with other values, a tenth of them new persons; sorted by key."""
    chance = np.random.default_rng(seed)
    known = chance.choice(rows, changes - changes // 10, replace=False)
    return _persons(np.sort(np.concatenate([known, rows + np.arange(changes // 10)])), seed)


def key_of(number: int) -> str:
    return str(FIRST_KEY + STEP * number)


def _persons(numbers: np.ndarray, seed: int) -> pa.Table:
    chance = np.random.default_rng(seed)
    columns = {"pnr": (pl.Series(numbers) * STEP + FIRST_KEY).cast(pl.String)}
    for name, many in TEXTS.items():
        values = pl.Series([f"{name} {number:05d}"[-18:] for number in range(many)])
        columns[name] = values.gather(chance.integers(0, many, len(numbers), np.uint32))
    for name in NUMBERS:
        columns[name] = pl.Series(chance.integers(0, 1_000_000, len(numbers), np.int64))
    for name in DAYS:
        columns[name] = pl.Series(chance.integers(-20_000, 20_000, len(numbers), np.int32)).cast(pl.Date)
    return pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(FLAT.arrow)
