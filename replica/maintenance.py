"""Upkeep of the mirror: what is no longer needed is forgotten, small files are merged, and the disk is given back.

Runs under the writer's lock with no writing transaction open: DuckLake forgets what an older one relies on when
snapshots expire beside it (duckdb/ducklake#1472). Files go only when everybody has finished who began to read before
they were replaced. (DuckLake's own `older_than` of the clean-up takes younger files too: duckdb 1.5.5.)
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb

from replica.pins import Pins
from replica.queries import query
from replica.settings import ReplicaSettings

MERGED_BELOW_BYTES: Final = 32 * 1024 * 1024
"""Files of this size are not merged further: a night's upkeep must not copy the register."""
DELETED_SHARE: Final = 0.5
"""A file is rewritten when so much of it is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What maintenance did, or would do; counts.

    snapshots_kept     of those left, how many somebody reads although their time is over
    files_compacted    small or hollow files that were replaced by `files_made`; None when that was not tried
    files_removed      from the disk: replaced ones, and those of expired snapshots
    orphans_removed    from the disk: files that no snapshot knows, left by a process that died
    files_waiting      can go when those who read now have finished
    quarantine_removed   held-back lines whose time is over
    """

    snapshots_expired: int
    snapshots_kept: int
    snapshots_left: int
    files_compacted: int | None
    files_made: int | None
    files_removed: int
    orphans_removed: int
    files_waiting: int
    quarantine_removed: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def maintain(cursor: duckdb.DuckDBPyConnection, pins: Pins, settings: ReplicaSettings, now: datetime) -> Upkeep:
    """Do all of it. The caller holds the writer's lock and has no transaction open."""
    quarantine = _over(cursor, settings, now)
    if quarantine:
        cursor.execute(query("forget_quarantine"), {"before": _before(settings.quarantine_days, now)})
    compacted = _compacted(cursor)
    with pins.closed() as held:
        expired, kept = _expirable(cursor, held, settings, now)
        if expired:
            cursor.execute(query("expire"), {"snapshots": expired}).fetchall()
    free = pins.outlive(settings.reader_patience_s)
    waiting = _files(cursor, "old_files")
    orphans = _files(cursor, "orphans")
    if free and waiting:
        cursor.execute(query("remove_old_files")).fetchall()
    if orphans:
        # Nobody reads what no snapshot knows, and nobody but us writes.
        cursor.execute(query("remove_orphans")).fetchall()
    return Upkeep(
        snapshots_expired=len(expired),
        snapshots_kept=kept,
        snapshots_left=_number(cursor, "snapshot_count"),
        files_compacted=compacted[0],
        files_made=compacted[1],
        files_removed=waiting if free else 0,
        orphans_removed=orphans,
        files_waiting=0 if free else waiting,
        quarantine_removed=quarantine,
    )


def foreseen(cursor: duckdb.DuckDBPyConnection, pins: Pins, settings: ReplicaSettings, now: datetime) -> Upkeep:
    """What `maintain` would do, without doing it. What compaction and expiry would free cannot be known before."""
    with pins.closed() as held:
        expired, kept = _expirable(cursor, held, settings, now)
    return Upkeep(
        snapshots_expired=len(expired),
        snapshots_kept=kept,
        snapshots_left=_number(cursor, "snapshot_count") - len(expired),
        files_compacted=None,
        files_made=None,
        files_removed=_files(cursor, "old_files"),
        orphans_removed=_files(cursor, "orphans"),
        files_waiting=0,
        quarantine_removed=_over(cursor, settings, now),
    )


def _compacted(cursor: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Files replaced, and files made of them."""
    before, after = 0, 0
    for name, limit in (("rewrite", DELETED_SHARE), ("merge", MERGED_BELOW_BYTES)):
        for replaced, made in cursor.execute(query(name), {"limit": limit}).fetchall():
            before, after = before + replaced, after + made
    return before, after


def _expirable(
    cursor: duckdb.DuckDBPyConnection, held: frozenset[int], settings: ReplicaSettings, now: datetime
) -> tuple[list[int], int]:
    """Snapshots whose time is over and that nobody reads; and how many are spared because somebody does."""
    values = {"before": _before(settings.keep_days, now)}
    over = [number for (number,) in cursor.execute(query("expirable"), values).fetchall()]
    return [number for number in over if number not in held], sum(number in held for number in over)


def _over(cursor: duckdb.DuckDBPyConnection, settings: ReplicaSettings, now: datetime) -> int:
    return _number(cursor, "quarantine_over", {"before": _before(settings.quarantine_days, now)})


def _files(cursor: duckdb.DuckDBPyConnection, name: str) -> int:
    return len(cursor.execute(query(name)).fetchall())


def _number(cursor: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any] | None = None) -> int:
    row = cursor.execute(query(name), values or {}).fetchone()
    return int(row[0]) if row is not None else 0


def _before(days: float, now: datetime) -> datetime:
    return (now.astimezone(UTC) - timedelta(days=days)).replace(tzinfo=None)
