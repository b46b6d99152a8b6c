"""What the worker does about deliveries: plans them, sends them, and says aloud what nobody took."""

from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from control import OrganisationKind, Role
from control.notices import tell as tell_inbox
from extract.delivery.alarms import Alarm, AlarmKind, find_alarms
from extract.delivery.notices import of_alarm
from extract.delivery.push_https import EVENTS, Letter, event_of
from extract.delivery.receipts import ReceiptDesk
from extract.delivery.ssh_keys import private_key
from kernel import DiskFull, PlatformError
from runtime.clock import CLOCK
from runtime.delivering import Delivering, poster_of, reach_of, tell_owner
from runtime.delivery_keys import delivery_ssh_key
from runtime.scheduler import Job

ALARMS_EVERY_S: Final = 30.0
RECEIPTS_EVERY_S: Final = 30.0
WAITS: Final = "dk.knudepunkt.delivery.waits"

_log = structlog.get_logger(__name__)


def delivery_jobs(delivering: Delivering | None, every_s: float) -> tuple[Job, ...]:
    """Planning and sending apart, so that a slow receiver keeps nothing from being planned."""
    if delivering is None:
        return ()
    return (
        Job(name="plan_deliveries", every_s=every_s, run=delivering.plan),
        Job(name="send_deliveries", every_s=every_s, run=delivering.send),
        Job(name="fetch_receipts", every_s=max(every_s, RECEIPTS_EVERY_S), run=lambda: _fetch_receipts(delivering)),
        Job(name="delivery_alarms", every_s=max(every_s, ALARMS_EVERY_S), run=lambda: raise_alarms(delivering)),
    )


def receipts_of(delivering: Delivering) -> ReceiptDesk:
    """Who fetches receipts from the SFTP servers that write them."""
    return ReceiptDesk(
        outbox=delivering.outbox,
        subscriptions=delivering.subscriptions,
        key=lambda: private_key(delivery_ssh_key(delivering.house.instance)),
        reach=reach_of(delivering.settings),
        tell=partial(tell_owner, delivering.house),
        timeout_s=delivering.settings.timeout_s,
        stopping=delivering.stopping,
    )


def _fetch_receipts(delivering: Delivering) -> None:
    receipts_of(delivering).fetch()


def raise_alarms(delivering: Delivering) -> None:
    """Say aloud what nobody took: to the supplier's inbox, unless it was told there when it happened, the log, and the
    operator's own address; what is held back for lack of room to the operator's inbox too.
    """

    def tell(db: Connection, alarm: Alarm) -> None:
        if alarm.kind is AlarmKind.HELD:
            _tell_operators(delivering, db, alarm)
        notice = of_alarm(alarm)
        if notice is not None:
            subscription = delivering.subscriptions.get(alarm.delivery.subscription)
            tell_owner(delivering.house, db, subscription, notice)

    for each in find_alarms(delivering.database, CLOCK, tell):
        found = each.delivery
        _log.warning(
            "delivery_not_taken", delivery=found.id, subscription=found.subscription, state=found.state,
            since=each.since.isoformat(),
        )  # fmt: skip
        _post(delivering, each)


def _tell_operators(delivering: Delivering, db: Connection, alarm: Alarm) -> None:
    """Into the operator's inboxes. Of a full disk once a day, however many deliveries wait for it; of all else each."""
    found, now = alarm.delivery, CLOCK.now()
    full = found.fault_code == DiskFull.code
    for each in delivering.house.control.organisations():
        if each.kind is OrganisationKind.OPERATOR:
            tell_inbox(
                db, to=each.id, roles=frozenset({Role.OPERATOR}), subject="A delivery is held back",
                text=f"{alarm.words} It leaves by itself when there is room.",
                about=f"subscription {found.subscription}", at=now,
                reminder=f"{found.fault_code} {now:%Y-%m-%d} {each.id}" if full else None,
            )  # fmt: skip


def _post(delivering: Delivering, alarm: Alarm) -> None:
    given, found = delivering.settings, alarm.delivery
    if not given.alarm_url:
        return
    data = {"delivery": found.id, "subscription": found.subscription, "state": found.state, "text": alarm.words}
    body = event_of(found.id, given.public_url, WAITS, alarm.since, data)
    letter = Letter(id=f"{found.id}-alarm", media_type=EVENTS, size_bytes=len(body), body=lambda: (body,))
    try:
        poster_of(delivering.house.instance, given, given.alarm_url, "alarms").post(letter)
    except PlatformError as error:
        _log.error("alarm_not_posted", delivery=found.id, code=error.code)
