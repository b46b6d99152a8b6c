"""What the tests of sync share: the shipped contracts, a small delivery, the real one where it is at hand."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kernel import DatasetId
from schemas import SHIPPED, Dataset, load_registers
from sync.testdata import generate

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures" / "testdata"


def real_data(*names: str) -> Path:
    """A file of the registers' own test material; skips the test where it is not at hand."""
    folder = Path(os.environ.get("KNUDEPUNKT_REAL_DATA", ROOT.parent / "shared" / "data"))
    path = folder.joinpath(*names)
    if not path.exists():
        pytest.skip(f"{'/'.join(names)} is not at hand; KNUDEPUNKT_REAL_DATA names its folder")
    return path


@pytest.fixture(scope="session")
def persons() -> Dataset:
    return load_registers(SHIPPED).dataset(DatasetId("cpr.persons"))


@pytest.fixture(scope="session")
def municipalities() -> Dataset:
    return load_registers(SHIPPED).dataset(DatasetId("municipality.municipalities"))


@pytest.fixture(scope="session")
def small() -> bytes:
    """A hundred families, every case once."""
    return b"".join(generate(400, 1))


class FixedClock:
    def __init__(self, now: datetime = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time
