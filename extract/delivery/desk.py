"""The delivery desk: where subscriptions are made and deliveries asked about, by REST and by the command line.

A caller is a system, or the operator (None), who sees all. What is another's is as if it did not exist.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from extract.delivery.faults import DeliveryUnknown, SubscriptionInvalid, SubscriptionUnknown
from extract.delivery.naming import CIRCLE, checked_template
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_rows import Delivery, StepTaken
from extract.delivery.outbox_states import State
from extract.delivery.schedule import PUBLICATION, Schedule
from extract.delivery.subscription import Contents, DeliveryId, Kind, Standing, Subscription, SubscriptionId, Wish
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import HttpsTarget, Reach, SftpTarget, Target, target_of, told_of
from extract.form import Compression, Format
from kernel import AgreementId, Grant, ServiceName, SystemId

Viewer = SystemId | None
"""Who asks: a system, or the operator."""

_KNOWN: Final = frozenset(
    {
        "service",
        "agreement",
        "kind",
        "format",
        "compression",
        "columns",
        "rows",
        "name",
        "schedule",
        "target",
        "confirm_within_s",
        "purpose",
    }
)
_E = TypeVar("_E", bound=StrEnum)
LONGEST_WAIT_S: Final = 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDesk:
    """check    whether a delivery of that kind could be made and counted now, under a grant; raises why not
    secret   what an HTTPS endpoint checks our signatures with, as its owner is told
    """

    subscriptions: Subscriptions
    outbox: Outbox
    reach: Reach
    check: Callable[[Wish, Grant], None]
    secret: Callable[[SubscriptionId], str]

    def subscribe(self, wish: Wish, grant: Grant, *, by: str) -> Subscription:
        """Raises what keeps it from being delivered now: by the agreement, the contents or the target."""
        self.check(wish, grant)
        match wish.target:
            case SftpTarget(host=host, port=port):
                self.reach.address(host, port)
            case HttpsTarget() as target:
                self.reach.address(*host_of(target))
            case _:
                pass
        return self.subscriptions.add(wish, by=by)

    def subscription(self, viewer: Viewer, subscription: str) -> Subscription:
        """Raises SubscriptionUnknown."""
        found = self.subscriptions.get(SubscriptionId(subscription))
        if viewer is not None and found.wish.system != viewer:
            raise SubscriptionUnknown("the system has no subscription with this id", remedy="list its subscriptions")
        return found

    def turn(self, viewer: Viewer, subscription: str, to: Standing, reason: str) -> Subscription:
        """Raises SubscriptionUnknown, SubscriptionStepRefused."""
        return self.subscriptions.turn(self.subscription(viewer, subscription).id, to, reason)

    def deliveries(
        self, viewer: Viewer, *, subscription: str | None = None, state: State | None = None, limit: int = 100
    ) -> tuple[Delivery, ...]:
        """Newest first. Raises SubscriptionUnknown."""
        if subscription is not None:
            wanted: tuple[SubscriptionId, ...] | None = (self.subscription(viewer, subscription).id,)
        elif viewer is not None:
            wanted = tuple(each.id for each in self.subscriptions.listed(system=viewer, ended=True))
        else:
            wanted = None
        states = None if state is None else frozenset({state})
        return self.outbox.book.listed(subscriptions=wanted, states=states, limit=limit)

    def delivery(self, viewer: Viewer, delivery: str) -> tuple[Delivery, tuple[StepTaken, ...]]:
        """Raises DeliveryUnknown."""
        found, steps = self.outbox.book.get(DeliveryId(delivery))
        if viewer is not None and self.subscriptions.get(found.subscription).wish.system != viewer:
            raise DeliveryUnknown("the system has no delivery with this id", remedy="list its deliveries")
        return found, steps

    def receipt(self, viewer: Viewer, delivery: str, *, sha256: str | None, damaged: bool) -> Delivery:
        """The receiver says what became of it. A sum that is another than ours is damage, whatever it says.

        Raises DeliveryUnknown, DeliveryStepRefused.
        """
        found, _ = self.delivery(viewer, delivery)
        if damaged or (sha256 is not None and sha256.lower() != found.sha256):
            return self.outbox.rejected(found.id, "the receiver says that it is damaged")
        return self.outbox.confirmed(found.id, "the receiver said so")

    def redeliver(self, viewer: Viewer, delivery: str, *, by: str) -> Delivery:
        """Raises DeliveryUnknown, DeliveryStepRefused."""
        found, _ = self.delivery(viewer, delivery)
        return self.outbox.redelivered(found.id, f"asked for by {by}")

    def cancel(self, viewer: Viewer, delivery: str, *, by: str) -> Delivery:
        """Raises DeliveryUnknown, DeliveryStepRefused."""
        found, _ = self.delivery(viewer, delivery)
        return self.outbox.cancelled(found.id, f"cancelled by {by}")


def wish_of(told: Mapping[str, Any], *, agreement: AgreementId, system: SystemId, service: ServiceName) -> Wish:
    """What somebody asks for, from plain values, each of them checked. Raises SubscriptionInvalid, TargetInvalid."""
    if unknown := sorted(set(told) - _KNOWN):
        field = unknown[0] if unknown[0].isidentifier() and len(unknown[0]) < 40 else "of that name"
        raise _invalid(field, "left out: there is no such field")
    kind = _one_of("kind", told.get("kind", Kind.CHANGES), Kind)
    target = told.get("target", {"kind": "inbox" if kind is Kind.CIRCLE else "shelf"})
    if not isinstance(target, Mapping):
        raise _invalid("target", "an object")
    made: Target = target_of(target)
    pulled = isinstance(made, HttpsTarget) and made.notify
    if pulled and kind is not Kind.CIRCLE and told.get("name") is not None:
        raise _invalid("notify", "false for files with names of their own: on the shelf they have the extract's")
    name = told.get("name", CIRCLE if kind is Kind.CIRCLE else None)
    if name is not None and not isinstance(name, str):
        raise _invalid("name", "a template of file names")
    wait = told.get("confirm_within_s", None if isinstance(made, SftpTarget) and not made.receipts else 86_400)
    if wait is not None and (not isinstance(wait, int) or isinstance(wait, bool) or not 60 <= wait <= LONGEST_WAIT_S):
        raise _invalid("confirm_within_s", "null, or seconds, from 60 to a year")
    circle = kind is Kind.CIRCLE
    file_format = _one_of("format", told.get("format", Format.CPR if circle else Format.CSV), Format)
    compression = _one_of("compression", told.get("compression", Compression.NONE), Compression)
    if circle and file_format is not Format.CPR:
        raise _invalid("format", "cpr, or left out: a circle's files are the register's own lines")
    if circle and compression is not Compression.NONE:
        raise _invalid("compression", "none, or left out, for the files of a circle")
    purpose = told.get("purpose")
    if purpose is not None and not isinstance(purpose, str):
        raise _invalid("purpose", "the code of one of the agreement's purposes")
    schedule = told.get("schedule", PUBLICATION)
    if not isinstance(schedule, str):
        raise _invalid("schedule", "a text")
    return Wish(
        agreement=agreement,
        system=system,
        service=service,
        contents=Contents(
            kind=kind,
            format=file_format,
            compression=compression,
            columns=_names("columns", told.get("columns")),
            rows=_rows(told.get("rows", {})),
            name=None if name is None else checked_template(name),
        ),
        schedule=Schedule.of(schedule),
        target=made,
        confirm_within_s=wait,
        purpose=purpose,
    )


def told_subscription(found: Subscription) -> dict[str, Any]:
    """As plain values, for JSON. No personal data."""
    wish = found.wish
    return {
        "id": found.id, "service": wish.service, "agreement": wish.agreement, "system": wish.system,
        "kind": wish.contents.kind, "format": wish.contents.format, "compression": wish.contents.compression,
        "columns": wish.contents.columns,
        "rows": {name: list(values) for name, values in wish.contents.rows.items()}, "name": wish.contents.name,
        "schedule": wish.schedule.text, "target": told_of(wish.target), "confirm_within_s": wish.confirm_within_s,
        "purpose": wish.purpose,
        "state": found.standing, "reason": found.reason, "created": found.created, "deliveries": found.deliveries,
        "snapshot": found.reached, "cursor": found.cursor,
    }  # fmt: skip


def told_delivery(found: Delivery) -> dict[str, Any]:
    """As plain values, for JSON. No personal data."""
    return {
        "id": found.id, "subscription": found.subscription, "number": found.number, "state": found.state,
        "kind": "full" if found.since is None else "changes", "why_full": found.why_full or None,
        "snapshot": found.until, "cursor_from": found.since, "cursor": found.cursor, "file": found.file,
        "rows": found.rows, "bytes": found.size_bytes, "sha256": found.sha256, "attempts": found.attempts,
        "due": found.due, "fault": found.fault, "fault_code": found.fault_code, "planned": found.planned,
        "sent": found.sent, "received": found.received, "alarmed": found.alarmed,
    }  # fmt: skip


def host_of(target: HttpsTarget) -> tuple[str, int]:
    parts = urlsplit(target.url)
    return parts.hostname or "", parts.port or 443


def _one_of(field: str, value: Any, kinds: type[_E]) -> _E:
    if not isinstance(value, str) or value not in set(kinds):
        raise _invalid(field, f"one of {', '.join(each.value for each in kinds)}")
    return kinds(value)


def _names(field: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise _invalid(field, "a list of names")
    return tuple(dict.fromkeys(value))


def _rows(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping) or len(value) > 10:
        raise _invalid("rows", "an object: column -> list of values")
    return {str(name): _names("rows", values) or () for name, values in value.items()}


def _invalid(field: str, form: str) -> SubscriptionInvalid:
    return SubscriptionInvalid(
        f"the field {field} is not as it must be", remedy=f"{field} must be {form}", rule=f"subscription.{field}"
    )
