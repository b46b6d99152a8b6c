"""A dataset: one table of a register, what its rows hold and who may see what of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from kernel import DatasetId
from schemas.column import Classification, Column
from schemas.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRule:
    """When the PROTECTED columns of a row are to be withheld.

    A row is protected on a day when an element of `list_column` has one of `types` and start <= day < end. Either
    bound may be open; with both open it is not active (the rule of the person register's search service, SF1520).
    """

    list_column: str = "protections"
    type_field: str = "type"
    types: frozenset[str] = frozenset({"0001"})
    from_field: str = "from_date"
    to_field: str = "to_date"

    def active(self, row: Mapping[str, Any], today: date) -> bool:
        for element in row.get(self.list_column) or ():
            if element[self.type_field] not in self.types:
                continue
            start, end = element[self.from_field], element[self.to_field]
            if start is None and end is None:
                continue
            if (start is None or start <= today) and (end is None or today < end):
                return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """key                  name of the column that identifies a row; text
    freshness_target_s   how old the mirror may be before somebody should look, seconds
    version              of the contract that promises it
    rules                beyond those of its single columns
    fictitious           a pattern that the keys of invented rows meet in full, and no key of a real one; None: not told
    record_layout        the register's own layout of lines, in which it can be given out; None: it has none

    What follows from these is worked out once, since calls ask for it by the thousand a second.
    """

    register: str
    name: str
    title: str = ""
    description: str = ""
    version: str = "1.0.0"
    columns: tuple[Column, ...]
    key: str
    protection: ProtectionRule | None = None
    freshness_target_s: int | None = None
    rules: tuple[Rule, ...] = ()
    fictitious: str | None = None
    record_layout: str | None = None

    id: DatasetId = field(init=False, repr=False, compare=False)
    arrow: pa.Schema = field(init=False, repr=False, compare=False)
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    protected_columns: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Top-level columns that are withheld for a row whose protection is active."""
    secondary_keys: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Columns by whose values rows can be found."""
    _columns: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        derived = {
            "id": DatasetId(f"{self.register}.{self.name}"),
            "arrow": pa.schema([pa.field(column.name, column.arrow) for column in self.columns]),
            "names": tuple(column.name for column in self.columns),
            "protected_columns": tuple(
                column.name for column in self.columns if column.classification is Classification.PROTECTED
            ),
            "secondary_keys": tuple(column.name for column in self.columns if column.secondary_key),
            "_columns": {column.name: column for column in self.columns},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def column(self, name: str) -> Column:
        """Raises KeyError."""
        return self._columns[name]

    def column_at(self, path: str) -> Column:
        """A column, or a field within one by its dotted path; a path goes through the elements of lists.

        Raises KeyError.
        """
        first, *rest = path.split(".")
        found = self.column(first)
        for name in rest:
            while found.item is not None:
                found = found.item
            found = {each.name: each for each in found.fields}[name]
        return found

    @property
    def classification(self) -> Classification:
        """The strictest of its columns."""
        found = {column.classification for column in self.columns}
        strictest_first = (Classification.PROTECTED, Classification.PERSONAL)
        return next((grade for grade in strictest_first if grade in found), Classification.PUBLIC)

    @property
    def personal(self) -> bool:
        return self.classification is not Classification.PUBLIC

    @property
    def key_is_public(self) -> bool:
        return self.column(self.key).classification is Classification.PUBLIC
