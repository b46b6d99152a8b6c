"""A consumer's copy beside the platform's digests: what differs, and mending just that.

The copy is an extract, or what deltas have made of one, in any form that rows are handed out in but XML and the
register's lines. It is read batch by batch beside the answer, and a second time, sorted on disk, where it is not in the
order of its keys. A mended copy is written beside the old one and takes its place when it is whole.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pyarrow as pa

from runtime.client import ExtractDamaged, checked
from runtime.copy_draft import replacing
from runtime.copy_file import CopyUnreadable, File
from runtime.copy_forms import Form, form_of, names_of
from runtime.copy_order import NotSorted, Ranges, in_order


@dataclass(slots=True)
class Proof:
    """parts       that were compared
    differing   parts whose rows are not what they should be
    rows        that there should be
    fetched     rows that were fetched anew
    cursor      where the copy stands when it is, or was made, right
    """

    snapshot: int
    cursor: str | None
    parts: int = 0
    differing: int = 0
    rows: int = 0
    fetched: int = 0

    @property
    def right(self) -> bool:
        return not self.differing


@dataclass(frozen=True, slots=True)
class Copy:
    """http      a client of the platform
    service   an extract service
    columns   as in the copy; None for those that it names itself, or all that the agreement covers
    tell      is told of each part that was compared
    """

    http: httpx2.Client
    service: str
    columns: Sequence[str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tell: Callable[[Proof], None] = lambda _: None

    def check(self, path: Path, *, repair: bool = False, part_rows: int = 2_000) -> Proof:
        """Compare the copy in `path`; with `repair`, mend it, in the form that it has. Raises CopyUnreadable,
        ExtractDamaged, Refused.
        """
        file = File.seen(path)
        columns = names_of(file) if self.columns is None else list(self.columns)
        body: dict[str, Any] = {} if columns is None else {"columns": columns}
        key, shown = self._shown(body)
        form = form_of(file, key, shown)
        ensure_same(names_of(file), shown)
        try:
            return self._checked(form, Ranges(form.batches(), key), body, repair=repair, part_rows=part_rows)
        except NotSorted:
            ordered = Ranges(in_order(form.batches(), key, path.parent), key)
            return self._checked(form, ordered, body, repair=repair, part_rows=part_rows)

    def _checked(self, form: Form, own: Ranges, body: dict[str, Any], *, repair: bool, part_rows: int) -> Proof:
        address = f"/v1/services/{self.service}/copy/proof"
        asked = body | {"part_rows": part_rows}
        with self.http.stream("POST", address, json=asked, headers=dict(self.headers), timeout=600.0) as answer:
            checked(answer)
            proof = Proof(int(answer.headers["knudepunkt-snapshot"]), answer.headers.get("knudepunkt-cursor"))
            told = (orjson.loads(line) for line in answer.iter_lines() if line)
            batches = self._compared(told, form, own, proof, body, repair=repair)
            if not repair:
                for _ in batches:
                    pass
                return proof
            with replacing(form.file.path) as draft:
                for piece in form.written(batches):
                    draft.write(piece)
                if not proof.differing:
                    draft.abandon()
        return proof

    def _compared(
        self, told: Iterator[Any], form: Form, own: Ranges, proof: Proof, body: dict[str, Any], *, repair: bool
    ) -> Iterator[pa.RecordBatch]:
        """What the copy should be, as it is compared."""
        for part in told:
            if part.get("end"):
                proof.rows = part["rows"]
                return
            found = own.before(part["high"], part["rows"])
            proof.parts += 1
            if _is(part, form, found):
                yield from found
            else:
                proof.differing += 1
                if repair:
                    yield from self._fetched(part, form, proof, body)
            self.tell(proof)
        raise ExtractDamaged("the digests were cut", remedy="check again; the copy is as it was")

    def _fetched(
        self, part: Mapping[str, Any], form: Form, proof: Proof, body: dict[str, Any]
    ) -> Iterator[pa.RecordBatch]:
        if not part["rows"]:
            return
        bounds = {"low": part["low"], "high": part["high"], "snapshot": proof.snapshot}
        batch = form.taken(self._rows(body | bounds).content)
        if not _is(part, form, [batch]):
            raise ExtractDamaged("rows that were fetched anew are not those of the digest", remedy="check again")
        proof.fetched += batch.num_rows
        yield batch

    def _shown(self, body: dict[str, Any]) -> tuple[str, pa.Schema]:
        """The key, and the columns as the platform has them: those of no rows."""
        answer = self._rows(body | {"low": "", "high": ""})
        with pa.ipc.open_stream(answer.content) as reader:
            return answer.headers["knudepunkt-key"], reader.schema

    def _rows(self, body: dict[str, Any]) -> httpx2.Response:
        address = f"/v1/services/{self.service}/copy/rows"
        asked = body | {"format": "arrow"}
        return checked(self.http.post(address, json=asked, headers=dict(self.headers), timeout=600.0))


def ensure_same(names: Sequence[str] | None, shown: pa.Schema) -> None:
    """Raises CopyUnreadable where a copy lacks a column, or has one more."""
    if names is None or sorted(names) == sorted(shown.names):
        return
    missing = sorted(set(shown.names) - set(names))
    raise CopyUnreadable(
        f"the copy lacks {', '.join(missing)}" if missing else "the copy has columns that were not asked for",
        remedy="name the copy's columns with --columns, or leave them out for those in its head",
    )


def _is(part: Mapping[str, Any], form: Form, batches: Sequence[pa.RecordBatch]) -> bool:
    if sum(batch.num_rows for batch in batches) != part["rows"]:
        return False
    digest = hashlib.sha256()
    for batch in batches:
        digest.update(form.text(batch))
    return digest.hexdigest() == str(part["sha256"])
