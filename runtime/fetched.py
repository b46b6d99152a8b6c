"""Hearing of what was fetched whole: it may be a delivery that waits to be taken."""

import structlog

from extract.delivery.outbox import Outbox
from kernel import Channel, Observation, RowsDelivered

_log = structlog.get_logger(__name__)


def noticed(outbox: Outbox, fact: Observation) -> None:
    """Nothing that goes wrong here may stop an answer."""
    if isinstance(fact, RowsDelivered) and fact.whole and fact.channel is not Channel.PUSH:
        try:
            outbox.fetched(fact.agreement, fact.extract)
        except Exception as error:
            _log.error("fetch_not_noticed", error=type(error).__name__)
