"""Fictitious personal numbers that cannot belong to anybody.

The day of birth has 60 added to it, as Unilogin does for people without a number: 1 May 1980 becomes 610580.
No number that CPR issues begins with a digit above 3, so test data can never coincide with a living person,
while birth date, century, sex and check digit can still be read from it by the register's own rules. One number
in 23 does not hold the check digit, since CPR has issued such numbers since 2007. Beyond 1.4 million persons few do:
each person has four serial numbers to choose from, and the next people get what is left of them.
"""

from datetime import date

from kernel import OperatorMistake
from schemas.cpr_number import FICTITIOUS_DAY, check_digit

ROLES = 6
CHOICES = 4
"""Serial numbers to choose among for one person, so that sex and check digit can mostly both be had."""
CYCLE_DAYS = 14_245
"""Families are born on this many days before a day is used again."""
SERIES_1900 = (*range(400), *range(400, 500), *range(900, 1_000))
SERIES_2000 = tuple(range(400, 1_000))
"""First three digits of the serial number for births 1937-1999 and 2000-2036."""
SLOTS = len(SERIES_1900) // CHOICES
ROUND = SLOTS // ROLES * CYCLE_DAYS
"""Families, before the same serial numbers are drawn from again."""
ROUNDS = CHOICES * 5 - 1
"""Each serial number has five last digits for either sex; the first round uses one of two that it may choose."""
CAPACITY = ROUND * ROUNDS
"""Families, before a number would be used twice."""


class TooManyPersons(OperatorMistake):
    code = "too_many_persons"
    title = "The generator has no numbers for so many persons"


def number(family: int, role: int, birth: date, *, female: bool) -> str:
    """The number of one member of a family, the only one with it as long as `family` is below CAPACITY.

    role    0..ROLES-1; each is born on another day for each of CYCLE_DAYS families in a row
    """
    turn, place = divmod(family, ROUND)
    slot = place // CYCLE_DAYS * ROLES + role
    series = (SERIES_2000 if birth.year >= 2000 else SERIES_1900)[slot::SLOTS][:CHOICES]
    if turn:
        return _leftover(birth, series, turn, female=female)
    return _number(birth, series, female=female, valid=(family + role) % 23 != 7)


def newborn_number(index: int, birth: date, *, female: bool) -> str:
    """The number of the `index`th child born on a day on which nobody else is; there are 300 of them."""
    return _number(birth, SERIES_2000[index * 2 : index * 2 + 2], female=female, valid=True)


def _number(birth: date, prefixes: tuple[int, ...], *, female: bool, valid: bool) -> str:
    day = _day(birth)
    for prefix in prefixes:
        digit = check_digit(f"{day}{prefix:03}")
        if valid and digit is not None and digit % 2 == (not female):
            return f"{day}{prefix:03}{digit}"
    # None of the choices fits the sex, or none is wanted: a digit of the right sex that is not the check digit.
    nine = f"{day}{prefixes[0]:03}"
    digits = (0, 2) if female else (1, 3)
    return f"{nine}{digits[0] if check_digit(nine) != digits[0] else digits[1]}"


def _leftover(birth: date, prefixes: tuple[int, ...], turn: int, *, female: bool) -> str:
    """One of the numbers that the first round cannot have used, another one for each turn from 1 to ROUNDS - 1."""
    used = {_number(birth, prefixes, female=female, valid=valid) for valid in (True, False)}
    digits = range(0 if female else 1, 10, 2)
    left = [f"{_day(birth)}{prefix:03}{digit}" for prefix in prefixes for digit in digits]
    return [each for each in left if each not in used][turn - 1]


def _day(birth: date) -> str:
    return f"{birth.day + FICTITIOUS_DAY:02}{birth.month:02}{birth.year % 100:02}"
