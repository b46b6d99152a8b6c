"""A value of JSON as a column holds it. Strict: nothing is rounded, cut, or read out of text."""

import math
from datetime import date, datetime
from typing import Any

from kernel import COPENHAGEN
from schemas import Column, Kind


class Misfit(ValueError):
    """A value that its column cannot hold. rule and reason name the column, never the value."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason


def fitted(column: Column, value: Any, path: str = "") -> Any:
    """The value as Arrow takes it. Times with a zone become Danish wall-clock time. Raises Misfit."""
    where = f"{path}.{column.name}" if path else column.name
    if value is None:
        return None
    match column.kind:
        case Kind.TEXT if isinstance(value, str):
            return value
        case Kind.BOOLEAN if isinstance(value, bool):
            return value
        case Kind.INTEGER if type(value) is int and -(2**63) <= value < 2**63:
            return value
        case Kind.NUMBER if type(value) in (int, float) and math.isfinite(value):
            return float(value)
        case Kind.DATE | Kind.TIMESTAMP if isinstance(value, str):
            return _moment(column.kind, value, where)
        case Kind.OBJECT if isinstance(value, dict):
            return fitted_fields(column.fields, value, where)
        case Kind.ARRAY if isinstance(value, list) and column.item is not None:
            return [fitted(column.item, each, where) for each in value]
    raise Misfit("wrong_type", f"{where}: not {'an' if column.kind.value[0] in 'aio' else 'a'} {column.kind.value}")


def fitted_fields(columns: tuple[Column, ...], value: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The fields of an object by their columns. Raises Misfit for a field that is nobody's: may it be shown?"""
    known = {column.name for column in columns}
    if not value.keys() <= known:
        raise Misfit("unknown_field", f"{path or 'the record'}: holds a field that the contract does not have")
    return {column.name: fitted(column, value.get(column.name), path) for column in columns}


def _moment(kind: Kind, text: str, where: str) -> date | datetime:
    try:
        if kind is Kind.DATE:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Misfit("wrong_type", f"{where}: not a {kind.value}") from None
    return moment.astimezone(COPENHAGEN).replace(tzinfo=None) if moment.tzinfo else moment
