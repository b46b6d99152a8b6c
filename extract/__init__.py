"""Extract: data given out in bulk. A plan says what; a file named by the plan's hash holds it; HTTPS and SFTP hand it
over.
"""

from extract.delivery.manifest import Manifest
from extract.delivery.sftp_server import SftpServer
from extract.delivery.shelf import Shelf
from extract.errors import ExtractBroken, ExtractNotReady
from extract.exchange import Exchange, InMetadata
from extract.plan import ExtractPlan, ExtractRequest, Format, plan_extract
from extract.settings import ExchangeSettings, SftpSettings
from extract.store import Extract, ExtractStore

__all__ = [
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
    "plan_extract",
]
