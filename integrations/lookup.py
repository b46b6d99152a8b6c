"""The replica road of one lookup: limits, keys, columns, rows, protection. Pure but for the reader."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Protocol

from integrations.errors import KeyInvalid, TooManyKeys
from integrations.projection import Row, project
from kernel import COPENHAGEN, Call, Grant
from replica import SnapshotInfo
from schemas import Dataset

LONGEST_KEY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupAnswer:
    """found      key -> record, in the order asked; a key asked for twice is answered once
    withheld   key -> columns that are null because the person is protected; only for such keys
    missing    keys without a record that the agreement shows, in the order asked
    info       the one snapshot that everything was read from
    """

    found: dict[str, Row]
    withheld: dict[str, tuple[str, ...]]
    missing: tuple[str, ...]
    info: SnapshotInfo


class RecordReader(Protocol):
    """Reads records of one dataset, all from one snapshot: the newest from segments, an older one from the lake."""

    def get_many(
        self, keys: Sequence[str], columns: tuple[str, ...] | None = None
    ) -> tuple[Mapping[str, Row], SnapshotInfo]:
        """The rows that there are by key, and the snapshot that they were read from."""
        ...


def lookup(
    call: Call, keys: Sequence[str], grant: Grant, dataset: Dataset, reader: RecordReader, today: date
) -> LookupAnswer:
    """Look `keys` up for `call` under `grant`; protection is judged on the day `today` (in Copenhagen).

    A row outside the grant's rows is missing, as if it did not exist. Raises TooManyKeys, KeyInvalid, ColumnUnknown,
    ColumnsNotCovered.
    """
    ensure_within_limits(len(keys), grant)
    ensure_shaped(keys, dataset)
    projection = project(dataset, grant, call.columns)
    rows, info = reader.get_many(keys, projection.read)
    found: dict[str, Row] = {}
    withheld: dict[str, tuple[str, ...]] = {}
    rule = dataset.protection
    for key, row in rows.items():
        if projection.scope and not projection.admits(row):
            continue
        # Without a rule, what is classified as protected is withheld from everybody who may not see it.
        protected = bool(projection.withheld) and (rule is None or rule.active(row, today))
        found[key] = projection.of(row, protected=protected)
        if protected:
            withheld[key] = projection.withheld
    missing = tuple(key for key in dict.fromkeys(keys) if key not in found) if len(found) < len(keys) else ()
    return LookupAnswer(found=found, withheld=withheld, missing=missing, info=info)


def today_of(call: Call) -> date:
    """The day in Copenhagen on which protection is judged."""
    return call.received.astimezone(COPENHAGEN).date()


def ensure_within_limits(keys: int, grant: Grant) -> None:
    """Raises TooManyKeys when one call asks about more keys than the agreement lets it."""
    most = grant.limits.keys_per_call
    if keys > most:
        raise TooManyKeys(
            f"{keys} keys in one call, and the agreement allows {most}",
            remedy=f"ask for at most {most} keys at a time; for a whole dataset, use its extract service",
            rule="agreement.limits.keys_per_call",
            owner=f"municipality {grant.municipality_cvr}",
            left=most,
            ends=grant.valid.end,
        )


def ensure_shaped(keys: Sequence[str], dataset: Dataset) -> None:
    """Raises KeyInvalid for a key without the shape that the contract gives keys."""
    shape = _shape(dataset.column(dataset.key).pattern)
    for number, key in enumerate(keys):
        if not shape.fullmatch(key):
            raise KeyInvalid(
                f"key {number + 1} of {len(keys)} does not have the shape of {dataset.id}.{dataset.key}",
                remedy=f"write it as {shape.pattern}, without blanks or separators",
                rule=f"{dataset.id}.{dataset.key}.pattern",
            )


@cache
def _shape(pattern: str | None) -> re.Pattern[str]:
    # ASCII, since \d in a contract means the ten digits, as it does in JSON Schema.
    return re.compile(pattern or rf"[^\x00-\x1f\x7f]{{1,{LONGEST_KEY}}}", re.ASCII)
