"""What an operator may set about the accounts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSettings:
    """Section `[usage]` of the settings.

    rotate_mb       a ledger file is sealed when it has this size, 10^6 bytes
    rotate_s        ... or when its first event is this old, seconds; what is sealed can enter the usage lake
    fsync_ms        how much of the ledger a power cut may take, milliseconds; 0 = each line is on the disk
                    before its answer leaves (a `kill -9` takes nothing, whatever stands here)
    sql_max_rows    rows in an answer to an analyst
    sql_timeout_s   how long one question may run, seconds
    sql_memory_mb   how much memory one question may take, 10^6 bytes
    """

    rotate_mb: int = 64
    rotate_s: float = 60.0
    fsync_ms: int = 1_000
    sql_max_rows: int = 10_000
    sql_timeout_s: float = 30.0
    sql_memory_mb: int = 1_000

    def __post_init__(self) -> None:
        for name in ("rotate_mb", "rotate_s", "sql_max_rows", "sql_timeout_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.fsync_ms < 0:
            raise ValueError("fsync_ms must be 0 or more")
        if self.sql_memory_mb < 200:
            raise ValueError("sql_memory_mb must be 200 or more: the engine needs that much to start")
