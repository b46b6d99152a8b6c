"""The decoder of CPR's deliveries: fixed-width records in, one nested row per person, road or authority out.

Lines are held back one by one with a rule and a reason, and never dropped:

line_cut                    ends before or within a field that must be there (or within type or number)
line_overlong               goes on past the length of its record
wrong_type, value_missing   a field is not what its type says, or is blank where it may not be
date_impossible             month 13, day 32, 30 February
unknown_record              a record type that the layout does not have: kept here, and counted in a warning
error_record                the register's own word about an order, after the end record
personal_number_malformed   the number at 4+10 is not ten digits (`number_malformed` in the other registers)
after_end                   stands after the end record
record_repeated             more of a record than a person can have
person_incomplete           the person lacks a record that everyone has
person_held_back            sound, but something else about its person is not

The last one is a matter of privacy. A person with a broken line is not published from that delivery: without
its protection record, say, it would show an address that must stay hidden. Its former version stays in the
mirror. A line whose own number cannot be read could belong to anyone whose number agrees with the digits that
can; all of these are held back. A record of an unknown type holds back only itself, since CPR may add types.

A delivery is read twice: once as it comes, when its lines go to disk sorted by number, and then part by part. So
memory is bounded by `lines_at_once`, whatever the size of the delivery: about 350 MB with the default.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl
import pyarrow as pa
from pyarrow import ipc

from kernel import COPENHAGEN
from sync.errors import DeliveryUnreadable, SourceMisfit
from sync.sources.cpr.cut import cut_blocks
from sync.sources.cpr.envelope import Envelope, ensure_chain
from sync.sources.cpr.layout import END, ERROR, TYPE_LENGTH, Layout, load_layout
from sync.sources.cpr.owners import Owners
from sync.sources.cpr.persons import decode_persons
from sync.sources.cpr.schema import row_schema
from sync.sources.cpr.spill import Spill
from sync.sources.cpr.watch import Watched
from sync.sources.decoded import ORIGIN, QUARANTINED, Decoded, Tell
from sync.sources.lines import line_blocks

LINES_AT_ONCE = 300_000
"""Of one part: some 23,000 persons."""
PARTS_AT_ONCE = 2
"""Much of the work on a part is done by one thread at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a source delivers.

    encoding       Python's name of it
    separated      False: no line separators, records are cut by their declared lengths
    enveloped      False: an excerpt without start and end record
    strict         a wrong count in the end record refuses the delivery
    strict_chain   a delivery that does not follow on the last one loaded is refused, else it is a warning
    """

    encoding: str = "iso-8859-1"
    separated: bool = True
    enveloped: bool = True
    strict: bool = True
    strict_chain: bool = False


class CprDecoder:
    """Decodes deliveries of one layout into rows of one Arrow schema.

    Raises SourceMisfit when the layout's row and the schema do not list the same columns.
    """

    def __init__(
        self, layout: Layout, schema: pa.Schema, manner: Manner | None = None, *, lines_at_once: int = LINES_AT_ONCE
    ) -> None:
        whole = row_schema(load_layout(layout.row))
        if differing := sorted(set(schema.names) ^ set(whole)):
            raise SourceMisfit(
                f"contract and layout {layout.name} differ in the columns {', '.join(differing)}",
                remedy="let the contract list the columns of the layout",
            )
        self.layout, self.schema, self.manner = layout, schema, manner or Manner()
        self.lines_at_once = lines_at_once

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:
        envelope = Envelope(self.layout, enveloped=self.manner.enveloped)
        owners = Owners(self.layout)
        spill = Spill(work)
        errors = [QUARANTINED.to_frame()]
        watched = Watched(stream)
        try:
            for block in self._blocks(cast(BinaryIO, watched), tell):
                inside = envelope.take(block)
                errors.append(inside.errors)
                spill.add(owners.give_out(inside), int(block["text"].str.len_bytes().sum()))
        except UnicodeDecodeError:
            raise DeliveryUnreadable(
                f"the file is not {self.manner.encoding}", remedy="set the encoding of the source"
            ) from None
        spill.close_run()
        warnings = envelope.close(strict=self.manner.strict) + owners.warnings()
        start = envelope.start
        if start is not None:
            warnings += ensure_chain(start, former, strict=self.manner.strict_chain)
        rows = _Rows(work / "rows.arrow", self.schema)
        quarantine = [*errors, owners.stray()]
        subjects = 0
        for part in self._decoded(spill.parts(self.lines_at_once), owners, watched.control):
            rows.add(part.rows)
            quarantine.append(part.quarantine)
            subjects += part.subjects
            tell("rows", part.subjects)
        held_back = pl.concat(quarantine).sort("line")
        passed = envelope.lines_in - envelope.lines - held_back.height
        published = rows.mapped()
        return Decoded(
            rows=published,
            origin=_Passed(spill, self._numbers, passed, held_back.select("line")),
            frame=envelope.text,
            quarantine=held_back,
            # The register's day is over when it delivers: the rows are as of the end of the production date.
            as_of=datetime.combine(start.produced + timedelta(days=1), time(), COPENHAGEN) if start else None,
            position={"job": start.job, "produced": start.produced.isoformat()} if start else {},
            lines_in=envelope.lines_in,
            lines_envelope=envelope.lines,
            rows_in=subjects,
            rows_quarantined=subjects - published.num_rows,
            warnings=warnings,
        )

    def again(self, frame: str, lines: Sequence[str]) -> bytes:
        if not self.manner.enveloped:
            return self._joined(lines)
        # Error records keep their place after the end: anywhere else they are not known as such.
        errors = [line for line in lines if line.startswith(ERROR)]
        inside = [line for line in lines if not line.startswith(ERROR)]
        counter = next(each for each in self.layout.records[END].fields if each.name == "TAELLER")
        end = END.ljust(counter.start - 1, "9") + f"{len(inside):0{counter.length}}"
        return self._joined([frame, *inside, end, *errors])

    def _blocks(self, stream: BinaryIO, tell: Tell) -> Iterator[pl.DataFrame]:
        blocks = (
            line_blocks(stream, self.manner.encoding, tell)
            if self.manner.separated
            else cut_blocks(stream, self.manner.encoding, self.layout, tell)
        )
        return (block for block in blocks if block.height)

    def _decoded(self, parts: Iterable[pl.DataFrame], owners: Owners, control: bool) -> Iterator["_Part"]:
        """Parts decoded side by side, in their order."""
        with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
            waiting: deque[Future[_Part]] = deque()
            for lines in parts:
                waiting.append(pool.submit(self._part, lines, owners, control))
                if len(waiting) == PARTS_AT_ONCE:
                    yield waiting.popleft().result()
            for part in waiting:
                yield part.result()

    def _part(self, lines: pl.DataFrame, owners: Owners, control: bool) -> "_Part":
        numbers = self._numbers(lines["key"].unique(maintain_order=True))
        owned = lines.with_columns(person=pl.col("key").rle_id())
        persons = decode_persons(self.layout, self.schema, numbers, owned, owners.held(numbers), control)
        quarantine = persons.faults.join(lines, on="line").select(QUARANTINED.names())
        return _Part(to_arrow(persons.rows, self.schema), quarantine, numbers.len())

    def _numbers(self, keys: pl.Series) -> pl.Series:
        """Keys as they are written, with their leading zeros."""
        return keys.cast(pl.String).str.zfill(self.layout.key_length)

    def _joined(self, lines: Sequence[str]) -> bytes:
        if self.manner.separated:
            return "\n".join([*lines, ""]).encode(self.manner.encoding)
        lengths = {record.type: record.length for record in self.layout.records.values()}
        return "".join(line.ljust(lengths[line[:TYPE_LENGTH]]) for line in lines).encode(self.manner.encoding)


def to_arrow(rows: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """Polars rows in exactly the Arrow schema of a dataset."""
    return rows.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


@dataclass(frozen=True, slots=True)
class _Part:
    rows: pa.Table
    quarantine: pl.DataFrame
    subjects: int


class _Rows:
    """Rows written to a file one part after the other, to be mapped at the end."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._file = pa.OSFile(str(path), "wb")
        self._writer = ipc.new_file(self._file, schema)

    def add(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def mapped(self) -> pa.Table:
        self._writer.close()
        self._file.close()
        with pa.memory_map(str(self._path)) as file:
            return ipc.open_file(file).read_all()


@dataclass(frozen=True, slots=True)
class _Passed:
    """An Origin: the lines on disk but for those that were held back.

    numbers   keys as they are written
    held      line: numbers of lines that are in the quarantine
    """

    spill: Spill
    numbers: Callable[[pl.Series], pl.Series]
    height: int
    held: pl.DataFrame

    def lines(self, keys: pl.Series) -> pl.DataFrame:
        lines = self.spill.lines(keys.cast(pl.UInt64)).join(self.held, on="line", how="anti")
        return lines.with_columns(self.numbers(lines["key"])).select(ORIGIN.names())
