"""A session with a PostgreSQL database: read-only, as of one moment, cut off at its deadline."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Any, Final

import psycopg
import pyarrow as pa

from sync.errors import SourceDenied, SourceFaulty, SourceInvalid, SourceUnreachable, SourceUntrusted
from sync.sources.sql_reading import Database

AGAIN: Final = "try again later; if it stays so, ask the owner of the database"


@contextmanager
def connected(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A read-only transaction that sees one moment; cut off at the deadline, whatever the peer does.

    To be entered within `told`, which gives the errors.
    """
    connection = psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
        connect_timeout=max(2, round(database.timeout_s)),
        keepalives_idle=30,
        application_name="knudepunkt",
        # Texts of values must not depend on the server's taste, nor the order of rows on who else reads the table.
        options="-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1 -c synchronize_seqscans=off",
        sslmode="prefer" if database.in_clear else "verify-full",
        sslrootcert=None if database.in_clear else str(database.authority or "system"),
    )
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        late = threading.Event()
        with socket.socket(fileno=socket.dup(connection.fileno())) as line:
            clock = threading.Timer(database.deadline_s, _cut, (line, late))
            clock.start()
            try:
                yield connection
            except psycopg.Error:
                if late.is_set():
                    raise SourceUnreachable(
                        f"the database was not read within {database.deadline_s:g} s",
                        remedy="try again later, or raise deadline_s of the source",
                    ) from None
                raise
            finally:
                clock.cancel()
                clock.join()


def _cut(line: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


@contextmanager
def told() -> Iterator[None]:
    """What went wrong, in our words: the server's hold values.

    Raises SourceUnreachable, SourceDenied, SourceUntrusted, SourceInvalid and SourceFaulty.
    """
    try:
        yield
    except psycopg.Error as problem:
        # A connection that failed is closed when nobody knows of it any more, and the frames of the call would.
        clear_frames(problem.__traceback__)
        raise _said(problem) from None
    except pa.ArrowInvalid:
        raise SourceFaulty(
            "the database holds a value that its type has no plain form for, such as an infinite date",
            remedy="read a query that turns it into text or null",
        ) from None


def _said(problem: psycopg.Error) -> Exception:
    match problem:
        case psycopg.errors.InsufficientPrivilege():
            return SourceDenied(
                "the database does not let us read what the source names",
                remedy="ask its owner to grant select to our user",
            )
        case (
            psycopg.ProgrammingError()
            | psycopg.DataError()
            | psycopg.NotSupportedError()
            | psycopg.errors.ReadOnlySqlTransaction()
        ):
            return SourceInvalid(
                f"the database cannot read what the source names ({problem.sqlstate})",
                remedy="try table, query and column by hand, as the same user",
            )
    if problem.pgconn is None or problem.sqlstate is not None:
        return SourceUnreachable("the database hung up, or gave up", remedy=AGAIN)
    # libpq tells why a connection failed in words alone; those of OpenSSL are the same in all languages.
    if "certificate" in str(problem) or "SSL" in str(problem):
        return SourceUntrusted(
            "the database does not encrypt, or has a certificate that is not valid for its name or from no authority "
            "we trust",
            remedy="check the host; for an authority of the owner's own, name it as `authority`",
        )
    if problem.pgconn.used_password or problem.pgconn.needs_password:
        return SourceDenied(
            "the database does not let us in", remedy="check user, password and the name of the database"
        )
    return SourceUnreachable("the database cannot be reached", remedy=AGAIN)
