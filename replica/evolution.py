"""A dataset's table follows its contract: columns and fields added, dropped, renamed, widened.

The statements change the lake's catalogue, never its files: they cost the same for ten rows and for ten million. Pure:
text out, to be run in one transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from replica.statements import quoted, sql_type, table
from schemas import WIDENINGS, Column, Dataset, renamed


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedContract:
    """The contract that the tables of a register follow.

    files     name -> text: the contract and the code lists beside it
    """

    register: str
    version: str
    applied: datetime
    files: Mapping[str, str]


def alter(old: Dataset, new: Dataset) -> tuple[str, ...]:
    """Statements that turn the table of `old` into that of `new`, keeping its rows.

    Raises ValueError for what cannot be done so: another key, or a type that does not hold the values of the old one.
    """
    if renamed(old.columns, new.columns).get(new.key, new.key) != old.key:
        raise ValueError(f"the key of {new.id} changed")
    return tuple(_columns(table(new), (), old.columns, new.columns))


def _columns(target: str, path: tuple[str, ...], old: Sequence[Column], new: Sequence[Column]) -> Iterator[str]:
    """Renames first and additions last, so that a name can be given to another column."""
    before = {column.name: column for column in old}
    names = renamed(old, new)
    gone = before.keys() - {column.name for column in new} - set(names.values())
    for name in sorted(gone):
        yield f"ALTER TABLE {target} DROP COLUMN {_at(path, name)}"
    for latter, former in names.items():
        yield f"ALTER TABLE {target} RENAME {_at(path, former)} TO {quoted(latter)}"
    for column in new:
        former_column = before.get(names.get(column.name, column.name))
        if former_column is None:
            yield f"ALTER TABLE {target} ADD COLUMN {_at(path, column.name)} {sql_type(column.arrow)}"
        else:
            yield from _column(target, (*path, column.name), former_column, column)
            if not path and _widens(former_column, column):
                yield f"ALTER TABLE {target} ALTER {_at(path, column.name)} SET DATA TYPE {sql_type(column.arrow)}"


def _column(target: str, path: tuple[str, ...], old: Column, new: Column) -> Iterator[str]:
    if old.kind is not new.kind and (old.kind, new.kind) not in WIDENINGS:
        raise ValueError(f"{'.'.join(path)} is {new.kind}, and was {old.kind}")
    yield from _columns(target, path, old.fields, new.fields)
    if old.item is not None and new.item is not None:
        yield from _column(target, (*path, "element"), old.item, new.item)


def _widens(old: Column, new: Column) -> bool:
    """Whether a type is wider, here or within. Fields are set as a whole with the column that they lie in."""
    inner = {column.name: column for column in old.fields}
    names = renamed(old.fields, new.fields)
    fields = [(inner.get(names.get(field.name, field.name)), field) for field in new.fields]
    if old.item is not None and new.item is not None:
        fields.append((old.item, new.item))
    return old.kind is not new.kind or any(former is not None and _widens(former, field) for former, field in fields)


def _at(path: tuple[str, ...], name: str) -> str:
    return ".".join(quoted(part) for part in (*path, name))
