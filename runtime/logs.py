"""Logs: one JSON line per event, RFC 3339 in UTC, on standard error. On a terminal: the same, readable."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from kernel import CallAnswered, CallRefused, Observation, RowsDelivered


def configure_logs(*, role: str, level: str = "info", human: bool | None = None) -> None:
    """Set up structlog and the standard library's logging, which the servers use, alike.

    role    stands in every line (api, sftp, worker, up, cli)
    human   readable lines instead of JSON; by default when standard error is a terminal
    """
    human = sys.stderr.isatty() if human is None else human

    def with_role(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["role"] = role
        return event

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_role,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    # A traceback without local variables: they may hold rows.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = plain if human else structlog.processors.JSONRenderer()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # paramiko tells each packet's story at INFO, and a path that a client typed may hold anything.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    # httpx2 tells each address at INFO, with its query.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


_log = structlog.get_logger("runtime.calls")


def write_log(observation: Observation) -> None:
    """One line per refusal and delivery, for operators. Answered calls are in the ledger, not in the log."""
    match observation:
        case CallRefused():
            _log.info(
                "call_refused", code=observation.code, status=observation.status, trace=observation.trace,
                service=observation.service, system=observation.system, channel=observation.channel.value,
            )  # fmt: skip
        case RowsDelivered():
            _log.info(
                "rows_delivered", trace=observation.trace, service=observation.service,
                system=observation.system, rows=observation.rows, size_bytes=observation.size_bytes,
                whole=observation.whole, channel=observation.channel.value,
            )  # fmt: skip
        case CallAnswered():
            pass
