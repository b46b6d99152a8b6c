"""Properties that change over time: lists of values, each with a period. Pure."""

from collections.abc import Callable
from typing import Any

Value = dict[str, Any]


def history(values: list[Value] | None, told: Callable[[Value], Value]) -> list[Value]:
    """All values, oldest first, each with `valid_from` and `valid_to`."""
    return [told(value) | period(value) for value in sorted(values or (), key=_since)]


def current(values: list[Value] | None) -> Value | None:
    """The value that holds now: the latest begun of those without an end; None when all have ended."""
    open_ones = [value for value in values or () if _period(value).get("gyldigTil") is None]
    return max(open_ones, key=_since) if open_ones else None


def latest(values: list[Value] | None) -> Value | None:
    """The value that holds now, else the one that held last: of a company that has ended, where it was."""
    return current(values) or max(values or (), key=_since, default=None)


def period(value: Value) -> Value:
    found = _period(value)
    return {"valid_from": found.get("gyldigFra"), "valid_to": found.get("gyldigTil")}


def code(value: int | str | None, width: int) -> str | None:
    """A code as text with its leading zeros. Raises TypeError for what is no code."""
    if value is None:
        return None
    if not isinstance(value, int | str):
        raise TypeError("not a code")
    return str(value).zfill(width)


def _period(value: Value) -> Value:
    found: Value = value.get("periode") or {}
    return found


def _since(value: Value) -> tuple[str, str]:
    # An open beginning comes before every date; between equals, the one updated last counts.
    return _period(value).get("gyldigFra") or "", value.get("sidstOpdateret") or ""
