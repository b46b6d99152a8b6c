"""The file of a circle: who changed since the delivery before, who came into the circle and who is gone from it, as the
register delivers.

A start record, the whole record set of each person, the register's receipt (997, event A45) for each who is followed no
more, an end record with their count. What is in it follows from the
snapshots, the circle and the day it was planned: made again after a crash, it is the same bytes.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from extract.cursor import Cursor
from extract.delivery.circle import KEY
from extract.delivery.circle_changes import CircleChanges, Known, Scan, Told
from extract.delivery.circles import KEPT_DAYS, Circles
from extract.delivery.faults import SubscriptionInvalid
from extract.delivery.making import WHY_FULL, Alive, Maker
from extract.delivery.manifest import Manifest
from extract.delivery.naming import CIRCLE, file_name
from extract.delivery.outbox_rows import Delivery
from extract.delivery.parcel import Parcel
from extract.delivery.subscription import Contents, Subscription
from extract.form import Format
from extract.formats.cpr_records import RecordForm, end_line, lines_of, start_line
from extract.formats.fixed_width import ENCODING
from extract.place import drafted
from kernel import COPENHAGEN, NO_FLOOR, Floor, Grant, full_disk_told

MEDIA_TYPE: Final = f"text/plain; charset={ENCODING}"
FORMAT: Final = "cpr"
GONE: Final = "A45"
"""The register's event of subscriptions."""
_NOBODY: Final = "-"
_RECEIPT: Final = pa.schema({KEY: pa.string(), "TIMESTAMPU": pa.timestamp("us"), "HAENDELSE": pa.string()})
_Piece = tuple[int, bytes, int]
"""Persons, their lines, and how many lines those are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleMaker:
    """maker    plans what is read
    scan     the rows of a plan
    forms    the register's record layout
    gone     the record that says that somebody is followed no more
    folder   where the files are kept
    floor    what stays free on its disk
    """

    maker: Maker
    circles: Circles
    scan: Scan
    forms: tuple[RecordForm, ...]
    gone: RecordForm
    folder: Path
    floor: Floor = NO_FLOOR

    def __call__(self, subscription: Subscription, grant: Grant, delivery: Delivery, alive: Alive) -> Parcel:
        """Raises what `plan_extract` raises, CircleKeyInvalid, DiskFull, and what `alive` raises."""
        day = delivery.planned.astimezone(COPENHAGEN).date()
        since, known, because = _stood(delivery.since, day)
        # Its rows are read, not written: in which format an extract of them would be is all the same.
        contents = replace(subscription.wish.contents, columns=None, format=Format.CSV)
        plan = self.maker.plan(contents, grant, replace(delivery, since=since))
        because = plan.full_because or because
        if plan.since is None:
            known = None
        book = self.circles.book(grant)
        changes = CircleChanges(scan=self.scan, plan=plan, book=book, day=day, known=known)
        job = delivery.number
        name = file_name(
            contents.name or CIRCLE, planned=delivery.planned, agreement=subscription.wish.agreement, number=job,
            snapshot=plan.snapshot,
        )  # fmt: skip
        # Zeros for the day before, as of the first: who reads a chain of days begins anew with it.
        start = start_line(job, day, None if known is None else known.day)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two of one subscription are never made at once; another's has another name.
        self.floor.ensure(self.folder)
        with full_disk_told(), drafted(self.folder / f".{delivery.id}.part") as draft:
            rows, size, digest = _write(draft, start, self._pieces(changes.told(alive), delivery.planned))
            path = self.folder / f"{delivery.id}.{digest}"
            draft.replace(path)
        made_by = hashlib.sha256(f"circle {plan.id} {digest}".encode()).hexdigest()
        made = Manifest.of(plan, rows=rows, size_bytes=size, sha256=digest, created=delivery.planned)
        made = replace(made, plan=made_by, file=name, format=FORMAT)
        text = self.maker.described(made, delivery, name, because)
        changed = book.changed
        return Parcel(
            delivery=delivery.id,
            round=delivery.round,
            name=name,
            path=path,
            extract=made_by,
            snapshot=plan.snapshot,
            rows=rows,
            size_bytes=size,
            sha256=digest,
            media_type=MEDIA_TYPE,
            manifest=text,
            signature=None if self.maker.shelf.sign is None else self.maker.shelf.sign(text),
            described=made,
            cursor=f"{plan.cursor} {changed.isoformat() if changed else _NOBODY} {day.isoformat()}",
            why_full="" if because is None else WHY_FULL.get(because, because),
            published=plan.published,
            on_shelf=lambda: self.maker.shelf.put_file(grant.agreement, path, made, because),
        )

    def _pieces(self, told: Iterable[Told], planned: datetime) -> Iterator[_Piece]:
        """The lines of persons, many at a time; of those who are followed no more the register's receipt for that, and
        no other line.
        """
        moment = planned.astimezone(COPENHAGEN).replace(tzinfo=None)
        for each in told:
            if each.rows is not None:
                yield len(each.rows), *lines_of(self.forms, each.rows)
            if each.gone:
                gone = [{KEY: key, "TIMESTAMPU": moment, "HAENDELSE": GONE} for key in each.gone]
                yield len(gone), *lines_of((self.gone,), pa.RecordBatch.from_pylist(gone, _RECEIPT))

    def check(self, contents: Contents, grant: Grant) -> None:
        """Raises as `Maker.check`, and SubscriptionInvalid for what is no register of persons."""
        if self.maker.dataset_of(grant.service).key != KEY:
            raise SubscriptionInvalid(
                "a circle is of persons, and the service has none",
                remedy="subscribe to an extract service of persons, or to changes",
                rule="subscription.kind",
            )
        if contents.columns is not None:
            raise SubscriptionInvalid(
                "the record layout has its own columns", remedy="leave columns out", rule="subscription.columns"
            )
        self.maker.check(contents, grant)

    def clear(self, waits: Callable[[str], bool]) -> None:
        """Forget the files of deliveries that wait no more: they are made again when somebody asks once more. And what
        nobody has to be told any more.
        """
        self.circles.forget()
        if self.folder.exists():
            for path in self.folder.iterdir():
                if not waits(path.name.lstrip(".").partition(".")[0]):
                    path.unlink(missing_ok=True)


def _stood(cursor: str | None, today: date) -> tuple[str | None, Known | None, str | None]:
    """A cursor in its parts: of the extract, what of the circle was known, and the code of why neither holds."""
    if cursor is None:
        return None, None, None
    extract, changed, day = cursor.split(" ")
    seen = date.fromisoformat(day)
    if (today - seen).days >= KEPT_DAYS:
        return None, None, "circle_forgotten"
    moment = datetime.min.replace(tzinfo=UTC) if changed == _NOBODY else datetime.fromisoformat(changed)
    return extract, Known(Cursor.read(extract), moment, seen), None


def _write(path: Path, start: str, pieces: Iterable[_Piece]) -> tuple[int, int, str]:
    """Persons, bytes and SHA-256 of a file that is on the disk when this returns."""
    digest, size, lines, count = hashlib.sha256(), 0, 0, 0
    with path.open("wb") as file:

        def put(data: bytes) -> None:
            nonlocal size
            file.write(data)
            digest.update(data)
            size += len(data)

        put(f"{start}\n".encode(ENCODING))
        for persons, text, made in pieces:
            put(text)
            lines += made
            count += persons
        put(f"{end_line(lines)}\n".encode(ENCODING))
        file.flush()
        os.fsync(file.fileno())
    return count, size, digest.hexdigest()
