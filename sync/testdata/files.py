"""Test data where the sources look for it: every register that is shipped, each file whole when it has its name."""

import os
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

from sync.testdata.classes import classes_csv
from sync.testdata.companies import companies, production_units
from sync.testdata.delivery import PRODUCTION, file_name, generate, generate_changes
from sync.testdata.places import municipalities_csv
from sync.testdata.registers import AUTHORITY_JOB, ROAD_JOB, authority_register, road_register

PERSONS_PER_COMPANY = 10
MOST_COMPANIES = 20_000


def write_testdata(folder: Path, persons: int, seed: int, production: date = PRODUCTION) -> list[Path]:
    """Write a first delivery of every register below a folder, a folder per source."""
    count = min(MOST_COMPANIES, max(1, persons // PERSONS_PER_COMPANY))
    made: dict[str, Callable[[], Iterable[bytes]]] = {
        f"cpr/{file_name(production)}": lambda: generate(persons, seed, production),
        "municipality/municipalities.csv": lambda: [municipalities_csv()],
        f"road/{file_name(production, ROAD_JOB)}": lambda: [road_register(production)],
        f"authority/{file_name(production, AUTHORITY_JOB)}": lambda: [authority_register(production)],
        "cvr-companies/companies.json": lambda: [companies(count, seed)],
        "cvr-units/units.json": lambda: [production_units(count, seed)],
        "classification/classes.csv": lambda: [classes_csv()],
    }
    for name, pieces in made.items():
        _write(folder / name, pieces())
    return [folder / name for name in made]


def write_changes(
    folder: Path, persons: int, seed: int, production: date | None = None, *, families: int | None = None
) -> Path:
    """Write the change extract of the day after the status extract, or of `production`, below a folder."""
    production = production or PRODUCTION + timedelta(days=3)
    path = folder / "cpr" / file_name(production)
    _write(path, generate_changes(persons, seed, production, PRODUCTION, families=families))
    return path


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    with draft.open("wb") as stream:
        stream.writelines(pieces)
        stream.flush()
        os.fsync(stream.fileno())
    # A source reads the folder at any moment: the file gets its name when it is whole.
    draft.rename(path)
