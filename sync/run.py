"""The night road: fetch -> decode -> check -> plan -> publish, one transaction per file."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa
from pyarrow import compute

from kernel import Clock, DataRefused, new_id
from replica import QUARANTINE, Delivery, Lake, Mode, Publication, RunRecord
from schemas import Dataset
from sync.errors import FileUnsettled
from sync.plan import Cursor, Facts, pending, plan_load
from sync.quality import violations
from sync.report import FileReport, Outcome, Progress, RunReport, Stage
from sync.sources.decoded import QUARANTINED, Decoded, Decoder
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
    progress: Callable[[Progress], None] | None = None,
) -> RunReport:
    """Load every file of a source that was not loaded before, in the order of their names.

    A file is known by its content, so the same one under another name loads nothing. The run stops at the first
    file that is refused: what comes after it may build on it. Nothing is stored of a refused file, and the
    next run tries it again.

    Raises SourceUnreachable when the source itself is not there, SourceMisfit, and what the lake raises.
    """
    begun = perf_counter()
    lake.prepare(dataset)
    run = _Run(spec, dataset, lake, clock, progress or (lambda _: None))
    connector, decoder = spec.connector.connect(), spec.decoder.decoder(dataset)
    last = lake.last_run(spec.name)
    cursor = Cursor.from_text(last.cursor if last else None)
    loaded = {past.content_sha256 for past in lake.runs(spec.name, ALL_RUNS)}
    offered = connector.offered()
    reports: list[FileReport] = []
    for file in pending(offered, cursor):
        started = perf_counter()
        try:
            sha256 = run.sha256(connector, file)
            if sha256 in loaded:
                continue
            report, position = run.load(connector, decoder, file, sha256, cursor, offered)
        except (DataRefused, FileUnsettled) as refusal:
            report = FileReport(file=file.name, outcome=Outcome.REFUSED, code=refusal.code, message=refusal.message)
        reports.append(replace(report, duration_s=perf_counter() - started))
        if report.outcome is Outcome.REFUSED:
            break
        loaded.add(sha256)
        cursor = cursor.after(file, sha256, position, offered)
    return RunReport(source=spec.name, dataset=dataset.id, files=tuple(reports), duration_s=perf_counter() - begun)


@dataclass(frozen=True, slots=True)
class _Run:
    spec: SourceSpec
    dataset: Dataset
    lake: Lake
    clock: Clock
    progress: Callable[[Progress], None]

    def sha256(self, connector: Connector, file: Offered) -> str:
        digest = hashlib.sha256()
        with connector.open(file) as stream:
            while block := stream.read(HASH_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def load(
        self,
        connector: Connector,
        decoder: Decoder,
        file: Offered,
        sha256: str,
        cursor: Cursor,
        offered: tuple[Offered, ...],
    ) -> tuple[FileReport, Mapping[str, str]]:
        """Load one file; gives its report and its place in the chain. Raises DataRefused and FileUnsettled."""
        started = self.clock.now()
        with connector.open(file) as stream:
            hashing = _Hashing(stream)
            decoded = decoder.decode(cast(BinaryIO, hashing), cursor.position, self._teller(file))
        if hashing.sha256() != sha256:
            raise FileUnsettled("the file changed while it was read", remedy="let the source be read again")
        decoded = hold_back(decoded, violations(decoded.rows, self.dataset), self.dataset.key)
        report = _counted(file, decoded)
        plan = plan_load(self.spec, self._facts(decoded))
        if plan.refusal is not None:
            refusal = plan.refusal
            return replace(report, outcome=Outcome.REFUSED, code=refusal.code, message=refusal.message), cursor.position
        self.progress(self._at(file, Stage.PUBLISHING, 0, decoded.rows.num_rows))
        record = RunRecord(
            run=new_id(),
            source=self.spec.name,
            mode=plan.mode,
            started=started,
            content_sha256=sha256,
            cursor=cursor.after(file, sha256, decoded.position, offered).to_text(),
            as_of=min(decoded.as_of or file.modified, started),
            lines_in=decoded.lines_in,
            lines_quarantined=decoded.quarantine.height,
            rows_in=decoded.rows_in,
            rows_quarantined=decoded.rows_quarantined,
        )
        delivery = Delivery(
            rows=decoded.rows,
            deletes=None,
            mode=plan.mode,
            quarantine=quarantine_table(decoded.quarantine, self.dataset, record, file.name),
            run=record,
        )
        publication = self.lake.publish(self.dataset, delivery)
        self.progress(self._at(file, Stage.PUBLISHING, decoded.rows.num_rows, decoded.rows.num_rows))
        return _published(report, publication, plan.warnings), decoded.position

    def _facts(self, decoded: Decoded) -> Facts:
        info = self.lake.info(self.dataset)
        vanished = 0
        if info is not None and self.spec.mode is Mode.FULL:
            key = self.dataset.key
            mirrored = pl.DataFrame(pl.from_arrow(self.lake.scan(self.dataset, columns=[key]).read_all()))
            present = pl.DataFrame(pl.from_arrow(decoded.rows.select([key])))
            vanished = mirrored.join(present, on=key, how="anti").height
        return Facts(
            rows_in=decoded.rows_in,
            rows_quarantined=decoded.rows_quarantined,
            lines_quarantined=decoded.quarantine.height,
            mirrored=info.rows if info else 0,
            vanished=vanished,
        )

    def _teller(self, file: Offered) -> Callable[[str, int], None]:
        done: Counter[str] = Counter()

        def tell(what: str, more: int) -> None:
            done[what] += more
            reading = what == "bytes"
            stage, total = (Stage.READING, file.size_bytes) if reading else (Stage.DECODING, None)
            self.progress(self._at(file, stage, done[what], total))

        return tell

    def _at(self, file: Offered, stage: Stage, done: int, total: int | None) -> Progress:
        return Progress(source=self.spec.name, file=file.name, stage=stage, done=done, total=total)


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


def hold_back(decoded: Decoded, broken: pl.DataFrame, key: str) -> Decoded:
    """Move rows that break a rule of the contract from `rows` to `quarantine`, with all lines they came from.

    broken   quality.VIOLATIONS, one per row
    """
    if broken.is_empty():
        return decoded
    lines = decoded.origin.join(broken, on="key").select(QUARANTINED.names())
    held = pa.array(broken["key"].to_list(), pa.string())
    keys = decoded.rows[key].cast(pa.string())
    rows = decoded.rows.filter(compute.invert(compute.is_in(keys, value_set=held)))
    return replace(
        decoded,
        rows=rows,
        origin=decoded.origin.join(broken, on="key", how="anti"),
        quarantine=pl.concat([decoded.quarantine, lines]).sort("line"),
        rows_quarantined=decoded.rows_in - rows.num_rows,
    )


def quarantine_table(lines: pl.DataFrame, dataset: Dataset, run: RunRecord, file: str) -> pa.Table:
    """Held-back lines as the lake stores them."""
    constant: dict[str, Any] = {
        "register": dataset.register,
        "dataset": dataset.name,
        "run": run.run,
        "source": run.source,
        "file": file,
        "at": run.started,
    }
    told = lines.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = [
        pa.repeat(pa.scalar(constant[field.name], field.type), lines.height)
        if field.name in constant
        else told[field.name].cast(field.type)
        for field in QUARANTINE
    ]
    return pa.table(columns, schema=QUARANTINE)


def _counted(file: Offered, decoded: Decoded) -> FileReport:
    return FileReport(
        file=file.name,
        outcome=Outcome.UNCHANGED,
        lines_in=decoded.lines_in,
        lines_envelope=decoded.lines_envelope,
        lines_passed=decoded.origin.height,
        lines_quarantined=decoded.quarantine.height,
        rows_in=decoded.rows_in,
        rows_quarantined=decoded.rows_quarantined,
        reasons=dict(decoded.quarantine.group_by("rule").len().sort("rule").iter_rows()),
        warnings=decoded.warnings,
    )


def _published(report: FileReport, publication: Publication, warnings: tuple[str, ...]) -> FileReport:
    return replace(
        report,
        outcome=Outcome.PUBLISHED if publication.changed else Outcome.UNCHANGED,
        snapshot=publication.snapshot,
        inserted=publication.inserted,
        updated=publication.updated,
        unchanged=publication.unchanged,
        deleted=publication.deleted,
        warnings=report.warnings + warnings,
    )
