"""The file of a delivery: planned anew at each attempt, so what leaves is what the agreement lets out on that day."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from extract.cursor import Cursor
from extract.delivery.faults import SubscriptionInvalid
from extract.delivery.manifest import Manifest
from extract.delivery.naming import file_name
from extract.delivery.outbox_rows import Delivery
from extract.delivery.parcel import Parcel
from extract.delivery.shelf import Shelf
from extract.delivery.subscription import Contents, Kind, Subscription
from extract.plan import Corrections, ExtractPlan, ExtractRequest, ensure_possible, plan_extract
from extract.store import ExtractStore
from kernel import COPENHAGEN, Clock, Grant, ServiceName, SnapshotId
from replica import HistoryExpired, SnapshotInfo
from schemas import Dataset

Alive = Callable[[], None]
InfoOf = Callable[[Dataset, SnapshotId | None], SnapshotInfo]
"""A dataset as of a snapshot, or as it is now (None). Raises HistoryExpired, DatasetNotReady; may block."""

WHY_FULL: Final[Mapping[str, str]] = {
    "history_expired": "the history since the delivery before is not kept any more",
    "view_changed": "the agreement shows other rows or columns than at the delivery before",
    "circle_forgotten": "the delivery before is so old that who left the circle since then is not known any more",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes files of full and changes deliveries, or finds them made.

    dataset_of    the dataset that a service gives out
    before        SHA-256 of the manifest of the delivery before, None for the first
    """

    store: ExtractStore
    shelf: Shelf
    dataset_of: Callable[[ServiceName], Dataset]
    info_of: InfoOf
    corrections: Corrections
    clock: Clock
    before: Callable[[Delivery], str | None] = lambda _: None

    def __call__(self, subscription: Subscription, grant: Grant, delivery: Delivery, alive: Alive) -> Parcel:
        """Raises what `plan_extract` raises, ExtractBroken, and what `alive` raises."""
        plan = self.plan(subscription.wish.contents, grant, delivery)
        extract = self.store.open(plan)
        for _ in extract.chunks():
            alive()
        made = extract.manifest
        template = subscription.wish.contents.name
        name = plan.file_name
        if template is not None:
            name = file_name(
                template, planned=delivery.planned, agreement=grant.agreement, number=delivery.number,
                snapshot=plan.snapshot,
            )  # fmt: skip
        because = plan.full_because
        text = self.described(made, delivery, name, because)
        return Parcel(
            delivery=delivery.id,
            round=delivery.round,
            name=name,
            path=extract.path,
            extract=plan.id,
            snapshot=plan.snapshot,
            rows=made.rows,
            size_bytes=made.size_bytes,
            sha256=made.sha256,
            media_type=plan.media_type,
            manifest=text,
            signature=None if self.shelf.sign is None else self.shelf.sign(text),
            described=made,
            cursor=None if plan.cursor is None else str(plan.cursor),
            why_full="" if because is None else WHY_FULL.get(because, because),
            published=plan.published,
            on_shelf=lambda: self.shelf.put(grant.agreement, extract),
        )

    def described(self, made: Manifest, delivery: Delivery, name: str, because: str | None) -> bytes:
        """The manifest as it is sent: in the chain of its subscription's."""
        chained = made.numbered(delivery.number, self.before(delivery), because)
        return replace(chained, file=name).to_json()

    def plan(self, contents: Contents, grant: Grant, delivery: Delivery) -> ExtractPlan:
        """What is written. When the snapshot that was planned for is not kept any more, the newest takes its place."""
        dataset = self.dataset_of(grant.service)
        since = None if contents.kind is Kind.FULL or delivery.since is None else Cursor.read(delivery.since)
        request = ExtractRequest(
            format=contents.format,
            compression=contents.compression,
            columns=contents.columns,
            since=since,
            otherwise_full=since is not None,
        )
        info = None
        with suppress(HistoryExpired):
            info = self.info_of(dataset, SnapshotId(delivery.until))
        if info is None:
            info = self.info_of(dataset, None)
        return plan_extract(request, narrowed(grant, contents), dataset, info, self._today(), self.corrections)

    def check(self, contents: Contents, grant: Grant) -> None:
        """Whether a delivery could be made now. Raises what `plan_extract` raises, DatasetNotReady, and
        SubscriptionInvalid for a filter by what nobody may filter by.
        """
        dataset = self.dataset_of(grant.service)
        ensure_possible(contents.format, dataset, changes=contents.kind is Kind.CHANGES)
        for column in contents.rows:
            if column not in dataset.names or (grant.columns is not None and column not in grant.columns):
                raise SubscriptionInvalid(
                    "a filter names a column that the agreement does not cover",
                    remedy="filter by columns that the agreement covers",
                    rule="subscription.rows",
                )
        info = self.info_of(dataset, None)
        request = ExtractRequest(format=contents.format, compression=contents.compression, columns=contents.columns)
        plan = plan_extract(request, narrowed(grant, contents), dataset, info, self._today())
        if contents.kind is not Kind.FULL and plan.cursor is None:
            raise SubscriptionInvalid(
                f"changes cannot be told without {dataset.key}, which says whose row it is",
                remedy=f"take {dataset.key} into the columns, or subscribe to full deliveries",
                rule="subscription.columns",
            )

    def _today(self) -> date:
        return self.clock.now().astimezone(COPENHAGEN).date()


def narrowed(grant: Grant, contents: Contents) -> Grant:
    """A grant with the subscriber's own filter on top: rows of both, never of one alone."""
    if not contents.rows:
        return grant
    wanted = {name: frozenset(values) for name, values in contents.rows.items()}
    both = {name: values & wanted.get(name, values) for name, values in grant.rows.items()}
    return replace(grant, rows={**wanted, **both})
