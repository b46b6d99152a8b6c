"""Extract: data given out in bulk. A plan says what; a file named by the plan's hash holds it; HTTPS and SFTP hand it
over.
"""

from extract.cursor import Cursor
from extract.delivery.manifest import Manifest
from extract.delivery.sftp_server import SftpServer
from extract.delivery.shelf import Shelf
from extract.errors import CursorRefused, DeltaNeedsKey, ExtractBroken, ExtractNotReady, ViewChanged
from extract.exchange import Exchange, InMetadata
from extract.plan import Corrections, ExtractPlan, ExtractRequest, Format, plan_extract
from extract.reading import rows_of
from extract.settings import ExchangeSettings, SftpSettings
from extract.store import Extract, ExtractStore

__all__ = [
    "Corrections",
    "Cursor",
    "CursorRefused",
    "DeltaNeedsKey",
    "Exchange",
    "ExchangeSettings",
    "Extract",
    "ExtractBroken",
    "ExtractNotReady",
    "ExtractPlan",
    "ExtractRequest",
    "ExtractStore",
    "Format",
    "InMetadata",
    "Manifest",
    "SftpServer",
    "SftpSettings",
    "Shelf",
    "ViewChanged",
    "plan_extract",
    "rows_of",
]
