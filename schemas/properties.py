"""The properties of a contract, read into columns."""

import re
import warnings
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from open_data_contract_standard.model import DataQuality, SchemaProperty

from schemas.column import Classification, Column, Kind
from schemas.document import Review, did_you_mean

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Names become columns, folders and parts of SQL and of paths: nothing else may stand in them."""
TAKEN: Final = frozenset({"rowid", "snapshot_id"})
"""What the lake itself calls a row's place and the snapshot of a change."""

_STRICTNESS: Final = tuple(Classification)
_NUMERIC: Final = frozenset({Kind.INTEGER, Kind.NUMBER})
_SEARCHED: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.DATE})
"""What a lookup can find rows by."""
_BOUNDS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"})
_OPTIONS: Final = {
    Kind.TEXT: frozenset({"pattern", "minLength", "maxLength", "format"}),
    Kind.INTEGER: _BOUNDS | {"multipleOf"},
    Kind.NUMBER: _BOUNDS | {"multipleOf"},
    Kind.BOOLEAN: frozenset[str](),
    Kind.DATE: _BOUNDS,
    Kind.TIMESTAMP: _BOUNDS | {"timezone", "defaultTimezone"},
    Kind.OBJECT: frozenset({"minProperties", "maxProperties", "required"}),
    Kind.ARRAY: frozenset({"minItems", "maxItems", "uniqueItems"}),
}
"""`logicalTypeOptions` that the standard knows for each logical type."""


def read_name(review: Review, name: str | None, where: str) -> str:
    """The name, or an empty text when it cannot be one."""
    if name is not None and NAME.fullmatch(name) and name not in TAKEN:
        return name
    review.error(
        f"{where}.name" if name is not None else where,
        "has no name" if name is None else f"{name!r} cannot be a name here",
        "use up to 63 lower-case letters, digits and underscores, beginning with a letter",
    )
    return ""


def read_classification(review: Review, text: Any, inherited: Classification, where: str) -> Classification:
    """`where` is the place of the text itself."""
    if text is None:
        return inherited
    for grade in Classification:
        if grade.value == text:
            return grade
    review.error(
        where, f"{text!r} is not a classification", f"use one of {', '.join(grade.value for grade in Classification)}"
    )
    return inherited


def read_columns(
    review: Review, properties: Sequence[SchemaProperty], where: str, inherited: Classification
) -> tuple[Column, ...]:
    """One column per property, in order. Those with a fault are there too, as far as they could be read."""
    columns: list[Column] = []
    for number, prop in enumerate(properties):
        place = f"{where}[{number}]"
        column = _column(review, prop, place, inherited, read_name(review, prop.name, place))
        if column.name and any(other.name == column.name for other in columns):
            review.error(f"{place}.name", f"a second column {column.name!r}", "give it another name")
        columns.append(column)
    return tuple(columns)


def _column(review: Review, prop: SchemaProperty, where: str, inherited: Classification, name: str) -> Column:
    classification = read_classification(review, prop.classification, inherited, f"{where}.classification")
    kind = _kind(review, prop, where)
    options = prop.logicalTypeOptions or {}
    _review_options(review, options, kind, f"{where}.logicalTypeOptions")
    minimum = _bound(review, options, "minimum", kind, where)
    maximum = _bound(review, options, "maximum", kind, where)
    if minimum is not None and maximum is not None and minimum > maximum:
        review.error(f"{where}.logicalTypeOptions.minimum", "is above maximum", "swap or mend them")
    column = Column(
        name=name, kind=kind, title=prop.businessName or "", description=prop.description or "",
        classification=classification,
        required=bool(prop.required or prop.primaryKey), unique=bool(prop.unique or prop.primaryKey),
        fields=_fields(review, prop, kind, where, classification),
        item=_element(review, prop, kind, where, classification),
        pattern=_pattern(review, options, kind, where), minimum=minimum, maximum=maximum,
        allowed=_allowed(review, prop, kind, where), secondary_key=_secondary_key(review, prop, kind, where),
        examples=tuple(each for each in prop.examples or () if isinstance(each, str)) if kind is Kind.TEXT else (),
        previous_name=_previous_name(review, prop, where),
        source=", ".join(prop.transformSourceObjects) if prop.transformSourceObjects else None,
    )  # fmt: skip
    for number, example in enumerate(column.examples):
        if column.pattern is not None and not re.fullmatch(column.pattern, example):
            review.error(f"{where}.examples[{number}]", "does not match the pattern", "mend the one or the other")
    # Columns are shown, hidden and agreed upon as wholes, so nothing inside may be stricter than its column.
    for inner in (*column.fields, *([column.item] if column.item is not None else [])):
        if _STRICTNESS.index(inner.classification) > _STRICTNESS.index(classification):
            review.error(
                f"{where}.classification",
                f"is {classification}, and {inner.name} within it is {inner.classification}",
                f"classify the whole as {inner.classification}, or give {inner.name} a column of its own",
            )
        if inner.secondary_key:
            review.error(where, f"{inner.name} within it cannot be a secondary key", "give it a column of its own")
    return column


