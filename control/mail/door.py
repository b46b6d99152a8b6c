from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from control.mail.server import MailServer, Outcome
from control.notices import Notice
from control.notices.store import load_notices, mark_mailed
from control.organisations import load_organisations
from control.people.store import load_users
from control.tables import MAILS
from control.times import from_text_or_none, to_text

if TYPE_CHECKING:
    from control.store import ControlStore

MOST_ATTEMPTS: Final = 12
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=6)
OLDEST: Final = timedelta(days=7)
"""An older notice is not sent: when a mail server is set for the first time, nobody is flooded with the past."""

_log = structlog.get_logger(__name__)


class Post:
    """Sends what is to be sent. Run it as often as you like, in as many places: no mail is sent twice.

    A mail is written down as sent before the server is asked, and taken back only when the server has certainly not
    taken it. So a worker that is killed in between loses a mail rather than sending it twice; the notice is in the
    inbox in any case.

    sender   the address that mails come from
    """

    def __init__(self, store: "ControlStore", server: MailServer, *, sender: str) -> None:
        self._store, self._server, self._sender = store, server, sender

    def run(self, *, stop: Callable[[], bool] = lambda: False) -> int:
        """Send what is due now; gives how many mails the server has taken. stop   asked before each mail"""
        taken = 0
        for notice, recipients in self._due():
            for recipient, address in recipients:
                if stop():
                    return taken
                if self._claimed(notice.id, recipient):
                    taken += self._sent(notice, recipient, address)
            self._settle(notice.id, [recipient for recipient, _ in recipients])
        return taken

    def _due(self) -> tuple[tuple[Notice, tuple[tuple[str, str], ...]], ...]:
        with self._store.reading() as db:
            organisations = load_organisations(db)
            users = [each for each in load_users(db) if each.ended is None]
            notices = load_notices(db, unmailed_since=self._now - OLDEST)
        found = []
        for notice in notices:
            mine = [each for each in users if each.organisation == notice.organisation and each.roles & notice.roles]
            whole = organisations[notice.organisation]
            # Nobody has the role: the organisation itself is told, where it can be.
            fallback = ((str(whole.id), whole.email),) if whole.email else ()
            found.append((notice, tuple((str(each.id), each.email) for each in mine) or fallback))
        return tuple(found)

    def _claimed(self, notice: str, recipient: str) -> bool:
        """Write the mail down as sent, unless it is or is not due: whoever does that sends it."""
        now = self._now
        mine = (MAILS.c.notice == notice) & (MAILS.c.recipient == recipient)
        with suppress(IntegrityError), self._store.noting() as db:
            row = db.execute(select(MAILS).where(mine)).mappings().first()
            if row is None:
                values: dict[str, Any] = {"notice": notice, "recipient": recipient, "sent": to_text(now), "attempts": 1}
                db.execute(insert(MAILS).values(values))
                return True
            wait = from_text_or_none(row["next"])
            if row["sent"] is not None or row["given_up"] is not None or (wait is not None and wait > now):
                return False
            free = mine & MAILS.c.sent.is_(None)
            claim = update(MAILS).where(free).values(sent=to_text(now), attempts=MAILS.c.attempts + 1)
            return db.execute(claim).rowcount == 1
        # Another worker wrote it down at the same time.
        return False

    def _sent(self, notice: Notice, recipient: str, address: str) -> bool:
        message = _message(notice, recipient, sender=self._sender, address=address, at=self._now)
        answer = self._server.send(message, sender=self._sender, recipient=address)
        if answer.outcome is Outcome.SENT:
            return True
        _log.warning("mail_not_sent", notice=notice.id, outcome=answer.outcome.value, why=answer.why)
        mine = (MAILS.c.notice == notice.id) & (MAILS.c.recipient == recipient)
        with self._store.noting() as db:
            values: dict[str, Any] = {"error": answer.why}
            attempts = db.execute(select(MAILS.c.attempts).where(mine)).scalar_one()
            if answer.outcome is Outcome.NEVER or (answer.outcome is Outcome.LATER and attempts >= MOST_ATTEMPTS):
                values |= {"sent": None, "given_up": to_text(self._now)}
            elif answer.outcome is Outcome.LATER:
                values |= {"sent": None, "next": to_text(self._now + wait_after(attempts))}
            db.execute(update(MAILS).where(mine).values(values))
        return False

    def _settle(self, notice: str, recipients: Iterable[str]) -> None:
        with self._store.noting() as db:
            if _all_settled(db, notice, recipients):
                mark_mailed(db, notice, self._now)

    @property
    def _now(self) -> datetime:
        return self._store.clock.now()


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts in vain: a minute, doubled each time, six hours at most."""
    doublings = min(attempts - 1, 20)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def _all_settled(db: Connection, notice: str, recipients: Iterable[str]) -> bool:
    rows = db.execute(select(MAILS).where(MAILS.c.notice == notice)).mappings()
    settled = {row["recipient"] for row in rows if row["sent"] is not None or row["given_up"] is not None}
    return settled.issuperset(recipients)


def _message(notice: Notice, recipient: str, *, sender: str, address: str, at: datetime) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, address
    # What looks like an encoded word (RFC 2047) is decoded when it is set, line ends and all: a name would be a header.
    message["Subject"] = " ".join(notice.subject.split()).replace("=?", "= ?")
    message["Date"] = format_datetime(at)
    # The same for each attempt, so that a mailbox that did get it twice can tell.
    message["Message-ID"] = f"<{notice.id}.{recipient}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{notice.text}\n\n-- \nKnudepunkt\n{notice.about}\n")
    return message
