"""The protocol's questions about one table, answered from extracts. All of it may block."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.sharing.capabilities import Capabilities
from api.sharing.changes import change_feed
from api.sharing.desk import FileAddress, Refresh, SharingDesk, no_refresh
from api.sharing.moments import asked_moment, asked_span, ensure_no_feed, ensure_one_page, not_yet
from api.sharing.tables import Asker, SharedTable
from api.sharing.words import FileKind, Line, Words, end_line, lines_of
from api.visit import keep, today_of
from extract import Cursor, Extract, ExtractPlan, ExtractRequest, Format, plan_extract
from kernel import (
    COPENHAGEN,
    CallAnswered,
    Channel,
    Operation,
    RowsDelivered,
    SnapshotId,
    new_event_id,
)
from replica import SnapshotInfo


@dataclass(frozen=True, slots=True)
class Question:
    """One use of a table is a query, or a question for changes, with the files that it leads to: that is what counts
    against the agreement's limits and stands in the record as an extract. What the table is, and its newest version, is
    asked before, and is none.

    host     under which the caller knows us, for the addresses of files
    client   what it reads
    """

    desk: SharingDesk
    asker: Asker
    table: SharedTable
    host: str
    client: Capabilities

    def version(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """The newest version; with startingTimestamp the first one that was made then or later."""
        self.asker.ensure_left(self.table)
        moment = asked_moment(asked, timestamp="startingTimestamp")
        version = self._now().snapshot if moment is None else self._first_from(moment)[0]
        self._on_record(version, Operation.DESCRIBE)
        return version, b""

    def metadata(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        self.asker.ensure_left(self.table)
        plan = self._plan(self._past(asked_moment(asked)))
        self._on_record(plan.snapshot, Operation.DESCRIBE)
        return plan.snapshot, lines_of(self._words.head(plan))

    def query(self, asked: Mapping[str, Any]) -> tuple[int, bytes]:
        """The files of the table as it is, or as it was in a version or at a time. Hints are hints: a client that
        wants less reads less.
        """
        if (told := asked.get("refreshToken")) is not None:
            return self._refreshed(str(told), asked)
        self.asker.admit(self.table)
        ensure_no_feed(asked)
        plan = self._plan(self._past(asked_moment(asked)))
        made = self._made(plan)
        ends = int(self.asker.request.received.timestamp() + self.desk.refresh_s)
        return self._answered(made, "file", self._words.head(plan), asked, ends)

    def _refreshed(self, told: str, asked: Mapping[str, Any]) -> tuple[int, bytes]:
        """New addresses of a file that was given out, as long as the agreement shows the very same: of the same use, so
        it is not counted again.
        """
        ensure_no_feed(asked)
        refresh = Refresh.read(told, self.desk.key, self.asker.token.id, self.asker.request.received.timestamp())
        plan = self._plan(self._past(SnapshotId(refresh.version)))
        if plan.id != refresh.plan:
            raise no_refresh()
        return self._answered(self._made(plan), "file", self._words.head(plan), asked, refresh.ends, again=True)

    def changes(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """What has changed from before one version or time up to another: net, each row once, under the last version.
        From the first version on, that is the table.
        """
        self.asker.admit(self.table)
        ensure_one_page(asked)
        span = asked_span(asked)
        info = self._past(span.end)
        first, earlier = self._first_from(span.start)
        full = self._plan(info)
        since = span.start if isinstance(span.start, int) else min(first, info.snapshot)
        lines = self._words.head(full, since)
        if first > info.snapshot:
            if span.end is None:
                raise not_yet()
            # Nothing of this dataset was published in that span.
            self._on_record(info.snapshot, Operation.EXTRACT)
            return info.snapshot, lines_of(lines + self._end(asked))
        if not earlier:
            return self._answered(self._made(full), "add", lines, asked)
        before = self._past(SnapshotId(first - 1))
        return self._answered(self._made(self._since(before, info, full)), "cdf", lines, asked)

    def _answered(
        self,
        extract: Extract,
        kind: FileKind,
        lines: list[Line],
        asked: Mapping[str, Any],
        ends: int | None = None,
        *,
        again: bool = False,
    ) -> tuple[int, bytes]:
        """With the one file that the answer has, which is counted.

        ends    when its address can be renewed no longer, seconds since 1970; None where it never can
        again   it was counted before
        """
        plan = extract.plan
        address = self._address(plan, changes=kind == "cdf")
        rows, size = extract.manifest.rows, extract.manifest.size_bytes
        if kind == "cdf":
            size = change_feed(extract.path, self.desk.changes / f"{plan.id}.parquet")
        lines.append(self._words.file(kind, self._url(address), address.expires, plan, size, rows))
        lines += self._end(asked, plan, address, ends)
        self._on_record(plan.snapshot, Operation.DESCRIBE if again else Operation.EXTRACT)
        if not again:
            self._delivered(plan, rows, size)
        return plan.snapshot, lines_of(lines)

    def _end(
        self,
        asked: Mapping[str, Any],
        plan: ExtractPlan | None = None,
        address: FileAddress | None = None,
        ends: int | None = None,
    ) -> list[Line]:
        """The last line, for clients that read one: others take each line for a file."""
        refresh = None
        if plan is not None and ends is not None and _true(asked.get("includeRefreshToken")):
            refresh = Refresh(plan.id, self.asker.token.id, plan.snapshot, ends).signed(self.desk.key)
        if refresh is None and not self.client.ends:
            return []
        return [end_line(refresh, None if address is None else address.expires)]

    @property
    def _words(self) -> Words:
        return Words(self.table.service, self.table.dataset, self.client.form)

    def _first_from(self, moment: datetime | SnapshotId) -> tuple[SnapshotId, bool]:
        """Raises SharingRequestInvalid where no version is that new."""
        first, earlier = self.asker.doors.first_from(self.table.dataset, moment)
        if first is None:
            raise not_yet()
        return first, earlier

    def _now(self) -> SnapshotInfo:
        return self.asker.doors.lookups.reader(self.table.dataset.id).info

    def _past(self, moment: datetime | SnapshotId | None) -> SnapshotInfo:
        """As it is now for None."""
        return self._now() if moment is None else self.asker.doors.past(self.table.dataset, moment).info

    def _plan(self, info: SnapshotInfo) -> ExtractPlan:
        request = ExtractRequest(format=Format.PARQUET)
        return plan_extract(request, self.table.grant, self.table.dataset, info, today_of(self.asker.request))

    def _since(self, before: SnapshotInfo, info: SnapshotInfo, full: ExtractPlan) -> ExtractPlan:
        # Whoever asks for changes has the copy of then, with what was withheld on that day.
        day = before.published.astimezone(COPENHAGEN).date() if full.hide_protected_on else None
        request = ExtractRequest(format=Format.PARQUET, since=Cursor(before.snapshot, day, full.view))
        return plan_extract(
            request, self.table.grant, self.table.dataset, info, today_of(self.asker.request),
            self.asker.doors.corrections,
        )  # fmt: skip

    def _made(self, plan: ExtractPlan) -> Extract:
        """The finished file. Raises ExtractBroken."""
        extract = self.asker.doors.extracts.open(plan, self.table.grant.agreement)
        if not extract.ready:
            for _ in extract.chunks():
                pass
        return extract

    def _address(self, plan: ExtractPlan, *, changes: bool) -> FileAddress:
        expires = int(self.asker.request.received.timestamp() + self.desk.file_s)
        return FileAddress(plan.id, changes, self.asker.token.id, plan.service, expires)

    def _url(self, address: FileAddress) -> str:
        return f"https://{self.host}/sharing/files/{address.signed(self.desk.key)}"

    def _on_record(self, snapshot: SnapshotId, operation: Operation) -> None:
        request, grant = self.asker.request, self.table.grant
        keep(
            self.asker.doors,
            CallAnswered(
                event=new_event_id(), at=request.received, trace=request.trace, channel=Channel.SHARING,
                service=grant.service, operation=operation, **grant.on_record, status=200,
                timing=request.timing(), snapshot=snapshot,
            ),
        )  # fmt: skip

    def _delivered(self, plan: ExtractPlan, rows: int, size_bytes: int) -> None:
        """Once for each query and file, when its address is given out: clients open a file several times, and the
        address asks nobody who they are.
        """
        request, grant = self.asker.request, self.table.grant
        keep(
            self.asker.doors,
            RowsDelivered(
                event=new_event_id(), at=request.received, trace=request.trace, channel=Channel.SHARING,
                service=grant.service, **grant.on_record, extract=plan.id, snapshot=plan.snapshot, rows=rows,
                size_bytes=size_bytes, whole=True, timing=request.timing(),
            ),
        )  # fmt: skip


def _true(value: Any) -> bool:
    """As JSON says it, or the query of an address."""
    return value is True or str(value).lower() == "true"
