"""How one mail leaves: by SMTP, encrypted where the settings demand it. What came of it is one of four words."""

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from typing import Protocol

from control.mail.settings import MailSettings


class Outcome(StrEnum):
    """SENT       the server has taken it
    UNKNOWN    the connection broke when it may have been taken already: it is not sent again
    LATER      it was not taken, and may be later
    NEVER      the server refused it for good
    """

    SENT = "sent"
    UNKNOWN = "unknown"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Answer:
    """why   for the operator: the server's code or the kind of trouble; never an address or a text of the server"""

    outcome: Outcome
    why: str = ""


class MailServer(Protocol):
    def send(self, message: EmailMessage, *, sender: str, recipient: str) -> Answer: ...


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A connection for each mail: notices are few."""

    settings: MailSettings
    password: str = ""

    def send(self, message: EmailMessage, *, sender: str, recipient: str) -> Answer:
        """Never raises for what a server does."""
        settings = self.settings
        try:
            smtp = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
        except (OSError, smtplib.SMTPException) as error:
            return Answer(Outcome.LATER, f"connect: {type(error).__name__}")
        try:
            early = self._opened(smtp, sender, recipient)
            return early or _data(smtp, message)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()

    def _opened(self, smtp: smtplib.SMTP, sender: str, recipient: str) -> Answer | None:
        """Up to the point from which on the server may take the mail. None when it goes on."""
        settings = self.settings
        try:
            smtp.ehlo_or_helo_if_needed()
            if settings.starttls:
                smtp.starttls(context=ssl.create_default_context(cafile=settings.authority or None))
                smtp.ehlo()
            if settings.user:
                smtp.login(settings.user, self.password)
            for what, (code, _) in (("sender", smtp.mail(sender)), ("recipient", smtp.rcpt(recipient))):
                if code >= 300:
                    # A sender or sign-in that is refused is the operator's to mend: those are tried again.
                    lasting = code >= 500 and what == "recipient"
                    return Answer(Outcome.NEVER if lasting else Outcome.LATER, f"{what}: {code}")
        except smtplib.SMTPResponseException as error:
            return Answer(Outcome.LATER, f"{type(error).__name__}: {error.smtp_code}")
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return Answer(Outcome.LATER, type(error).__name__)
        return None


def _data(smtp: smtplib.SMTP, message: EmailMessage) -> Answer:
    try:
        code, _ = smtp.data(message.as_bytes())
    except smtplib.SMTPDataError as error:
        # The server did not ask for the text: nothing of it was sent.
        return Answer(Outcome.NEVER if error.smtp_code >= 500 else Outcome.LATER, f"text: {error.smtp_code}")
    except (OSError, smtplib.SMTPException) as error:
        return Answer(Outcome.UNKNOWN, type(error).__name__)
    if code >= 300:
        return Answer(Outcome.NEVER if code >= 500 else Outcome.LATER, f"text: {code}")
    return Answer(Outcome.SENT)
