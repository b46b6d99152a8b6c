"""Extract: data given out in bulk. A plan says what; a file named by the plan's hash holds it; HTTPS and SFTP hand it
over.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from extract.cursor import Cursor
    from extract.delivery.alarms import AlarmKind
    from extract.delivery.circle import KEY as CIRCLE_KEY
    from extract.delivery.circle import Circle, Filter, FilterKind, Outcome
    from extract.delivery.circle_numbers import Seal
    from extract.delivery.circles import Circles
    from extract.delivery.desk import DeliveryDesk, told_delivery, told_subscription, wish_of
    from extract.delivery.figures import DeliveryFigures, Waiting, delivery_figures
    from extract.delivery.manifest import MANIFEST, SIGNATURE, Manifest
    from extract.delivery.outbox_states import State
    from extract.delivery.outbox_tables import Database
    from extract.delivery.sftp_server import SftpServer
    from extract.delivery.shelf import Shelf, Sign
    from extract.delivery.shelf_room import Allowance
    from extract.delivery.subscription import Kind, Standing
    from extract.errors import (
        CopyTooLarge,
        CursorRefused,
        DeltaNeedsKey,
        ExtractBroken,
        ExtractNotReady,
        FormatImpossible,
        ShelfFull,
        ViewChanged,
    )
    from extract.exchange import Exchange, InMetadata
    from extract.following import Extract
    from extract.form import Compression, Format
    from extract.formats import encode
    from extract.jobs import Job, Jobs, JobState, Progress
    from extract.place import made_now
    from extract.plan import Corrections, ExtractPlan, ExtractRequest, formats_of, plan_extract
    from extract.proof import Part, digests
    from extract.reading import estimate, rows_of, xml_schema_of
    from extract.settings import DeliverySettings, ExchangeSettings, ExtractSettings, SftpSettings
    from extract.store import ExtractStore

__all__ = [
    "CIRCLE_KEY",
    "MANIFEST",
    "SIGNATURE",
    "AlarmKind",
    "Allowance",
    "Circle",
    "Circles",
    "Compression",
    "CopyTooLarge",
    "Corrections",
    "Cursor",
    "CursorRefused",
    "Database",
    "DeliveryDesk",
    "DeliveryFigures",
    "DeliverySettings",
    "DeltaNeedsKey",
    "Exchange",
    "ExchangeSettings",
    "Extract",
    "ExtractBroken",
    "ExtractNotReady",
    "ExtractPlan",
    "ExtractRequest",
    "ExtractSettings",
    "ExtractStore",
    "Filter",
    "FilterKind",
    "Format",
    "FormatImpossible",
    "InMetadata",
    "Job",
    "JobState",
    "Jobs",
    "Kind",
    "Manifest",
    "Outcome",
    "Part",
    "Progress",
    "Seal",
    "SftpServer",
    "SftpSettings",
    "Shelf",
    "ShelfFull",
    "Sign",
    "Standing",
    "State",
    "ViewChanged",
    "Waiting",
    "delivery_figures",
    "digests",
    "encode",
    "estimate",
    "formats_of",
    "made_now",
    "plan_extract",
    "rows_of",
    "told_delivery",
    "told_subscription",
    "wish_of",
    "xml_schema_of",
]

hang_door(__name__)
