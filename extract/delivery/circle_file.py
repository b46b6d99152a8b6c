"""The file of a circle: who changed since the delivery before, and who came into the circle, as the register delivers.

A start record, the whole record set of each person, an end record with their count. What is in it follows from the
snapshots, the circle and the day it was planned: made again after a crash, it is the same bytes.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from extract.cursor import Cursor
from extract.delivery.circle import KEY, Circle
from extract.delivery.circles import Circles
from extract.delivery.cpr_records import ENCODING, RecordForm, end_line, lines_of, start_line
from extract.delivery.faults import SubscriptionInvalid
from extract.delivery.making import WHY_FULL, Alive, Maker
from extract.delivery.manifest import Manifest
from extract.delivery.naming import CIRCLE, file_name
from extract.delivery.outbox_rows import Delivery
from extract.delivery.parcel import Parcel
from extract.delivery.subscription import Contents, Subscription
from extract.form import Format
from extract.plan import ExtractPlan
from extract.production import Scan
from kernel import COPENHAGEN, Grant
from replica import OPERATION

MEDIA_TYPE: Final = f"text/plain; charset={ENCODING}"
FORMAT: Final = "cpr"
_NOBODY: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleMaker:
    """maker    plans what is read
    scan     the rows of a plan
    forms    the register's record layout
    folder   where the files are kept
    """

    maker: Maker
    circles: Circles
    scan: Scan
    forms: tuple[RecordForm, ...]
    folder: Path

    def __call__(self, subscription: Subscription, grant: Grant, delivery: Delivery, alive: Alive) -> Parcel:
        """Raises what `plan_extract` raises, CircleKeyInvalid, and what `alive` raises."""
        since, seen = _stood(delivery.since)
        # Its rows are read, not written: in which format an extract of them would be is all the same.
        contents = replace(subscription.wish.contents, columns=None, format=Format.CSV)
        plan = self.maker.plan(contents, grant, replace(delivery, since=since))
        circle, newest = self.circles.circle(grant), self.circles.newest(grant)
        day = delivery.planned.astimezone(COPENHAGEN).date()
        former = None if delivery.since is None or seen is None else seen.day
        persons = self._persons(grant, plan, circle, None if plan.since is None or seen is None else seen.newest)
        job = delivery.number
        name = file_name(
            contents.name or CIRCLE, planned=delivery.planned, agreement=subscription.wish.agreement, number=job,
            snapshot=plan.snapshot,
        )  # fmt: skip
        start = start_line(job, day, former)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two of one subscription are never made at once; another's has another name.
        draft = self.folder / f".{delivery.id}.part"
        rows, size, digest = _write(draft, start, (lines_of(self.forms, row) for row in persons), alive)
        made_by = hashlib.sha256(f"circle {plan.id} {digest}".encode()).hexdigest()
        path = self.folder / f"{delivery.id}.{digest}"
        draft.replace(path)
        made = Manifest.of(plan, rows=rows, size_bytes=size, sha256=digest, created=delivery.planned)
        made = replace(made, plan=made_by, file=name, format=FORMAT)
        because = plan.full_because
        text = self.maker.described(made, delivery, name, because)
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
            cursor=f"{plan.cursor} {newest.isoformat() if newest else _NOBODY} {day.isoformat()}",
            why_full="" if because is None else WHY_FULL.get(because, because),
            published=plan.published,
        )

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
        """Forget the files of deliveries that wait no more: they are made again when somebody asks once more."""
        if self.folder.exists():
            for path in self.folder.iterdir():
                if not waits(path.name.lstrip(".").partition(".")[0]):
                    path.unlink(missing_ok=True)

    def _persons(
        self, grant: Grant, plan: ExtractPlan, circle: Circle, known: datetime | None
    ) -> Iterator[Mapping[str, Any]]:
        """Whose record sets are written, each once.

        known   when the filters were added that the delivery before knew; None: everybody in the circle is new
        """
        if circle.empty:
            return
        today = plan.published.astimezone(COPENHAGEN).date()
        written: set[str] = set()
        if plan.since is not None:
            for row in self._rows(plan):
                if row[OPERATION] != "delete" and circle.takes(row, today):
                    written.add(row[KEY])
                    yield row
        came = circle if known is None else self.circles.circle(grant, added_after=known)
        if came.empty:
            return
        whole = replace(plan, since=None, corrections=())
        for narrowed in self._narrowed(grant, whole, came, known):
            for row in self._rows(narrowed):
                if row[KEY] not in written and came.takes(row, today):
                    written.add(row[KEY])
                    yield row

    def _narrowed(
        self, grant: Grant, whole: ExtractPlan, came: Circle, known: datetime | None
    ) -> Iterator[ExtractPlan]:
        """Plans that read no more than has to be looked at: nobody reads nine million for one who came."""
        if came.everybody or came.ages or came.events:
            yield whole
            return
        if came.municipalities:
            yield _with(whole, "municipality_code", came.municipalities)
        if came.numbers:
            yield _with(whole, KEY, self.circles.numbers(grant, added_after=known))

    def _rows(self, plan: ExtractPlan) -> Iterator[Mapping[str, Any]]:
        for batch in self.scan(plan):
            yield from batch.to_pylist()


@dataclass(frozen=True, slots=True)
class _Seen:
    """newest   when the newest filter was added that a delivery knew; None when there was none
    day      that it was made for
    """

    newest: datetime | None
    day: Any


def _stood(cursor: str | None) -> tuple[str | None, _Seen | None]:
    """A cursor in its parts: of the extract, and what of the circle was known."""
    if cursor is None:
        return None, None
    extract, newest, day = cursor.split(" ")
    Cursor.read(extract)
    moment = datetime.min.replace(tzinfo=COPENHAGEN) if newest == _NOBODY else datetime.fromisoformat(newest)
    return extract, _Seen(moment, datetime.fromisoformat(day).date())


def _with(plan: ExtractPlan, column: str, values: frozenset[str]) -> ExtractPlan:
    """A plan that reads those values of a column alone, of those that it may."""
    return replace(plan, rows={**plan.rows, column: values & plan.rows.get(column, values)})


def _write(path: Path, start: str, persons: Iterable[Iterable[str]], alive: Callable[[], None]) -> tuple[int, int, str]:
    """Persons, bytes and SHA-256 of a file that is on the disk when this returns."""
    digest, size, lines, count = hashlib.sha256(), 0, 0, 0
    with path.open("wb") as file:

        def put(text: str) -> None:
            nonlocal size
            data = f"{text}\n".encode(ENCODING, "replace")
            file.write(data)
            digest.update(data)
            size += len(data)

        put(start)
        for person in persons:
            for line in person:
                put(line)
                lines += 1
            count += 1
            if count % 1_000 == 0:
                alive()
        put(end_line(lines))
        file.flush()
        os.fsync(file.fileno())
    return count, size, digest.hexdigest()
