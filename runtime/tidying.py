"""Extracts whose time is over go: from shelves, from the files by content, and from what was asked for."""

from datetime import timedelta

import structlog

from extract import ExtractStore, Jobs, Shelf
from runtime.instance import Instance
from runtime.settings import Settings
from runtime.wiring import CLOCK, unread

_log = structlog.get_logger(__name__)


def tidy_extracts(instance: Instance, settings: Settings) -> None:
    """What is on a shelf stays among the files, and what somebody reads or makes is left alone."""
    now, rules = CLOCK.now(), settings.extracts
    keep = timedelta(hours=rules.keep_hours)
    with ExtractStore(instance.extracts / "files", unread, clock=CLOCK) as store:
        jobs = Jobs(instance.extracts / "jobs", store, CLOCK, keep).tidy()
        shelved = Shelf(instance.extracts / "agreements").tidy(now - timedelta(days=rules.shelf_days))
        files = store.tidy(now - keep)
    if jobs or shelved or files:
        _log.info("extracts_tidied", jobs=jobs, from_shelves=shelved, files=files)
