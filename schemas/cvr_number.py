"""Rules of the company number: eight digits, of which the last makes the weighted sum a multiple of 11."""

from typing import Final

WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2, 1)


def is_right(number: str) -> bool:
    """Whether eight digits hold modulus 11. All of them do."""
    return sum(weight * int(digit) for weight, digit in zip(WEIGHTS, number, strict=True)) % 11 == 0
