"""People: who acts for an organisation, in which roles, and by which employee certificate they are known."""

from control.people.door import People
from control.people.values import User, UserId, ensure_email

__all__ = ["People", "User", "UserId", "ensure_email"]
