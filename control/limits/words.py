"""The words of a slot, and what one more call makes of them. Pure.

    two words    the key: hashes of agreement and purpose
    DAY, MONTH   number << 40 | calls
    PAST         second << 32 | age << 26 | calls   the calls of the 60 seconds before a second, and how many seconds
                                                    before it the oldest of them was
    62 seconds   second << 32 | calls               each at its remainder

A minute slides, and a call is let through while the 61 seconds that a stretch of 60 seconds can touch hold fewer than
the limit. So no stretch of 60 seconds ever holds more than the limit, wherever it begins. Those 61 are the second that
runs and the 60 before it. The 60 are added up once, in PAST, when a second gets its first call; every other call of
that second adds one to the second's own word. PAST says nothing of the second that runs, so each word is right by
itself: whoever is killed between the two leaves a sum that is right and a call that was not counted.
"""

from collections.abc import Sequence
from typing import Final

DAY: Final = 2
MONTH: Final = 3
PAST: Final = 4
FIRST_SECOND: Final = 5
SECONDS: Final = 62
"""Seconds that are kept: at least the 61 that count."""
WORDS: Final = FIRST_SECOND + SECONDS + 1
"""One is spare: a slot is as large as in the first files."""
MINUTE_S: Final = 60

_SECOND_BITS: Final = 32
"""A machine that runs for 136 years needs no more."""
_OF_SECOND: Final = (1 << _SECOND_BITS) - 1
_AGE_BITS: Final = 26
_AGE: Final = 63
_OF_PAST: Final = (1 << _AGE_BITS) - 1
"""Most calls that PAST can hold: more than a million a second."""
_SPAN_BITS: Final = 40
_OF_SPAN: Final = (1 << _SPAN_BITS) - 1


def past_at(words: memoryview, base: int, now: int) -> int:
    """The word PAST of the slot at `base` at the second `now`, or at the one that it says when that is later.

    base   0 for a slot that is not there: the file's header stands where it would, and holds no calls
    """
    word: int = words[base + PAST]
    then = word >> _SECOND_BITS
    if then >= now:
        return word
    if then < now - MINUTE_S:
        # PAST is brought to the second of each call, so the last call was then, or before.
        return now << _SECOND_BITS
    return _added_up(words[base + FIRST_SECOND : base + FIRST_SECOND + SECONDS].tolist(), now)


def _added_up(seconds: Sequence[int], now: int) -> int:
    floor, ceiling = now - MINUTE_S << _SECOND_BITS, now << _SECOND_BITS
    counting = [each for each in seconds if floor <= each < ceiling]
    if not counting:
        return ceiling
    age = now - (min(counting) >> _SECOND_BITS)
    return ceiling | age << _AGE_BITS | min(sum(counting) & _OF_SECOND, _OF_PAST)


def second_of(past: int) -> int:
    """The second that a word PAST says."""
    return past >> _SECOND_BITS


def in_second(word: int, now: int, calls: int) -> int:
    """The word of the second `now` after `calls` more; `word` is what stands in its place."""
    return word + calls if word >> _SECOND_BITS == now else now << _SECOND_BITS | calls


def in_minute(past: int, second: int) -> tuple[int, int]:
    """(calls that count, seconds until the oldest of them counts no more; 0 without calls)."""
    before, running = past & _OF_PAST, second & _OF_SECOND
    if before:
        return before + running, MINUTE_S + 1 - (past >> _AGE_BITS & _AGE)
    return running, MINUTE_S + 1 if running else 0


def in_span(word: int, now: int, calls: int) -> int:
    """The word of a day or month after `calls` more; `now` is the number of today or this month.

    A clock that goes back by a day or less opens no quota anew: the day that had begun goes on. One that had been
    further ahead was wrong; its calls stay counted, on the right day.
    """
    number = word >> _SPAN_BITS
    if number < now:
        return now << _SPAN_BITS | calls
    if number > now + 1:
        return now << _SPAN_BITS | (word & _OF_SPAN) + calls
    return word + calls


def calls_of(span: int) -> int:
    return span & _OF_SPAN


def number_of(span: int) -> int:
    return span >> _SPAN_BITS
