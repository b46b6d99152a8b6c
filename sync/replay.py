"""The quarantine's replay: held-back lines are read again, by the rules as they are now.

A contract, a code list or a decoder was mended, and what was held back for it may pass. The lines of a run are one
delivery; it is published as a change (never as a whole, which would delete the rest), in one transaction with their
leaving the quarantine. What still breaks a rule stays there.

A line is obsolete when its row came anew since: what came later is right. It leaves the quarantine unpublished.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import polars as pl

from kernel import Clock, DataRefused
from replica import HistoryExpired, Lake, Mode, RunSummary
from schemas import Dataset
from sync.load import Load, Origin
from sync.quarantine import without
from sync.report import FileReport, Outcome, Progress, RunReport
from sync.run import ALL_RUNS, private_folder
from sync.sources.decoded import Decoder
from sync.spec import SourceSpec


def replay_quarantine(
    spec: SourceSpec,
    dataset: Dataset,
    lake: Lake,
    *,
    clock: Clock,
    work: Path,
    fictitious_only: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> RunReport:
    """Try all held-back lines of a source again, oldest run first."""
    begun = perf_counter()
    mode = Mode.APPEND if spec.mode is Mode.APPEND else Mode.DELTA
    # Rows that stay held back are no reason against those that pass now.
    load = Load(
        spec=replace(spec, mode=mode, max_quarantine_share=1.0),
        dataset=dataset, lake=lake, clock=clock, progress=progress or (lambda _: None), accept=True,
        fictitious_only=fictitious_only,
    )  # fmt: skip
    decoder = spec.decoder.decoder(dataset)
    reports: list[FileReport] = []
    with private_folder(work, spec.name) as private:
        for past, held in _held(spec, dataset, lake):
            with tempfile.TemporaryDirectory(dir=private) as spill:
                reports.append(_replay(load, decoder, past, held, Path(spill)))
    return RunReport(source=spec.name, dataset=dataset.id, files=tuple(reports), duration_s=perf_counter() - begun)


def _held(spec: SourceSpec, dataset: Dataset, lake: Lake) -> Iterator[tuple[RunSummary, pl.DataFrame]]:
    """Past runs that held lines back, oldest first, with the lines."""
    held = pl.DataFrame(pl.from_arrow(lake.quarantined(dataset)))
    for past in sorted(lake.runs(spec.name, ALL_RUNS), key=lambda run: (run.finished, run.run)):
        lines = held.filter(pl.col("run") == past.run)
        if not lines.is_empty():
            yield past, lines


def _replay(load: Load, decoder: Decoder, past: RunSummary, held: pl.DataFrame, spill: Path) -> FileReport:
    started = perf_counter()
    file = held["file"][0]
    now = load.clock.now()
    last = load.lake.last_run(load.spec.name)
    content = decoder.again(held["frame"][0], held.sort("line")["text"].to_list())
    try:
        decoded = decoder.decode(io.BytesIO(content), {}, lambda _what, _more: None, spill)
        obsolete = _came_anew(load.lake, load.dataset, past)
        decoded = without(decoded, obsolete, load.dataset.key)
        origin = Origin(
            file=file, sha256=hashlib.sha256(content).hexdigest(), cursor=last.cursor if last else past.cursor,
            started=now, as_of=last.as_of if last else past.as_of, settles=past.run,
        )  # fmt: skip
        report = load.publish(replace(decoded, as_of=None), origin)
    except (DataRefused, HistoryExpired) as refusal:
        report = FileReport(file=file, outcome=Outcome.REFUSED).refused(refusal)
    return replace(report, duration_s=perf_counter() - started)


def _came_anew(lake: Lake, dataset: Dataset, past: RunSummary) -> pl.Series:
    """Keys of rows that were published after a run. Raises HistoryExpired when that is not known any more."""
    info = lake.info(dataset)
    if info is None or info.snapshot <= past.snapshot:
        return pl.Series("key", [], pl.String)
    changed = lake.changes(dataset, past.snapshot, info.snapshot)
    return pl.Series("key", pl.from_arrow(changed[dataset.key])).cast(pl.String)
