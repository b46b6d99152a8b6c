"""E-mail: notices leave for those whom they concern, one mail for each, never twice."""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from control.mail.door import Post
    from control.mail.server import MailServer, Outcome, SmtpServer
    from control.mail.settings import MailSettings

__all__ = ["MailServer", "MailSettings", "Outcome", "Post", "SmtpServer"]

hang_door(__name__)
