"""What a record looks like as JSON: a JSON Schema (2020-12) made from a dataset's columns. Pure."""

from typing import Any

from schemas import Classification, Column, Dataset, Kind

Schema = dict[str, Any]

_KINDS: dict[Kind, Schema] = {
    Kind.TEXT: {"type": "string"},
    Kind.INTEGER: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATE: {"type": "string", "format": "date"},
    # Not `date-time`: a register's times are Danish wall-clock times, and that format wants an offset.
    Kind.TIMESTAMP: {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?$"},
}


def record_schema(dataset: Dataset) -> Schema:
    """Of one record. No column is required, since a call may choose columns and an agreement may leave some out."""
    described = dataset.description or dataset.title
    return {
        "type": "object",
        "title": dataset.id,
        **({"description": described} if described else {}),
        "properties": {column.name: _column(column, withheld=_withheld(column)) for column in dataset.columns},
        "additionalProperties": False,
    }


def key_schema(dataset: Dataset) -> Schema:
    return {**_column(dataset.column(dataset.key), withheld=False), "type": "string"}


def key_example(dataset: Dataset) -> str:
    """A key of the right shape: the contract's own example, or one that is nobody's, whose digits are all 0."""
    column = dataset.column(dataset.key)
    if column.examples:
        return column.examples[0]
    pattern = column.pattern or ""
    for digits in (r"\d{", "[0-9]{"):
        count = pattern.removeprefix(digits).removesuffix("}")
        if pattern.startswith(digits) and count.isdigit():
            return "0" * int(count)
    return "key"


def _withheld(column: Column) -> bool:
    return column.classification is Classification.PROTECTED


def _column(column: Column, *, withheld: bool) -> Schema:
    schema = _described(column) | _shape(column)
    if not column.required or withheld:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"].append(None)
    return schema


def _shape(column: Column) -> Schema:
    if column.kind is Kind.OBJECT:
        properties = {field.name: _column(field, withheld=False) for field in column.fields}
        return {"type": "object", "properties": properties, "additionalProperties": False}
    if column.kind is Kind.ARRAY:
        item = {"type": "string"} if column.item is None else _column(column.item, withheld=False)
        return {"type": "array", "items": item}
    schema = dict(_KINDS[column.kind])
    if column.pattern is not None:
        schema["pattern"] = f"^(?:{column.pattern})$"
    for name, bound in (("minimum", column.minimum), ("maximum", column.maximum)):
        if bound is not None:
            schema[name] = bound
    if column.allowed is not None:
        schema["enum"] = sorted(column.allowed)
    return schema


def _described(column: Column) -> Schema:
    words = ". ".join(text.rstrip(".") for text in (column.title, column.description) if text)
    return {"description": f"{words}."} if words else {}
