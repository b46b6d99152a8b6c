"""When a subscription is due. Pure.

`publication` is after each publication; five fields of cron are times in Copenhagen (days of the week named, for
instance mon-fri), and `working` before minute and hour leaves out weekends and Denmark's public holidays:
`working 30 6` is half past six on each working day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self

from apscheduler.triggers.cron import CronTrigger

from extract.delivery.faults import SubscriptionInvalid
from kernel import COPENHAGEN

PUBLICATION: Final = "publication"
_WORKING: Final = "working"
_LOOKS: Final = 30
"""Longer than any run of days without work."""

IsWorkingDay = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Schedule:
    """text   as the subscriber wrote it"""

    text: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises SubscriptionInvalid."""
        made = cls(" ".join(text.split()))
        if not made.after_publication:
            made._trigger()
        return made

    @property
    def after_publication(self) -> bool:
        return self.text == PUBLICATION

    def next(self, last: datetime, is_working_day: IsWorkingDay) -> datetime | None:
        """The first time after `last`, in UTC; None for a time that never comes.

        After each publication it is at once: whether there was one is another question.
        """
        if self.after_publication:
            return last
        trigger, after = self._trigger(), last + timedelta(seconds=1)
        for _ in range(_LOOKS):
            due: datetime | None = trigger.get_next_fire_time(None, after)
            if due is None:
                return None
            if not self.text.startswith(_WORKING) or is_working_day(due.astimezone(COPENHAGEN).date()):
                return due.astimezone(UTC)
            after = due + timedelta(seconds=1)
        return None

    def _trigger(self) -> CronTrigger:
        fields = self.text.split()
        if fields[:1] == [_WORKING]:
            fields = [*fields[1:], "*", "*", "*"] if len(fields) == 3 else []
        if len(fields) == 5 and not any(character.isdigit() for character in fields[4]):
            try:
                return CronTrigger.from_crontab(" ".join(fields), timezone=COPENHAGEN)
            except ValueError:
                pass
        raise SubscriptionInvalid(
            "the schedule cannot be read",
            remedy=f"write `{PUBLICATION}`, `working MINUTE HOUR` such as `working 0 6`, or five fields of cron with "
            "named days of the week, such as `30 5 * * mon`",
            rule="subscription.schedule",
        )
