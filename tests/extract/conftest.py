"""A store over a table that a test holds, and a counter of how often it was read."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest

from extract import ExtractPlan, ExtractStore
from tests.extract.builders import residents


@dataclass
class Source:
    """Where a store's rows come from.

    gate      a read waits here before each batch after the first, when it is closed
    failing   a read fails after its first batch
    """

    table: pa.Table
    batch_rows: int = 1_000
    reads: int = 0
    failing: bool = False
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def scan(self, plan: ExtractPlan) -> pa.RecordBatchReader:
        self.reads += 1
        chosen = self.table.select(plan.columns)

        def batches() -> Iterator[pa.RecordBatch]:
            for number, batch in enumerate(chosen.to_batches(max_chunksize=self.batch_rows)):
                if number:
                    self.gate.wait(120)
                    if self.failing:
                        raise OSError("the disk of the lake is gone")
                yield batch

        return pa.RecordBatchReader.from_batches(chosen.schema, batches())


@pytest.fixture
def source() -> Source:
    return Source(residents(20_000).combine_chunks())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "extracts" / "files"


@pytest.fixture
def store(folder: Path, source: Source) -> Iterator[ExtractStore]:
    with ExtractStore(folder, source.scan) as store:
        yield store
        source.gate.set()
