"""A table or a query of a PostgreSQL database."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from sync.connectors.address import LOOPBACK
from sync.connectors.secret import Secret, SecretName
from sync.sources.port import Connector
from sync.sources.sql_reading import Database, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSpec:
    """database   without the password, which is read for each run"""

    database: Database
    password: Secret | None
    reading: Reading

    def connect(self, work: Path) -> Connector:
        # Late: most processes never call a database.
        from sync.sources.sql import SqlRows

        database = replace(self.database, password=self.password.text() if self.password else None)
        return SqlRows(database, self.reading, work)


class _ChangesBody(BaseModel, extra="forbid"):
    column: str = Field(min_length=1)
    first: str = ""


class SqlBody(BaseModel, extra="forbid"):
    kind: Literal["sql"]
    dialect: Literal["postgresql"] = "postgresql"
    host: str = Field(min_length=1)
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: SecretName | None = None
    table: str | None = Field(default=None, pattern=r"^[^.]+(\.[^.]+)?$")
    query: str | None = Field(default=None, min_length=1)
    changes: _ChangesBody | None = None
    authority: Path | None = None
    clear_text: bool = False
    timeout_s: float = Field(default=30.0, gt=0)
    deadline_s: float = Field(default=3600.0, gt=0)
    max_bytes: int = Field(default=100_000_000_000, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("name either table or query")
        return self

    def to_spec(self, root: Path) -> SqlSpec:
        local = self.host in LOOPBACK or self.host.startswith("/")
        database = Database(
            host=self.host,
            port=self.port,
            name=self.database,
            user=self.user,
            authority=root / self.authority if self.authority else None,
            in_clear=self.clear_text or (local and self.authority is None),
            timeout_s=self.timeout_s,
            deadline_s=self.deadline_s,
            max_bytes=self.max_bytes,
        )
        reading = Reading(
            table=tuple(self.table.split(".")) if self.table else (),
            query=(self.query or "").strip().rstrip(";"),
            column=self.changes.column if self.changes else None,
            first=self.changes.first if self.changes else "",
        )
        return SqlSpec(
            database=database,
            password=Secret.named(root, self.password) if self.password else None,
            reading=reading,
        )
