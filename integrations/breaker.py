"""A breaker: whether a source that fails is asked again yet. Pure: a table of states, and values that it leads from
one to the next.

    closed      it is asked
    open        it is left alone until its rest is over; whoever wants it is told at once
    half open   one call tries whether it is back; the others are told to wait
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Event(StrEnum):
    ANSWERED = "answered"
    FAILED = "failed"
    FAILED_ENOUGH = "failed enough"
    RESTED = "rested"


TABLE: Final = {
    (State.CLOSED, Event.ANSWERED): State.CLOSED,
    (State.CLOSED, Event.FAILED): State.CLOSED,
    (State.CLOSED, Event.FAILED_ENOUGH): State.OPEN,
    (State.OPEN, Event.RESTED): State.HALF_OPEN,
    # An answer to what was asked before it opened: the rest is kept all the same.
    (State.OPEN, Event.ANSWERED): State.OPEN,
    (State.OPEN, Event.FAILED): State.OPEN,
    (State.OPEN, Event.FAILED_ENOUGH): State.OPEN,
    (State.HALF_OPEN, Event.ANSWERED): State.CLOSED,
    (State.HALF_OPEN, Event.FAILED): State.OPEN,
    (State.HALF_OPEN, Event.FAILED_ENOUGH): State.OPEN,
    # The trial never told how it went: the next one is let through.
    (State.HALF_OPEN, Event.RESTED): State.HALF_OPEN,
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """Times are seconds of a clock that never goes back.

    failures   in a row
    until      when the rest, or the time that a trial is given, is over
    rest_s     of the last rest; the next is twice as long
    """

    enough: int = 5
    shortest_s: float = 1.0
    longest_s: float = 30.0
    state: State = State.CLOSED
    failures: int = 0
    until: float = 0.0
    rest_s: float = 0.0

    def asked(self, now: float) -> "Breaker | None":
        """The breaker after somebody is let through, or None when nobody is."""
        if self.state is State.CLOSED:
            return self
        if now < self.until:
            return None
        return replace(self, state=TABLE[self.state, Event.RESTED], until=now + self.longest_s)

    def answered(self) -> "Breaker":
        state = TABLE[self.state, Event.ANSWERED]
        return self if state is State.OPEN else replace(self, state=state, failures=0, rest_s=0.0)

    def failed(self, now: float) -> "Breaker":
        failures = self.failures + 1
        state = TABLE[self.state, Event.FAILED_ENOUGH if failures >= self.enough else Event.FAILED]
        if state is not State.OPEN or self.state is State.OPEN:
            return replace(self, state=state, failures=failures)
        rest_s = min(max(2 * self.rest_s, self.shortest_s), self.longest_s)
        return replace(self, state=state, failures=failures, rest_s=rest_s, until=now + rest_s)
