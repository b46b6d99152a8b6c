"""A command to try, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command gave: its exit code, output, error output, and the folder it ran in."""

    code: int
    out: str
    err: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Try:
    """holds   None when the outcome is right, else a sentence that says what is not"""

    title: str
    command: str
    holds: Callable[[Outcome], str | None]
