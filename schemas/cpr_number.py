"""Rules of the personal number, DDMMYYSSSS.

The check digit is modulus 11 with the weights 4, 3, 2, 7, 6, 5, 4, 3, 2, 1. Since 1 October 2007 CPR issues
numbers that do not hold it, so nothing in this house rejects a number for it ("Personnumre uden kontrolciffer
(modulus 11-kontrol)", the CPR office).
"""

from datetime import date

WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
FICTITIOUS_DAY = 60
"""Added to the day of birth in fictitious numbers; no day of a real one is above 31."""


def has_check_digit(number: str) -> bool:
    """Whether ten digits hold modulus 11."""
    return sum(weight * int(digit) for weight, digit in zip(WEIGHTS, number, strict=True)) % 11 == 0


def check_digit(nine: str) -> int | None:
    """The tenth digit that makes nine digits hold modulus 11; None when there is none."""
    rest = sum(weight * int(digit) for weight, digit in zip(WEIGHTS[:9], nine, strict=True)) % 11
    return None if rest == 1 else (11 - rest) % 11


def century(year: int, seventh: int) -> int:
    """The first year of the century of a number with the two-digit `year` and the digit `seventh`."""
    if seventh <= 3:
        return 1900
    if seventh in (4, 9):
        return 2000 if year <= 36 else 1900
    return 2000 if year <= 57 else 1800


def birth_date(number: str) -> date | None:
    """The date of birth in a number, also in a fictitious one; None when its digits are no date."""
    day, month, year = int(number[:2]), int(number[2:4]), int(number[4:6])
    try:
        return date(century(year, int(number[6])) + year, month, day - FICTITIOUS_DAY * (day > FICTITIOUS_DAY))
    except ValueError:
        return None
