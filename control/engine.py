"""The engine of the control database: SQLite or PostgreSQL, one way to read and one way to write.

A writer queues behind other writers instead of failing; a reader sees one picture of the database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from control.errors import ControlUnreachable
from kernel import full_disk_told, no_room, says_full

BUSY_TIMEOUT_S: Final = 30.0
_WRITES: Final = "control_writes"


def open_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        # A connection that the server let go of meanwhile is noticed before it is used.
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        # The driver's own transactions begin too late: a read before the first write could be of an older picture.
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer that began as a reader would be refused at once when another wrote in between, whatever the time-out.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent picture of the database."""
    with _connected(engine) as db:
        if db.dialect.name == "postgresql":
            # Its default gives every statement a picture of its own.
            db.execution_options(isolation_level="REPEATABLE READ")
        with db.begin():
            yield db


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that changes something: committed when the block ends well, else as if it never began.

    Raises DiskFull when there is no room for it.
    """
    with full_disk_told(), _connected(engine).execution_options(**{_WRITES: True}) as db, db.begin():
        yield db


def _connected(engine: Engine) -> Connection:
    """Raises ControlUnreachable, DiskFull."""
    try:
        return engine.connect()
    except OperationalError as error:
        if says_full(error):
            raise no_room() from None
        # Without what the driver says: it names the address.
        raise ControlUnreachable(
            f"the control database cannot be reached ({type(error.orig).__name__})",
            remedy="call again later; the operator looks after the database",
            retry_after_s=10,
        ) from None
