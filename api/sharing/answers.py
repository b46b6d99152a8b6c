"""The protocol's questions about one table, answered from extracts. All of it may block."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.sharing.changes import change_feed
from api.sharing.desk import FileAddress, SharingDesk
from api.sharing.errors import SharingRequestInvalid
from api.sharing.tables import Asker, SharedTable
from api.sharing.words import file_fields, head_lines, lines_of, with_stats
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
    """host   under which the caller knows us, for the addresses of files"""

    desk: SharingDesk
    asker: Asker
    table: SharedTable
    host: str

    def version(self) -> int:
        self.asker.admit(self.table)
        info = self._now()
        self._on_record(info.snapshot)
        return info.snapshot

    def metadata(self) -> tuple[int, bytes]:
        self.asker.admit(self.table)
        plan = self._plan(self._now())
        self._on_record(plan.snapshot)
        return plan.snapshot, lines_of(head_lines(self.table.service, self.table.dataset, plan))

    def query(self, asked: Mapping[str, Any]) -> tuple[int, bytes]:
        """The files of the table as it is, or as it was in a version or at a time. Hints are hints: a client that
        wants less reads less.
        """
        self.asker.admit(self.table)
        version, moment = asked.get("version"), asked.get("timestamp")
        if version is not None and moment is not None:
            raise _invalid("version and timestamp stand there together", "give one of them")
        plan = self._plan(self._past(_time(moment) if moment is not None else version))
        lines = head_lines(self.table.service, self.table.dataset, plan)
        extract = self._made(plan)
        address = self._address(plan, changes=False)
        size = extract.manifest.size_bytes
        fields = file_fields(self._url(address), address.expires, plan, size)
        lines.append({"file": with_stats(fields, extract.manifest)})
        self._on_record(plan.snapshot)
        self._delivered(plan, extract.manifest.rows, size)
        return plan.snapshot, lines_of(lines)

    def changes(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """What has changed from before one version up to another: net, each row once, under the last version."""
        self.asker.admit(self.table)
        first = _number(asked.get("startingVersion"), "startingVersion")
        if first is None:
            raise _invalid("startingVersion is missing", "give the first version whose changes are wanted")
        info = self._past(_number(asked.get("endingVersion"), "endingVersion"))
        if first > info.snapshot:
            raise _invalid("startingVersion is later than the last version", "ask again when there is a later one")
        full = self._plan(info)
        lines = head_lines(self.table.service, self.table.dataset, full)
        if first <= 1:
            plan, kind = full, "add"
        else:
            before = self._past(first - 1)
            if before.snapshot == info.snapshot:
                # Nothing of this dataset was published in that span.
                self._on_record(info.snapshot)
                return info.snapshot, lines_of(lines)
            plan, kind = self._since(before, info, full), "cdf"
        extract = self._made(plan)
        address = self._address(plan, changes=kind == "cdf")
        size = extract.manifest.size_bytes
        if kind == "cdf":
            size = change_feed(extract.path, self.desk.changes / f"{plan.id}.parquet")
        lines.append({kind: file_fields(self._url(address), address.expires, plan, size)})
        self._on_record(plan.snapshot)
        self._delivered(plan, extract.manifest.rows, size)
        return plan.snapshot, lines_of(lines)

    def _now(self) -> SnapshotInfo:
        return self.asker.doors.lookups.reader(self.table.dataset.id).info

    def _past(self, moment: datetime | int | None) -> SnapshotInfo:
        if moment is None:
            return self._now()
        at = moment if isinstance(moment, datetime) else SnapshotId(_number(moment, "version") or 0)
        return self.asker.doors.past(self.table.dataset, at).info

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
        extract = self.asker.doors.extracts.open(plan)
        if not extract.ready:
            for _ in extract.chunks():
                pass
        return extract

    def _address(self, plan: ExtractPlan, *, changes: bool) -> FileAddress:
        expires = int(self.asker.request.received.timestamp() + self.desk.file_s)
        return FileAddress(plan.id, changes, self.asker.token.id, plan.service, expires)

    def _url(self, address: FileAddress) -> str:
        return f"https://{self.host}/sharing/files/{address.signed(self.desk.key)}"

    def _on_record(self, snapshot: SnapshotId) -> None:
        request, grant = self.asker.request, self.table.grant
        keep(
            self.asker.doors,
            CallAnswered(
                event=new_event_id(), at=request.received, trace=request.trace, channel=Channel.SHARING,
                service=grant.service, operation=Operation.EXTRACT, system=grant.system, agreement=grant.agreement,
                terms_hash=grant.terms_hash, municipality_cvr=grant.municipality_cvr, status=200,
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
                service=grant.service, system=grant.system, agreement=grant.agreement, terms_hash=grant.terms_hash,
                municipality_cvr=grant.municipality_cvr, extract=plan.id, snapshot=plan.snapshot, rows=rows,
                size_bytes=size_bytes, whole=True, timing=request.timing(),
            ),
        )  # fmt: skip


def _number(value: Any, name: str) -> int | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 16):
        raise _invalid(f"{name} is no version", "give the number of a version")
    return int(text)


def _time(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise _invalid("timestamp is no time", "give one as in ISO 8601, with its zone") from None
    if moment.tzinfo is None:
        raise _invalid("timestamp has no zone", "give one as in ISO 8601, for instance 2026-11-28T04:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _invalid("timestamp is no time that a clock shows", "give one of this century") from None


def _invalid(what: str, remedy: str) -> SharingRequestInvalid:
    return SharingRequestInvalid(what, remedy=remedy, rule="sharing.request")