def _fields(
    review: Review, prop: SchemaProperty, kind: Kind, where: str, inherited: Classification
) -> tuple[Column, ...]:
    if kind is not Kind.OBJECT:
        if prop.properties:
            review.error(f"{where}.properties", f"a {kind} has no properties", "make its logicalType object")
        return ()
    if not prop.properties:
        review.error(where, "an object without properties", "list its fields under `properties`")
    return read_columns(review, prop.properties or [], f"{where}.properties", inherited)


def _element(review: Review, prop: SchemaProperty, kind: Kind, where: str, inherited: Classification) -> Column | None:
    if kind is not Kind.ARRAY:
        if prop.items is not None:
            review.error(f"{where}.items", f"a {kind} has no items", "make its logicalType array")
        return None
    if prop.items is None:
        review.error(where, "an array without items", "say what each element is, under `items`")
        return None
    return _column(review, prop.items, f"{where}.items", inherited, prop.items.name or "item")


def _kind(review: Review, prop: SchemaProperty, where: str) -> Kind:
    known = {kind.value: kind for kind in Kind}
    if prop.logicalType in known:
        return known[prop.logicalType]
    problem = "has no logicalType" if prop.logicalType is None else f"{prop.logicalType!r} is not a logical type here"
    review.error(f"{where}.logicalType", problem, f"use one of {', '.join(known)}")
    return Kind.TEXT


def _review_options(review: Review, options: dict[str, Any], kind: Kind, where: str) -> None:
    heeded = {"pattern"} if kind is Kind.TEXT else {"minimum", "maximum"} if kind in _NUMERIC else set()
    for name in options:
        if name not in _OPTIONS[kind]:
            review.error(f"{where}.{name}", f"is not an option of a {kind}", did_you_mean(name, _OPTIONS[kind]))
        elif name not in heeded:
            review.warning(
                f"{where}.{name}", "is not checked on rows", "say it with pattern, minimum, maximum or enum, if you can"
            )


def _bound(review: Review, options: dict[str, Any], name: str, kind: Kind, where: str) -> float | None:
    value = options.get(name)
    if value is None or kind not in _NUMERIC:
        return None
    # Beyond 2**53 a float no longer holds every whole number, and the bound would not be the one that was written.
    if isinstance(value, int | float) and not isinstance(value, bool) and -(2**53) <= value <= 2**53:
        return float(value)
    review.error(f"{where}.logicalTypeOptions.{name}", "is not a number of usual size", "give a number below 2**53")
    return None


def _pattern(review: Review, options: dict[str, Any], kind: Kind, where: str) -> str | None:
    pattern = options.get("pattern")
    if pattern is None or kind is not Kind.TEXT:
        return None
    return read_pattern(review, pattern, f"{where}.logicalTypeOptions.pattern")


