"""What can go wrong with the accounts."""

from typing import Final

from kernel import CallerMistake, HouseFault, RequestInvalid, TryAgainLater


class LedgerUnavailable(TryAgainLater):
    """The ledger line could not be written, so the answer must not leave."""

    code = "ledger_unavailable"
    title = "The call cannot be put on record, so it is not answered"


class UsageBusy(TryAgainLater):
    code = "usage_busy"
    title = "Another process is writing to the usage lake"


class UsageUnavailable(TryAgainLater):
    code = "usage_unavailable"
    title = "The usage lake cannot be written just now"


class UsageDamaged(HouseFault):
    code = "usage_damaged"
    title = "The usage lake cannot be read"


class SqlRefused(RequestInvalid):
    """The question asks for something that analysts are not offered."""

    code = "sql_refused"
    title = "This SQL is not allowed here"


class SqlInvalid(RequestInvalid):
    code = "sql_invalid"
    title = "This SQL cannot be answered as it is written"


class SqlTimeout(CallerMistake):
    code = "sql_timeout"
    status = 408
    title = "The question took too long"


class SqlTooLarge(CallerMistake):
    code = "sql_too_large"
    status = 413
    title = "The question needs more room than one question gets"


TIME_IS_UP: Final = 75
"""Exit code of a sandbox whose question could not be interrupted."""


def took_too_long(timeout_s: float) -> SqlTimeout:
    return SqlTimeout(
        f"the question was stopped after {timeout_s:g} seconds",
        remedy="ask about fewer days, or aggregate before joining",
        rule="usage.sql_timeout_s",
    )
