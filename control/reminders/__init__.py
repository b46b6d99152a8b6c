"""Reminders: what ends soon is told to those whom it concerns, once for each of three times before it ends."""

from control.reminders.door import Reminders
from control.reminders.rule import DAYS_BEFORE, KEY_LIFE, days_before, list_is_late

__all__ = ["DAYS_BEFORE", "KEY_LIFE", "Reminders", "days_before", "list_is_late"]
