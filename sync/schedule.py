"""When a source is due. Pure: no clock, no timer; the worker asks with the time it has.

Cron texts have the usual five fields (minute, hour, day, month, day of week), in Copenhagen time, so that a
delivery at 20:00 is fetched at 20:30 all year. Days of the week are named (mon-fri): APScheduler counts Monday
as 0 where cron counts Sunday, and a number would be read wrongly by somebody.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from kernel import COPENHAGEN
from sync.errors import SourceInvalid


@dataclass(frozen=True, slots=True)
class Every:
    """seconds   from the start of one run to the start of the next"""

    seconds: int


@dataclass(frozen=True, slots=True)
class Cron:
    text: str

    def __post_init__(self) -> None:
        _trigger(self.text)


Schedule = Every | Cron


def next_due(schedule: Schedule | None, last: datetime | None, now: datetime) -> datetime | None:
    """When the source is to be run next; not later than `now` when it is due.

    schedule   None for a source that is only run by hand: never due
    last       start of the last run, aware; None when there was none: an interval is due at once, a cron text
               at its next time
    """
    match schedule:
        case None:
            return None
        case Every(seconds):
            return now if last is None else last + timedelta(seconds=seconds)
        case Cron(text):
            after = now if last is None else last + timedelta(seconds=1)
            due = _trigger(text).get_next_fire_time(None, after)
            return None if due is None else due.astimezone(UTC)


def _trigger(text: str) -> CronTrigger:
    fields = text.split()
    if len(fields) == 5 and any(character.isdigit() for character in fields[4]):
        raise SourceInvalid(
            f"the schedule '{text}' numbers the day of the week", remedy="name it, for instance mon-fri"
        )
    try:
        return CronTrigger.from_crontab(text, timezone=COPENHAGEN)
    except ValueError as problem:
        raise SourceInvalid(f"the schedule '{text}' cannot be read: {problem}", remedy="write five fields") from None
