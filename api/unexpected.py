"""Faults of ours: logged without their message, and told as what they are."""

import structlog

from api.errors import Unexpected
from api.request import Request
from kernel import HouseFault

_log = structlog.get_logger(__name__)


def unexpected(error: Exception, request: Request) -> HouseFault:
    """Log a fault of ours, without its message: that may hold what the caller sent."""
    where = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        where.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    _log.error("request_failed", trace=request.trace, error=type(error).__name__, where=where[-8:])
    return Unexpected("something failed that should not", remedy="report it with the trace id")
