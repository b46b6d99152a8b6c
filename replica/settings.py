"""What an operator may set about the mirror."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSettings:
    """encrypt        Parquet files of the mirror are encrypted; decided when the lake is made
    memory_limit   of DuckDB in each process, in its own words
    threads        of DuckDB in each process; None for one per core
    search_timeout_s   a search that takes longer is stopped, seconds
    keep_days      how long a publication can be read after a newer one replaced it, days
    quarantine_days   how long held-back lines are kept, days; they are personal data
    reader_patience_s   how long maintenance waits for running reads before it leaves old files lying, seconds
    fold_share     deltas fold into a new base when they pass this share of its rows
    """

    encrypt: bool = True
    memory_limit: str = "2GB"
    threads: int | None = None
    search_timeout_s: float = 4.0
    keep_days: float = 30.0
    quarantine_days: float = 90.0
    reader_patience_s: float = 10.0
    fold_share: float = 0.2
