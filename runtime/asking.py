"""Questions to the accounts of an instance."""

from collections.abc import Mapping
from datetime import timedelta
from threading import Lock
from typing import Any, Final

from kernel import TraceId, TryAgainLater
from runtime.clock import CLOCK
from runtime.instance import Instance
from runtime.settings import Settings
from usage import Answer, ask, find_decisions

DECISIONS_KEPT: Final = timedelta(days=35)
_LOOKING: Final = Lock()
"""Looking for a decision opens the usage lake: one at a time, so that nobody keeps lookups waiting with it."""


class Busy(TryAgainLater):
    code = "decisions_busy"
    title = "Decisions are looked for one at a time"


def ask_usage(instance: Instance, settings: Settings, sql: str, *, cvr: str | None = None) -> Answer:
    """An analyst's question, with the instance's limits."""
    return ask(
        instance.ledger,
        instance.usage,
        sql,
        cvr=cvr,
        max_rows=settings.usage.sql_max_rows,
        timeout_s=settings.usage.sql_timeout_s,
        memory_mb=settings.usage.sql_memory_mb,
    )


def decisions_of(instance: Instance, trace: TraceId) -> tuple[Mapping[str, Any], ...]:
    """What the ledger says of the calls with a trace id, of the last 35 days."""
    if not _LOOKING.acquire(timeout=2.0):
        raise Busy("others look for decisions now", remedy="call again", retry_after_s=5)
    try:
        return find_decisions(instance.ledger, instance.usage, trace, since=CLOCK.now() - DECISIONS_KEPT)
    finally:
        _LOOKING.release()
