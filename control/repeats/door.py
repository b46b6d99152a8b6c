import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from control.errors import KeyReused, RepeatUnanswered
from control.tables import REPEATS
from control.times import to_text

if TYPE_CHECKING:
    from control.store import ControlStore

KEPT: Final = timedelta(days=2)
"""How long an answer can be had again."""


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to be carried out once, however often it comes.

    actor     who asks: two who choose the same key do not meet
    key       what the caller calls the request
    request   SHA-256 over what is asked, lower-case hex
    """

    actor: str
    key: str
    request: str

    @classmethod
    def of(cls, actor: str, key: str, method: str, path: str, body: bytes) -> Self:
        asked = hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()
        return cls(actor, key, asked)


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to the first request: its status, its header Location, and its body."""

    status: int
    location: str | None
    body: str


class Repeats:
    """Requests with a key. The key is taken within the change that the request makes, so that the two are one."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def answered(self, once: Once) -> Kept | None:
        """The answer to an earlier request with this key; None when there was none.

        Raises KeyReused when that one asked for something else, RepeatUnanswered when its answer is not there.
        """
        with self._store.reading() as db:
            row = db.execute(select(REPEATS).where(_same(once))).mappings().first()
        return None if row is None else _kept(row, once)

    def take(self, db: Connection, once: Once) -> None:
        """Take the key, in the transaction of the change. Raises RepeatUnanswered when another has just done so."""
        now = self._store.clock.now()
        db.execute(delete(REPEATS).where(REPEATS.c.at < to_text(now - KEPT)))
        values = {"actor": once.actor, "key": once.key, "request": once.request, "at": to_text(now)}
        try:
            db.execute(insert(REPEATS).values(values))
        except IntegrityError:
            raise _unanswered() from None

    def keep(self, once: Once, answer: Kept) -> None:
        """Keep the answer to a request whose key was taken."""
        with self._store.noting() as db:
            values = {"status": answer.status, "location": answer.location, "body": answer.body}
            db.execute(update(REPEATS).where(_same(once)).values(values))


def _same(once: Once) -> ColumnElement[bool]:
    return (REPEATS.c.actor == once.actor) & (REPEATS.c.key == once.key)


def _kept(row: RowMapping, once: Once) -> Kept:
    if row["request"] != once.request:
        raise KeyReused(
            "the idempotency key belongs to a request that asked for something else",
            remedy="send the same request as before, or another key",
            rule="idempotency.one_request",
        )
    if row["status"] is None:
        raise _unanswered()
    return Kept(row["status"], row["location"], row["body"])


def _unanswered() -> RepeatUnanswered:
    return RepeatUnanswered(
        "a request with this idempotency key is being carried out, or was, and its answer was not kept",
        remedy="look whether what you asked for is there before you ask with another key",
        rule="idempotency.one_request",
    )
