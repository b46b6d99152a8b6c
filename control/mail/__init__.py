"""E-mail: notices leave for those whom they concern, one mail for each, never twice."""

from control.mail.door import Post
from control.mail.server import MailServer, Outcome, SmtpServer
from control.mail.settings import MailSettings

__all__ = ["MailServer", "MailSettings", "Outcome", "Post", "SmtpServer"]
