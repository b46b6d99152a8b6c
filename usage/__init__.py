"""Usage: accounts for every call. The ledger is written before the answer leaves; its files enter the usage lake,
each event exactly once; analysts ask with SQL.

    Observation -> Ledger.record() -> ledger files -> take_in() -> usage lake -> ask()
                                            └──────── not yet taken in ─────────────┘

No personal identifier stands here in clear: `subject_hash` gives the keyed hash under which it is on record.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from usage.backlog import Backlog, backlog_of
    from usage.chain import Fault
    from usage.decisions import find_decisions
    from usage.errors import (
        LedgerUnavailable,
        SqlInvalid,
        SqlRefused,
        SqlTimeout,
        SqlTooLarge,
        UsageBusy,
        UsageDamaged,
        UsageUnavailable,
    )
    from usage.intake import TakenIn, take_in
    from usage.ledger import Ledger
    from usage.settings import UsageSettings
    from usage.sql import Answer, ask
    from usage.subject import subject_hash
    from usage.verify import verify

__all__ = [
    "Answer",
    "Backlog",
    "Fault",
    "Ledger",
    "LedgerUnavailable",
    "SqlInvalid",
    "SqlRefused",
    "SqlTimeout",
    "SqlTooLarge",
    "TakenIn",
    "UsageBusy",
    "UsageDamaged",
    "UsageSettings",
    "UsageUnavailable",
    "ask",
    "backlog_of",
    "find_decisions",
    "subject_hash",
    "take_in",
    "verify",
]

hang_door(__name__)
