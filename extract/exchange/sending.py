"""From a trigger in OUT to the receivers' IN, and the receipt back.

    OUT/<file>.trigger -> checked -> sent/<transfer>/ (one rename: it is sent) -> each receiver's in/<transfer>/ (one
    rename each: it has landed) -> the sender's receipt

Whoever is killed between two of these leaves folders that say how far it came, and `resume` goes on from there: what
has landed has left the transfer's folder by the same rename, so nothing lands twice.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from extract.errors import ExchangeRefused
from extract.exchange.agreed import EXCHANGE_SERVICE, Carried, carried
from extract.exchange.box import Box, link_or_copy, write_synced
from extract.exchange.exchange import Exchange, fill
from extract.exchange.forwarding import DATA, ERRORS, ORDER, RECEIPT_OF, Forwarding, take_out, told_of
from extract.exchange.names import METADATA, TRIGGER, clean_name, is_companion
from extract.exchange.order import Account, Order
from extract.exchange.parcel import ParcelNote
from extract.exchange.xml import MOST_BYTES, Described, authority_of, read_described
from extract.place import sync_folder
from kernel import (
    Caller,
    CallRefused,
    Channel,
    Grant,
    Observe,
    Operation,
    PlatformError,
    SystemId,
    TraceId,
    new_event_id,
    new_trace_id,
)

_log = structlog.get_logger(__name__)

_SAME_TRIGGER: Final = timedelta(days=1)

GrantsOf = Callable[[SystemId], tuple[Grant, ...]]
SystemOf = Callable[[str], SystemId | None]


@dataclass(frozen=True, slots=True)
class Sending:
    """system_of   the system of an SFTP user, None for a user that nobody is
    grants_of   the permissions of a system that are in force now
    observe     keeps a fact, or raises: then nothing is sent
    """

    exchange: Exchange
    system_of: SystemOf
    grants_of: GrantsOf
    observe: Observe

    @property
    def _forwarding(self) -> Forwarding:
        return Forwarding(self.exchange, self.observe)

    def trigger(self, caller: Caller, file: str) -> None:
        """Send what a system has triggered. What is wrong with it comes back as a receipt; then the file stays in OUT.

        Raises what the ledger raises: then the trigger stays, and is tried again.
        """
        self._send(caller.system, file, caller.credential)

    def resume(self, system: SystemId) -> None:
        """Go on with what a crash, or a full ledger, interrupted."""
        box = self.exchange.box(system)
        with box.alone():
            for leftover in _entries(box.sent, dotted=True):
                shutil.rmtree(leftover, ignore_errors=True)
        for folder in _entries(box.sent):
            self._forwarding.forward(system, box, folder)
        for path in _entries(box.out):
            if path.name.endswith(TRIGGER):
                self._send(system, path.name.removesuffix(TRIGGER), None)

    def _send(self, system: SystemId, file: str, credential: str | None) -> None:
        box = self.exchange.box(system)
        trace, transfer = new_trace_id(), str(uuid.uuid4())
        with box.alone():
            if not (box.out / f"{file}{TRIGGER}").exists():
                return
            try:
                made = self._committed(system, box, file, transfer, trace)
                refusal = None
            except PlatformError as error:
                if error.rule not in ERRORS:
                    raise
                made, refusal = None, error
        if refusal is not None:
            self._on_record(system, refusal, trace, credential)
            self._forwarding.receipt(box, file, f"{transfer}{RECEIPT_OF}", transfer, None, [told_of(refusal)])
            with contextlib.suppress(FileNotFoundError):
                (box.out / f"{file}{TRIGGER}").unlink()
        elif made is not None:
            self._forwarding.forward(system, box, made)

    def _committed(self, system: SystemId, box: Box, file: str, transfer: str, trace: TraceId) -> Path | None:
        """Check what was triggered, and take it out of OUT: from one rename on it is sent. None when it was before."""
        out = box.out
        with self._writing_ended(out / file) as size:
            if size is None and self._was_sent(box, file):
                (out / f"{file}{TRIGGER}").unlink()
                return None
            described = self._checked(system, box, file, size)
            ways = self._ways(system, described)
            draft = box.sent / f".new-{transfer}"
            # One that a fault leaves is cleared away by `resume`.
            draft.mkdir(mode=0o700)
            order = Order(
                transfer=transfer, sender=described.sender, described=described, trace=trace,
                recipients=tuple((way.receiving.system, user) for user, way in ways),
                accounts=tuple(Account.of(way.sending) for _, way in ways),
            )  # fmt: skip
            link_or_copy(out / file, draft / DATA)
            for number, (user, way) in enumerate(ways):
                parcel = draft / f"to-{number}"
                parcel.mkdir(mode=0o700)
                note = self._note(order, way.receiving)
                fill(parcel, draft / DATA, note, described, legacy=user in self.exchange.settings.legacy_metadata)
                sync_folder(parcel)
            write_synced(draft / ORDER, order.to_json())
            if described.senders_file_id is not None:
                ref = box.refs / _hash(described.senders_file_id)
                ref.unlink(missing_ok=True)
                write_synced(ref, transfer.encode())
            sync_folder(draft)
            sent = draft.rename(box.sent / transfer)
            sync_folder(box.sent)
            take_out(box, file)
        return sent

    def _checked(self, system: SystemId, box: Box, file: str, size: int | None) -> Described:
        if clean_name(file) != file or is_companion(file):
            raise _refused("the name is no name of a file in the exchange", "give it another", "exchange.name")
        if size is None:
            raise _refused("there is no such file in OUT", "upload the file first, then its trigger", "exchange.file")
        described = read_described(self._words(box, file))
        if described.file != file:
            raise _refused("FileName is another file's", "write the name of the file beside it", "exchange.name")
        if described.size_bytes not in {None, size}:
            raise _refused(
                "SizeInBytes is not the size of the file in OUT", "upload the rest of the file, then the trigger",
                "exchange.size",
            )  # fmt: skip
        if described.sender != self.exchange.user_of(system):
            raise _refused("Sender is another user than the one who sends", "write your own", "exchange.sender")
        if described.senders_file_id is not None and self._again(box, described.senders_file_id):
            raise _refused("a file with this SendersFileId was sent before", "give a new one", "exchange.again")
        return Described(
            file=file, size_bytes=size, sender=described.sender, recipients=described.recipients,
            senders_file_id=described.senders_file_id, content=described.content,
        )  # fmt: skip

    def _words(self, box: Box, file: str) -> bytes:
        """What the trigger says; an empty one leaves it to the metadata file beside it."""
        for ending in (TRIGGER, METADATA):
            with contextlib.suppress(FileNotFoundError):
                with (box.out / f"{file}{ending}").open("rb") as text:
                    words = text.read(MOST_BYTES + 1)
                if words.strip():
                    return words
        raise _refused("neither trigger nor metadata says who receives it", "write one of them", "exchange.form")

    def _ways(self, system: SystemId, described: Described) -> list[tuple[str, Carried]]:
        municipality = authority_of(described.content)
        sending = self.grants_of(system)
        ways: dict[SystemId, tuple[str, Carried]] = {}
        for named in described.recipients:
            receiver = self.system_of(named)
            receiving = () if receiver is None else self.grants_of(receiver)
            user = named if receiver is None else self.exchange.user_of(receiver)
            way = carried(described.sender, sending, user, receiving, municipality)
            ways[way.receiving.system] = (user, way)
        return list(ways.values())

    def _note(self, order: Order, receiving: Grant) -> ParcelNote:
        return ParcelNote(
            transfer=order.transfer, name=order.described.file, sender=order.sender,
            landed=self.exchange.clock.now(), agreement=receiving.agreement, service=receiving.service,
            municipality_cvr=receiving.municipality_cvr, terms_hash=receiving.terms_hash,
            senders_file_id=order.described.senders_file_id,
        )  # fmt: skip

    def _on_record(self, system: SystemId, error: PlatformError, trace: TraceId, credential: str | None) -> None:
        self.observe(
            CallRefused(
                event=new_event_id(), at=self.exchange.clock.now(), trace=trace, channel=Channel.SFTP,
                code=error.code, status=error.status, reason=error.message, service=EXCHANGE_SERVICE,
                operation=Operation.EXCHANGE, system=system, rule=error.rule, remedy=error.remedy,
                credential=credential,
            )
        )  # fmt: skip

    @staticmethod
    @contextlib.contextmanager
    def _writing_ended(path: Path) -> Iterator[int | None]:
        """The size of a file that nobody writes any more, and that nobody can begin to write; None without one."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ELOOP}:
                raise
            yield None
            return
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _refused("it is no plain file", "upload a file", "exchange.file")
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield os.fstat(handle).st_size
        except BlockingIOError:
            raise _refused(
                "the file is still being written", "close it, then upload the trigger", "exchange.open"
            ) from None
        finally:
            os.close(handle)

    def _was_sent(self, box: Box, file: str) -> bool:
        """Whether a trigger comes again for what it has sent: its sender was cut off before it heard of that."""
        for folder in _entries(box.sent):
            with contextlib.suppress(FileNotFoundError):
                if Order.from_json((folder / ORDER).read_bytes()).described.file == file:
                    return True
        now = self.exchange.clock.now()
        return any(
            note.is_receipt and note.sent and note.name == file and now - note.landed < _SAME_TRIGGER
            for _, note in box.parcels()
        )

    @staticmethod
    def _again(box: Box, own_id: str) -> bool:
        try:
            transfer = (box.refs / _hash(own_id)).read_text()
        except FileNotFoundError:
            return False
        # A reference is written before the rename that sends; without that, nothing was sent.
        return (box.sent / transfer).exists() or box.has(f"{transfer}{RECEIPT_OF}")


def _entries(folder: Path, *, dotted: bool = False) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name.startswith(".") is dotted)
    except FileNotFoundError:
        return []


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(what: str, remedy: str, rule: str) -> ExchangeRefused:
    return ExchangeRefused(what, remedy=remedy, rule=rule)
