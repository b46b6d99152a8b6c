"""Receipts that receiving SFTP servers write in the established layout: fetched, matched, and written down.

A receipt is matched by the name of its file and, where it has one, by our own number for that very sending: what
another round of the same delivery got is not this one's. A receipt that says no is not sent against: somebody has to
look, and to have it delivered once more.
"""

import posixpath
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

import paramiko
import structlog

from extract.delivery.faults import DeliveryStepRefused, TargetFaulty
from extract.delivery.notices import Tell, of_refused
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_rows import Delivery
from extract.delivery.outbox_states import State
from extract.delivery.parcel import transfer_of
from extract.delivery.push_sftp import connect, in_our_words
from extract.delivery.subscription import Subscription, SubscriptionId
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import Reach, SftpTarget
from extract.errors import ExchangeRefused
from extract.exchange.names import RECEIPT
from extract.exchange.xml import MOST_BYTES, Receipt, read_receipt
from kernel import PlatformError

AT_ONCE: Final = 1_000
PATIENCE_S: Final = 60.0
"""With one server at a time: the others wait meanwhile. What is left has its turn next time."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    delivery: Delivery
    subscription: Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptDesk:
    """Fetches receipts for what was sent to SFTP servers that write them, one connection a target.

    tell   tell those whom it concerns, in the transaction of what it tells
    """

    outbox: Outbox
    subscriptions: Subscriptions
    key: Callable[[], paramiko.PKey]
    reach: Reach
    tell: Tell
    timeout_s: float = 30.0
    stopping: Callable[[], bool] = lambda: False

    def fetch(self) -> int:
        """How many were found. One server's trouble keeps nobody else's from being fetched."""
        found = 0
        for target, waiting in self._waiting().items():
            if self.stopping():
                break
            try:
                for each, receipt in self._received(target, waiting):
                    found += self._take(each, receipt)
            except PlatformError as error:
                _log.warning("receipts_not_fetched", endpoint=target.endpoint, code=error.code)
        return found

    def _waiting(self) -> Mapping[SftpTarget, list[Waiting]]:
        """What was sent and is not confirmed, by where receipts for it are written."""
        writing = {
            each.id: each
            for each in self.subscriptions.listed(ended=True)
            if isinstance(each.wish.target, SftpTarget) and each.wish.target.receipts
        }
        if not writing:
            return {}
        sent = self.outbox.book.listed(subscriptions=tuple(writing), states=frozenset({State.SENT}), limit=AT_ONCE)
        found: dict[SftpTarget, list[Waiting]] = {}
        for delivery in sent:
            subscription = writing[SubscriptionId(delivery.subscription)]
            target = subscription.wish.target
            if isinstance(target, SftpTarget):
                found.setdefault(target, []).append(Waiting(delivery, subscription))
        return found

    def _received(self, target: SftpTarget, waiting: Sequence[Waiting]) -> Iterator[tuple[Waiting, Receipt]]:
        """Raises TargetUnreachable, TargetDenied, TargetUntrusted, TargetFaulty, TargetRefused."""
        with in_our_words(), ExitStack() as opening:
            sftp = connect(target, self.key(), self.reach, self.timeout_s, opening)
            # Told when it is missing. Not listed: a folder can hold more names than we want to hear.
            sftp.stat(target.receipts)
            end = time.monotonic() + PATIENCE_S
            # In another order each time: a slow server keeps no delivery's turn from coming.
            for each in random.sample(waiting, len(waiting)):
                if time.monotonic() > end:
                    _log.warning("receipts_fetched_in_part", endpoint=target.endpoint)
                    return
                path = posixpath.join(target.receipts, f"{each.delivery.file}{RECEIPT}")
                receipt = _read(sftp, path, each.delivery)
                if receipt is not None:
                    yield each, receipt
                    # Only what is written down is taken away; one that stays after a crash is taken again, or is of
                    # no sending that waits.
                    with suppress(OSError):
                        sftp.remove(path)

    def _take(self, each: Waiting, receipt: Receipt) -> bool:
        delivery = each.delivery
        try:
            if receipt.taken:
                self.outbox.confirmed(delivery.id, "the receiver's server gave a receipt")
                return True
            numbers = ", ".join(str(number) for number in receipt.errors) or "without a number"
            fault = TargetFaulty(
                f"the receiver's server refused it: error {numbers}",
                remedy="ask its owner what is wrong, and have it mended",
            )
            self.outbox.refused(
                delivery.id, fault,
                tell=lambda db, done: self.tell(db, each.subscription, of_refused(each.subscription, done, fault)),
            )  # fmt: skip
        except DeliveryStepRefused:
            # Somebody was faster, or has it sent once more already.
            return False
        _log.warning("delivery_refused", delivery=delivery.id, errors=list(receipt.errors))
        return True


def _read(sftp: paramiko.SFTPClient, path: str, delivery: Delivery) -> Receipt | None:
    """A receipt for just this sending; None when it is another's, is gone, or is not written to its end yet."""
    try:
        with sftp.open(path, "rb") as file:
            receipt = read_receipt(file.read(MOST_BYTES + 1))
    except FileNotFoundError:
        return None
    except ExchangeRefused as error:
        _log.warning("receipt_unreadable", delivery=delivery.id, reason=error.message)
        return None
    mine = transfer_of(delivery.id, delivery.round)
    return receipt if receipt.senders_file_id in {None, mine} else None
