"""One file on its way to a client over SFTP: in the ledger before its first byte leaves, and again when it is
closed.
"""

import os
import time
from dataclasses import dataclass
from typing import Final

import paramiko
from paramiko.sftp import SFTP_EOF

from extract.delivery.coverage import Coverage
from extract.delivery.manifest import Manifest
from extract.delivery.sftp_session import ABSENT, ENDED, FAILED, READ_ONLY, Session, attributes_of
from extract.delivery.sftp_tree import File
from kernel import (
    CallAnswered,
    Channel,
    Grant,
    Operation,
    RowsDelivered,
    SnapshotId,
    Timing,
    new_event_id,
    new_trace_id,
)

RECHECK_S: Final = 0.25
"""A transfer asks this often whether its permission still holds. With the time the policy takes to hear of it, well
within the promise.
"""
READ_BYTES: Final = 255 * 1024
"""The longest piece that one request gets, as with OpenSSH. A request may ask for 4 GB; it must not get them into our
memory.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """count   bytes read; `status` instead of them when there are none, as the protocol has it"""

    count: int = 0
    status: int | None = None

    @classmethod
    def of(cls, count: int) -> "Outcome":
        """Of so many bytes read; none is the end of the file."""
        return cls(count) if count else cls(status=SFTP_EOF)


class Transfer(paramiko.SFTPHandle):
    """A file that is being read. Manifests and sums hold no rows: they are read without a line in the ledger.

    Raises FileNotFoundError when it is gone, and what the ledger raises when it cannot take the line: then nothing
    leaves.
    """

    def __init__(self, session: Session, path: str, file: File) -> None:
        super().__init__(os.O_RDONLY)
        self._session, self._path, self._file = session, path, file
        self._opened = session.clock.now()
        self._began = self._checked = time.monotonic()
        self._trace = new_trace_id()
        self._sent = Coverage()
        # What holds no rows and is nobody's file is read without a line in the ledger.
        self._grant = file.grant if file.manifest is not None or file.transfer is not None else None
        self._handle = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            self._size = os.fstat(self._handle).st_size
            if self._grant is not None:
                self._announce(self._grant)
        except BaseException:
            os.close(self._handle)
            raise
        session.open_files += 1

    def read_into(self, offset: int, length: int, room: memoryview) -> Outcome:
        """Read a piece at an offset: requests that a client sends ahead need no seek between them."""
        now = time.monotonic()
        self._session.active = now
        if now - self._checked > RECHECK_S:
            self._checked = now
            if not self._still_covered():
                return Outcome(status=ENDED)
        if offset >= self._size:
            return Outcome(status=SFTP_EOF)
        try:
            count = os.preadv(self._handle, [room[: min(length, READ_BYTES, len(room))]], offset)
        except OSError:
            return Outcome(status=FAILED)
        self._sent.add(offset, offset + count)
        return Outcome.of(count)

    def write(self, _: int, __: object) -> int:
        return READ_ONLY

    def chattr(self, _: paramiko.SFTPAttributes) -> int:
        return READ_ONLY

    def stat(self) -> paramiko.SFTPAttributes | int:
        found = attributes_of(self._file)
        return ABSENT if found is None else found

    def close(self) -> None:
        """Returns when the end is in the ledger, or raises; the client then hears that its file is not closed well."""
        if self._handle < 0:
            return
        os.close(self._handle)
        self._handle = -1
        self._session.open_files -= 1
        self._session.touch()
        if self._grant is not None:
            self._report(self._grant)

    def _still_covered(self) -> bool:
        now = self._session.find(self._path)
        return isinstance(now, File) and now.path == self._file.path

    def _announce(self, grant: Grant) -> None:
        # Rows and bytes are counted once, when they have left: in RowsDelivered of the same trace.
        manifest = self._file.manifest
        self._session.observe(
            CallAnswered(
                event=new_event_id(),
                at=self._opened,
                trace=self._trace,
                channel=Channel.SFTP,
                service=grant.service,
                operation=Operation.EXCHANGE if manifest is None else Operation.EXTRACT,
                **grant.on_record,
                status=200,
                timing=Timing(out_us=self._elapsed_us()),
                snapshot=None if manifest is None else SnapshotId(manifest.snapshot),
            )
        )

    def _report(self, grant: Grant) -> None:
        manifest = self._file.manifest
        self._session.observe(
            RowsDelivered(
                event=new_event_id(),
                at=self._session.clock.now(),
                trace=self._trace,
                channel=Channel.SFTP,
                service=grant.service,
                **grant.on_record,
                extract=manifest.plan if manifest else self._file.transfer or "",
                snapshot=SnapshotId(manifest.snapshot if manifest else 0),
                rows=self._rows(manifest) if manifest else 0,
                size_bytes=self._sent.size_bytes,
                whole=self._sent.reaches(self._size),
                timing=Timing(out_us=self._elapsed_us()),
            )
        )

    def _rows(self, manifest: Manifest) -> int:
        if not self._size:
            return manifest.rows
        return sum(manifest.rows_between(start, stop) for start, stop in self._sent.spans)

    def _elapsed_us(self) -> int:
        return int((time.monotonic() - self._began) * 1_000_000)
