"""Notices: what an organisation should know, in its inbox, and sent by e-mail to those whom it concerns."""

from control.notices.door import Inbox
from control.notices.store import tell
from control.notices.values import Notice

__all__ = ["Inbox", "Notice", "tell"]
