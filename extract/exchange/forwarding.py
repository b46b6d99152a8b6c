"""What was accepted lands: once with each receiver, then the sender's receipt.

A transfer's folder says how far it came: what has landed has left it by the rename that landed it, what could not land
is written down, and the folder goes when the receipt is there.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from extract.exchange.agreed import EXCHANGE_SERVICE
from extract.exchange.box import Box, write_synced
from extract.exchange.exchange import Exchange, land
from extract.exchange.names import METADATA, RECEIPT, TRIGGER
from extract.exchange.order import Order
from extract.exchange.parcel import NOTE, ParcelNote
from extract.exchange.xml import receipt_text
from kernel import CallAnswered, Channel, Observe, Operation, PlatformError, SystemId, Timing

_log = structlog.get_logger(__name__)

ORDER: Final = "order.json"
DATA: Final = "data"
RECEIPT_OF: Final = ".receipt"

ERRORS: Final = {
    "exchange.form": 10, "exchange.file": 11, "exchange.size": 12, "exchange.sender": 13, "exchange.name": 14,
    "exchange.agreement": 20, "exchange.municipality": 21, "exchange.files": 31, "exchange.again": 40,
    "exchange.open": 41,
}  # fmt: skip
"""Numbers of errors in receipts, by rule; 30 is a name that lies in the receiver's IN, 50 a fault of ours."""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """observe   keeps a fact, or raises: then nothing lands"""

    exchange: Exchange
    observe: Observe

    def forward(self, system: SystemId, box: Box, folder: Path) -> None:
        """Land what was sent, once with each receiver, and then the sender's receipt."""
        with _held(folder) as mine:
            if not mine:
                return
            order = Order.from_json((folder / ORDER).read_bytes())
            with box.alone():
                if _same(folder / DATA, box.out / order.described.file):
                    take_out(box, order.described.file)
            self._account(folder, order)
            for number, (receiver, _) in enumerate(order.recipients):
                self._land(folder, f"to-{number}", receiver)
            failed = [_line(path) for path in sorted(folder.glob("failed-*"))]
            receipt = f"{order.transfer}{RECEIPT_OF}"
            self.receipt(
                box, order.described.file, receipt, order.transfer, order.described.senders_file_id, failed
            )  # fmt: skip
            done = folder.rename(folder.with_name(f".done-{order.transfer}"))
        shutil.rmtree(done, ignore_errors=True)
        _log.info("exchange_sent", system=system, transfer=order.transfer, failed=len(failed))

    def _land(self, folder: Path, name: str, receiver: SystemId) -> None:
        ready = folder / name
        if not (ready / NOTE).exists() or (folder / f"failed-{name}").exists():
            # It has landed or failed before; what a crash left of its folder goes with the transfer's.
            return
        note = ParcelNote.from_json((ready / NOTE).read_bytes())
        try:
            if not land(self.exchange.box(receiver), ready, note, self.exchange.settings):
                shutil.rmtree(ready)
        except PlatformError as error:
            number, words, remedy = told_of(error)
            draft = folder / f".failed-{name}"
            draft.unlink(missing_ok=True)
            write_synced(draft, f"{number}\n{words}\n{remedy}".encode())
            draft.rename(folder / f"failed-{name}")
            shutil.rmtree(ready)

    def receipt(
        self, box: Box, file: str, id_: str, transfer: str, own_id: str | None, errors: list[tuple[int, str, str]]
    ) -> None:
        """In the sender's IN, in the place of an earlier one about the same file."""
        draft = box.draft()
        try:
            note = ParcelNote(
                transfer=id_, name=file, sender=self.exchange.house_user, landed=self.exchange.clock.now(),
                sent=not errors,
            )  # fmt: skip
            text = receipt_text(transfer, senders_file_id=own_id, errors=errors)
            write_synced(draft / f"{file}{RECEIPT}", text)
            write_synced(draft / NOTE, note.to_json())
            box.land(draft, id_, most=None, instead=True)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _account(self, folder: Path, order: Order) -> None:
        """In the ledger before anything lands: once, or, when a crash comes just then, twice as the same event."""
        for number, each in enumerate(order.accounts):
            marked = folder / f"accounted-{number}"
            if marked.exists():
                continue
            self.observe(
                CallAnswered(
                    event=each.event, at=self.exchange.clock.now(), trace=order.trace, channel=Channel.SFTP,
                    service=EXCHANGE_SERVICE, operation=Operation.EXCHANGE, system=each.system,
                    agreement=each.agreement, terms_hash=each.terms_hash, municipality_cvr=each.municipality_cvr,
                    status=202, timing=Timing(out_us=0), size_bytes=order.described.size_bytes or 0,
                )
            )  # fmt: skip
            marked.touch()


def take_out(box: Box, file: str) -> None:
    for name in (file, f"{file}{METADATA}", f"{file}{TRIGGER}"):
        (box.out / name).unlink(missing_ok=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Whether the transfer is ours to go on with: no other process is at it."""
    try:
        handle = os.open(folder / ORDER, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been finished between the opening and the lock.
        mine = (folder / ORDER).exists()
    except BlockingIOError:
        mine = False
    try:
        yield mine
    finally:
        os.close(handle)


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _line(path: Path) -> tuple[int, str, str]:
    number, words, remedy = path.read_text().split("\n", 2)
    return int(number), words, remedy


def told_of(error: PlatformError) -> tuple[int, str, str]:
    number = 30 if error.code == "exchange_name_taken" else ERRORS.get(error.rule or "", 50)
    return number, error.code, f"{error.message}; {error.remedy}"
