"""Extracts whose time is over go: from shelves, from the files by content, and from what was asked for."""

from datetime import timedelta

import structlog

from api.sharing import tidy_changes
from extract import Database, ExtractStore, Jobs, Shelf
from extract.delivery.outbox_book import OutboxBook
from runtime.clock import CLOCK
from runtime.instance import Instance
from runtime.migrated import open_control
from runtime.settings import Settings
from runtime.sharing import changes_of
from runtime.wiring import unread

_log = structlog.get_logger(__name__)


def tidy_extracts(instance: Instance, settings: Settings) -> None:
    """What is on a shelf stays among the files, what somebody reads or makes is left alone, and what an open delivery
    names stays on its shelf, however old it is.
    """
    now, rules = CLOCK.now(), settings.extracts
    keep = timedelta(hours=rules.keep_hours)
    with (
        ExtractStore(instance.extracts / "files", unread, clock=CLOCK) as store,
        open_control(instance, settings) as control,
    ):
        book = OutboxBook(Database(control.reading, control.noting))
        jobs = Jobs(instance.extracts / "jobs", store, CLOCK, keep).tidy()
        shelved = Shelf(instance.extracts / "agreements").tidy(now - timedelta(days=rules.shelf_days), book.names)
        files = store.tidy(now - keep)
    feeds = tidy_changes(changes_of(instance), instance.extracts / "files", now - keep)
    if jobs or shelved or files or feeds:
        _log.info("extracts_tidied", jobs=jobs, from_shelves=shelved, files=files, change_feeds=feeds)
