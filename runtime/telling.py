"""What the worker tells people: reminders of what ends, and notices by e-mail."""

from collections.abc import Callable
from typing import Final

import structlog

from control import ListFolder, Trust
from control.mail import Post, SmtpServer
from control.reminders import Reminders
from runtime.instance import Instance
from runtime.migrated import open_control
from runtime.settings import Settings

REMIND_EVERY_S: Final = 3_600.0

_log = structlog.get_logger(__name__)


def remind(instance: Instance, settings: Settings) -> int:
    """Write the reminders that are due; gives how many."""
    lists = ListFolder(instance.crl).read(Trust.read(instance.trust).authorities)
    with open_control(instance, settings) as store:
        told = Reminders(store).run(lists)
    if told:
        _log.info("reminded", notices=told)
    return told


def send_mail(instance: Instance, settings: Settings, stop: Callable[[], bool] = lambda: False) -> int:
    """Send notices by e-mail, when a mail server is set; gives how many mails it has taken."""
    if not settings.mail.host:
        return 0
    password = instance.secrets / "smtp.password"
    secret = password.read_text(encoding="utf-8").strip() if settings.mail.user and password.exists() else ""
    with open_control(instance, settings) as store:
        sent = Post(store, SmtpServer(settings.mail, secret), sender=settings.mail.sender).run(stop=stop)
    if sent:
        _log.info("mails_sent", mails=sent)
    return sent
