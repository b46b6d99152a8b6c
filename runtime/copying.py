"""A consumer's copy beside the platform's digests: what differs, and mending just that.

The copy is an NDJSON extract, or what deltas have made of one: a row on each line, sorted by key. It is read once, line
by line, beside the answer; a mended copy is written beside the old one and takes its place when it is whole.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson

from kernel import OperatorMistake
from runtime.client import ExtractDamaged, checked


class CopyUnreadable(OperatorMistake):
    code = "copy_unreadable"
    title = "The copy cannot be read"


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
    columns   as in the copy; None for all that the agreement covers
    """

    http: httpx2.Client
    service: str
    columns: Sequence[str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def check(self, path: Path, *, repair: bool = False, part_rows: int = 2_000) -> Proof:
        """Compare the copy in `path`; with `repair`, mend it. Raises CopyUnreadable, ExtractDamaged, Refused."""
        body = self._body() | {"part_rows": part_rows}
        address = f"/v1/services/{self.service}/copy/proof"
        draft = path.with_name(f".{path.name}.mended")
        with (
            self.http.stream("POST", address, json=body, headers=dict(self.headers), timeout=600.0) as answer,
            path.open("rb") as copy,
            draft.open("wb") as mended,
        ):
            checked(answer)
            proof = Proof(int(answer.headers["knudepunkt-snapshot"]), answer.headers.get("knudepunkt-cursor"))
            own = _Lines(copy, answer.headers["knudepunkt-key"])
            ended = False
            for told in (orjson.loads(line) for line in answer.iter_lines() if line):
                if told.get("end"):
                    ended, proof.rows = True, told["rows"]
                    break
                lines = self._part(told, own.before(told["high"]), proof, repair=repair)
                mended.writelines(lines)
        if not ended:
            draft.unlink()
            raise ExtractDamaged("the digests were cut", remedy="check again; the copy is as it was")
        if repair and proof.differing:
            draft.replace(path)
        else:
            draft.unlink()
        return proof

    def _part(self, told: Mapping[str, Any], lines: list[bytes], proof: Proof, *, repair: bool) -> list[bytes]:
        proof.parts += 1
        if len(lines) == told["rows"] and hashlib.sha256(b"".join(lines)).hexdigest() == told["sha256"]:
            return lines
        proof.differing += 1
        if not repair:
            return []
        body = self._body() | {"low": told["low"], "high": told["high"], "snapshot": proof.snapshot}
        address = f"/v1/services/{self.service}/copy/rows"
        text = checked(self.http.post(address, json=body, headers=dict(self.headers), timeout=600.0)).content
        if hashlib.sha256(text).hexdigest() != told["sha256"]:
            raise ExtractDamaged("rows that were fetched anew are not those of the digest", remedy="check again")
        proof.fetched += told["rows"]
        return [text]

    def _body(self) -> dict[str, Any]:
        return {} if self.columns is None else {"columns": list(self.columns)}


_NEWLINE: Final = b"\n"


class _Lines:
    """The lines of a copy, taken range by range."""

    def __init__(self, lines: Iterator[bytes], key: str) -> None:
        self._lines, self._key = lines, key
        self._held: tuple[bytes, bytes] | None = None
        self._last, self._number = b"", 0

    def before(self, high: str | None) -> list[bytes]:
        """Those that come next and whose keys are before `high`; None for all that are left."""
        limit = None if high is None else high.encode()
        found: list[bytes] = []
        while (each := self._held or self._next()) is not None:
            if limit is not None and each[0] >= limit:
                self._held = each
                return found
            self._held = None
            found.append(each[1])
        return found

    def _next(self) -> tuple[bytes, bytes] | None:
        """Key and line. Raises CopyUnreadable, naming the line and not what stands in it."""
        line = next(self._lines, None)
        if line is None:
            return None
        self._number += 1
        try:
            key = orjson.loads(line)[self._key].encode()
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CopyUnreadable(
                f"line {self._number} of the copy is no row with {self._key}",
                remedy="the copy must be an NDJSON extract; fetch it anew when it is damaged beyond reading",
            ) from None
        if key <= self._last:
            raise CopyUnreadable(
                f"line {self._number} of the copy is not in the order of {self._key}",
                remedy=f"sort it by {self._key}, each key once",
            )
        self._last = key
        return key, line if line.endswith(_NEWLINE) else line + _NEWLINE