def read_pattern(review: Review, pattern: Any, where: str) -> str | None:
    """A regular expression that Python and a linear-time engine both understand; None for one that is not."""
    if not isinstance(pattern, str):
        review.error(where, "is not text", "put the expression in quotation marks")
        return None
    # Python matches a key in a call, a linear-time engine matches rows by the million: it must be good for both.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
        pc.match_substring_regex(pa.array([""]), pattern)
    except (re.error, Warning, RecursionError, OverflowError) as error:
        review.error(where, f"is not a regular expression: {error}", "mend the expression")
        return None
    except pa.ArrowInvalid as error:
        review.error(
            where, f"cannot be matched in linear time: {error}", "do without looking around and back references"
        )
        return None
    if re.search(r"\\[dDwWsSbB]", pattern):
        review.warning(where, "\\d, \\w, \\s and \\b mean more than ASCII to some engines", "spell it out: [0-9]")
    return pattern


def _allowed(review: Review, prop: SchemaProperty, kind: Kind, where: str) -> frozenset[str] | None:
    """From `enum`, from the custom property `allowed`, or from a quality rule `invalidValues`."""
    found: list[tuple[str, Any]] = []
    if prop.enum is not None:
        found.append((f"{where}.enum", [entry.value for entry in prop.enum]))
    for number, custom in enumerate(prop.customProperties or []):
        if custom.property == "allowed":
            found.append((f"{where}.customProperties[{number}].value", custom.value))
    for number, rule in enumerate(prop.quality or []):
        if is_list_of_allowed_values(rule):
            found.append((f"{where}.quality[{number}].arguments", (rule.arguments or {})["validValues"]))
    allowed: frozenset[str] | None = None
    for place, values in found:
        if kind is not Kind.TEXT:
            review.error(
                place, f"a {kind} has no list of allowed values", "make it a string, or use minimum and maximum"
            )
        elif not isinstance(values, list) or not values:
            review.error(place, "is not a list of texts", "list the values")
        elif not all(isinstance(value, str) for value in values):
            review.error(place, "holds a value that is not text", 'put codes in quotation marks: "01"')
        elif len(set(values)) < len(values):
            review.error(place, "holds a value twice", "remove one of them")
        elif allowed is not None and allowed != frozenset(values):
            review.error(place, "differs from the other list of allowed values", "keep one list")
        else:
            allowed = frozenset(values)
    return allowed


def _previous_name(review: Review, prop: SchemaProperty, where: str) -> str | None:
    for number, custom in enumerate(prop.customProperties or []):
        if custom.property == "previousName":
            if isinstance(custom.value, str) and NAME.fullmatch(custom.value) and custom.value != prop.name:
                return custom.value
            review.error(
                f"{where}.customProperties[{number}].value", f"{custom.value!r} is not another name",
                "write what the column was called in the version before",
            )  # fmt: skip
    return None


def _secondary_key(review: Review, prop: SchemaProperty, kind: Kind, where: str) -> bool:
    """From the custom property `secondaryKey`: true."""
    found = False
    for number, custom in enumerate(prop.customProperties or []):
        if custom.property != "secondaryKey":
            continue
        place = f"{where}.customProperties[{number}].value"
        if not isinstance(custom.value, bool):
            review.error(place, "is neither true nor false", "write true, or leave it out")
        elif custom.value and kind not in _SEARCHED:
            review.error(place, f"a {kind} cannot be a secondary key", f"use one of {', '.join(sorted(_SEARCHED))}")
        else:
            found = custom.value
    return found


def is_list_of_allowed_values(rule: DataQuality) -> bool:
    """Whether a quality rule says no more than `enum` does: one of these texts stands in each row."""
    named = rule.metric or rule.rule
    limits = (rule.mustBeLessThan, rule.mustBeLessOrEqualTo, rule.mustBeGreaterThan, rule.mustBeGreaterOrEqualTo)
    limited = any(value is not None for value in (*limits, rule.mustNotBe, rule.mustBeBetween, rule.mustNotBeBetween))
    plain = rule.mustBe in (0, None) and not limited and rule.severity in (None, "error")
    return named == "invalidValues" and plain and "validValues" in (rule.arguments or {})
