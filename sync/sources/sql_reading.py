"""Where a database is, and what is read there. A module of its own: it is read without loading the library."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """host        a name, or the folder of a socket
    authority   that the server's certificate is from; None: the public ones
    in_clear    the connection need not be encrypted
    """

    host: str
    port: int
    name: str
    user: str
    password: str | None = field(default=None, repr=False)
    authority: Path | None = None
    in_clear: bool = False
    timeout_s: float = 30.0
    deadline_s: float = 3600.0
    max_bytes: int = 100_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """table    with its schema, when it has one; or a query
    column   by which rows that are new or other since are known; None: all rows, each time
    first    its value to begin at; "" for the beginning
    """

    table: tuple[str, ...] = ()
    query: str = ""
    column: str | None = None
    first: str = ""

    @property
    def mark(self) -> str:
        """Positions of another reading than this mean nothing here."""
        return hashlib.sha256(f"{self.table} {self.query} {self.column} {self.first}".encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        return re.sub(r"[^A-Za-z0-9_-]", "-", self.table[-1] if self.table else "query")[:80] + ".parquet"
