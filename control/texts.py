"""Texts that people write and other people read: names, purposes, reasons."""

from typing import Final

from kernel import PlatformError

LONGEST_NAME: Final = 200
LONGEST_TEXT: Final = 4_000


def ensure_name(text: str, what: str, error: type[PlatformError]) -> None:
    """Raises `error` for a name that is empty, longer than 200 characters, or not on one line."""
    _ensure(text, what, error, LONGEST_NAME)
    _ensure_printable(text, what, error)


def ensure_text(text: str, what: str, error: type[PlatformError]) -> None:
    """Raises `error` for a text that is empty, longer than 4,000 characters, or holds other signs than line ends."""
    _ensure(text, what, error, LONGEST_TEXT)
    _ensure_printable(text.replace("\n", " "), what, error)


def _ensure(text: str, what: str, error: type[PlatformError], longest: int) -> None:
    if not text.strip():
        raise error(f"{what} is empty", remedy="write it down: whoever approves reads it")
    if len(text) > longest:
        raise error(f"{what} is longer than {longest:,} characters", remedy="make it shorter")


def _ensure_printable(text: str, what: str, error: type[PlatformError]) -> None:
    # A line end in a name forges a log line; a sign that turns the direction of writing forges what an approver sees.
    if not text.isprintable():
        raise error(f"{what} holds signs that cannot be shown", remedy="use letters, digits, blanks and punctuation")
