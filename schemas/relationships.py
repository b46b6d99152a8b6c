"""Keys into other datasets: `relationships` of a contract, of type foreignKey.

Of a property: `to: municipalities.code` in this contract, `to: 'municipality.odcs.yaml#municipalities.code'` in that of
another register (a path before the name is passed over: registers are known by name). Of a dataset: `from` as well. The
custom property `severity: warning` of a relationship counts the rows without a match, and holds none back.
"""

import re
from collections.abc import Iterator
from typing import Final

from open_data_contract_standard.model import Relationship, SchemaObject, SchemaProperty

from kernel import DatasetId
from schemas.column import Column, Kind
from schemas.document import Review
from schemas.finding import Severity
from schemas.rule import ForeignKey, Rule

_TARGET: Final = re.compile(
    r"(?:(?:[^#]*/)?(?P<register>[a-z][a-z0-9_]*)\.odcs\.yaml#/?)?(?P<dataset>[a-z][a-z0-9_]*)\.(?P<column>[a-z][a-z0-9_]*)"
)
_REMEDY: Final = "write <dataset>.<column>, or <register>.odcs.yaml#<dataset>.<column> for another register"


def read_keys(
    review: Review, schema: SchemaObject, columns: tuple[Column, ...], where: str, register: str
) -> Iterator[Rule]:
    """The keys of one dataset. Whether what they name exists is not known here: see `schemas.catalogue`."""
    named = {column.name: column for column in columns}
    for path, prop, column, place in _properties(schema, columns, where):
        for number, relation in enumerate(prop.relationships or []):
            spot = f"{place}.relationships[{number}]"
            if relation.from_ is not None:
                review.error(f"{spot}.from", "a property's relationship begins at the property", "remove the line")
            else:
                yield from _key(review, relation, path, column, register, spot)
    for number, relation in enumerate(schema.relationships or []):
        spot = f"{where}.relationships[{number}]"
        if relation.from_ is None:
            review.error(spot, "has no `from`", f"write `from: {schema.name}.<column>`")
        elif isinstance(relation.from_, list) and len(relation.from_) > 1:
            review.warning(spot, "a key of several columns is not checked on rows", "keep it as documentation")
        else:
            start = relation.from_[0] if isinstance(relation.from_, list) else relation.from_
            prefix, _, name = start.partition(".")
            if prefix != schema.name or name not in named:
                review.error(f"{spot}.from", f"{start!r} is no column of {schema.name}", "name one of its columns")
            else:
                yield from _key(review, relation, (name,), named[name], register, spot)


def _properties(
    schema: SchemaObject, columns: tuple[Column, ...], where: str
) -> Iterator[tuple[tuple[str, ...], SchemaProperty, Column, str]]:
    """(path, property, column, place) of every property of a dataset, nested ones too."""

    def within(
        prop: SchemaProperty, column: Column, path: tuple[str, ...], place: str
    ) -> Iterator[tuple[tuple[str, ...], SchemaProperty, Column, str]]:
        yield path, prop, column, place
        for number, (inner, field) in enumerate(zip(prop.properties or [], column.fields, strict=False)):
            yield from within(inner, field, (*path, field.name), f"{place}.properties[{number}]")
        if prop.items is not None and column.item is not None:
            yield from within(prop.items, column.item, path, f"{place}.items")

    for number, (prop, column) in enumerate(zip(schema.properties or [], columns, strict=True)):
        yield from within(prop, column, (column.name,), f"{where}.properties[{number}]")


def _key(
    review: Review, relation: Relationship, path: tuple[str, ...], column: Column, register: str, where: str
) -> Iterator[Rule]:
    if relation.type not in (None, "foreignKey"):
        review.warning(f"{where}.type", f"{relation.type} is not checked on rows", "keep it as documentation")
        return
    to = relation.to[0] if isinstance(relation.to, list) and len(relation.to) == 1 else relation.to
    if isinstance(to, list):
        review.warning(where, "a key of several columns is not checked on rows", "keep it as documentation")
        return
    found = _TARGET.fullmatch(to or "")
    if found is None:
        review.error(f"{where}.to" if to else where, f"{to!r} is not the place of a column", _REMEDY)
        return
    if column.kind in (Kind.OBJECT, Kind.ARRAY):
        review.error(where, f"a {column.kind} cannot be a key", "put it on the field that holds the value")
        return
    severities = {each.value for each in relation.customProperties or [] if each.property == "severity"}
    if not severities <= {"error", "warning"}:
        review.error(f"{where}.customProperties", "has a severity that is none here", "use error or warning")
        return
    dataset = DatasetId(f"{found['register'] or register}.{found['dataset']}")
    yield Rule(
        name="foreign_key",
        test=ForeignKey(path=path, dataset=dataset, column=found["column"]),
        reason=f"{'.'.join(path)}: not in {dataset}",
        severity=Severity.WARNING if "warning" in severities else Severity.ERROR,
        where=where,
    )
