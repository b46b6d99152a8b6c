"""The night road: fetch -> decode -> check -> plan -> publish, one transaction per file."""

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import BinaryIO, cast

from kernel import Clock, DataRefused
from replica import Lake, Mode
from schemas import Dataset
from sync.errors import FileUnsettled
from sync.load import Load, Origin
from sync.plan import Cursor, pending
from sync.report import FileReport, Outcome, Progress, RunReport, Stage
from sync.sources.decoded import Decoded, Decoder
from sync.sources.port import Connector, Offered
from sync.spec import SourceSpec

HASH_BLOCK_BYTES = 1024 * 1024
ALL_RUNS = 1_000_000


def run_source(
    spec: SourceSpec,
    dataset: Dataset,
    lake: Lake,
    *,
    clock: Clock,
    work: Path,
    accept: bool = False,
    fictitious_only: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> RunReport:
    """Load every file of a source that was not loaded before, in the order of their names.

    A file is known by its content, so the same one under another name loads nothing; of a source that is whole each
    time, only the last one counts. The run stops at the first
    file that is refused: what comes after it may build on it. Nothing is stored of a refused file, and the
    next run tries it again.

    work     a folder for what does not fit in memory; it holds personal data while the run lasts
    accept   publish although the source shrank, changed or broke rules beyond its set share
    fictitious_only   of datasets with personal data, refuse what is not known to be invented (a test environment)

    Raises SourceUnreachable when the source itself is not there, SourceMisfit, and what the lake raises.
    """
    begun = perf_counter()
    lake.prepare(dataset)
    decoder = spec.decoder.decoder(dataset)
    load = Load(
        spec=spec, dataset=dataset, lake=lake, clock=clock, progress=progress or (lambda _: None), accept=accept,
        fictitious_only=fictitious_only,
    )  # fmt: skip
    last = lake.last_run(spec.name)
    cursor = Cursor.from_text(last.cursor if last else None)
    # A source that is whole each time may come back to what it was: only what it said last says nothing new.
    loaded = {past.content_sha256 for past in lake.runs(spec.name, 1 if spec.mode is Mode.FULL else ALL_RUNS)}
    reports: list[FileReport] = []
    with private_folder(work, spec.name) as private, spec.connector.connect(private) as connector:
        run = _Run(load, connector, decoder, private)
        offered = connector.offered(cursor.connector)
        for file in pending(offered, cursor):
            started = perf_counter()
            try:
                sha256 = run.sha256(file)
                if sha256 in loaded:
                    continue
                report, cursor = run.file(file, sha256, cursor, offered)
            except (DataRefused, FileUnsettled) as refusal:
                report = FileReport(file=file.name, outcome=Outcome.REFUSED).refused(refusal)
            reports.append(replace(report, duration_s=perf_counter() - started))
            if report.outcome is Outcome.REFUSED:
                break
            loaded = {sha256} if spec.mode is Mode.FULL else loaded | {sha256}
    return RunReport(source=spec.name, dataset=dataset.id, files=tuple(reports), duration_s=perf_counter() - begun)


@contextmanager
def private_folder(work: Path, name: str) -> Iterator[Path]:
    """A folder of one run. What a killed run left is removed first: the lake has one writer, so none is alive."""
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Run:
    load: Load
    connector: Connector
    decoder: Decoder
    work: Path

    def sha256(self, file: Offered) -> str:
        digest = hashlib.sha256()
        with self.connector.open(file) as stream:
            while block := stream.read(HASH_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def file(
        self, file: Offered, sha256: str, cursor: Cursor, offered: tuple[Offered, ...]
    ) -> tuple[FileReport, Cursor]:
        """Load one file; gives its report and the cursor after it. Raises DataRefused and FileUnsettled."""
        started = self.load.clock.now()
        with tempfile.TemporaryDirectory(dir=self.work) as spill:
            decoded = self._decode(file, sha256, cursor.position, Path(spill))
            after = cursor.after(file, sha256, decoded.position, offered)
            origin = Origin(file=file.name, sha256=sha256, cursor=after.to_text(), started=started, as_of=file.modified)
            report = self.load.publish(decoded, origin)
        return report, cursor if report.outcome is Outcome.REFUSED else after

    def _decode(self, file: Offered, sha256: str, former: Mapping[str, str], spill: Path) -> Decoded:
        with self.connector.open(file) as stream:
            hashing = _Hashing(stream)
            decoded = self.decoder.decode(cast(BinaryIO, hashing), former, self._teller(file), spill)
        if hashing.sha256() != sha256:
            raise FileUnsettled("the file changed while it was read", remedy="let the source be read again")
        return decoded

    def _teller(self, file: Offered) -> Callable[[str, int], None]:
        done: Counter[str] = Counter()

        def tell(what: str, more: int) -> None:
            done[what] += more
            reading = what == "bytes"
            stage, total = (Stage.READING, file.size_bytes) if reading else (Stage.DECODING, None)
            source = self.load.spec.name
            self.load.progress(Progress(source=source, file=file.name, stage=stage, done=done[what], total=total))

        return tell


class _Hashing:
    """A stream that remembers the SHA-256 of what was read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._digest = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._digest.update(block)
        return block

    def sha256(self) -> str:
        return self._digest.hexdigest()
