"""Rules of a contract, read: `quality` and `relationships` of a dataset and of its properties.

    relationships:
      - {to: 'municipality.odcs.yaml#municipalities.code'}     # of a property: a key into another register's dataset
    quality:
      - {metric: nullValues, mustBeLessThan: 5, unit: percent}  # of a property: too many refuse a delivery
      - {type: custom, engine: knudepunkt, implementation: {checkDigit: cvr}}
      - {metric: rowCount, mustBeBetween: [90, 110]}            # of a dataset
      - type: sql                                               # of a dataset: rows that the WHERE finds are held back
        query: SELECT COUNT(*) FROM {object} WHERE valid_to < valid_from
        mustBe: 0
        severity: warning                                       # counted and told, not held back; default: error

With `mustBe: 0` each row that breaks a rule is held back; any other operator is a limit on the delivery as a whole.
Rules of another kind or for another engine are left as documentation, with a warning that says so.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

from schemas.column import Column, Kind
from schemas.comparison import counted_comparison
from schemas.document import Review
from schemas.expression import NAMES, ExpressionRefused
from schemas.finding import Severity
from schemas.properties import is_list_of_allowed_values, read_pattern
from schemas.relationships import read_keys
from schemas.rule import OPERATORS, CheckDigit, Condition, Duplicated, Invalid, Limit, Missing, RowCount, Rule, Test

ENGINE: Final = "knudepunkt"
_SEVERITIES: Final = {None: Severity.ERROR, "error": Severity.ERROR, "warning": Severity.WARNING}
_PLACEHOLDER: Final = re.compile(r"\$?\{(object|property)\}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a rule stands: in a dataset, or in one of its columns."""

    review: Review
    where: str
    columns: Mapping[str, Column]
    column: Column | None
    path: tuple[str, ...] = ()

    def text_column(self) -> bool:
        if self.column is not None and self.column.kind is not Kind.TEXT:
            self.review.error(self.where, f"a {self.column.kind} has no such rule", "it is for strings")
            return False
        return True


def read_rules(
    review: Review, schema: SchemaObject, columns: tuple[Column, ...], where: str, register: str
) -> tuple[Rule, ...]:
    """The rules of a dataset, in the order in which they stand: keys, then columns, then the dataset's own."""
    named = {column.name: column for column in columns}
    rules = list(read_keys(review, schema, columns, where, register))
    for number, (prop, column) in enumerate(zip(schema.properties or [], columns, strict=True)):
        rules += _of_property(review, prop, column, named, (column.name,), f"{where}.properties[{number}]")
    for number, quality in enumerate(schema.quality or []):
        rules += _rule(quality, _Place(review, f"{where}.quality[{number}]", named, None))
    return tuple(rules)


def _of_property(
    review: Review,
    prop: SchemaProperty,
    column: Column,
    named: Mapping[str, Column],
    path: tuple[str, ...],
    where: str,
) -> list[Rule]:
    rules: list[Rule] = []
    for number, quality in enumerate(prop.quality or []):
        if not is_list_of_allowed_values(quality):
            rules += _rule(quality, _Place(review, f"{where}.quality[{number}]", named, column, path))
    for number, (inner, field) in enumerate(zip(prop.properties or [], column.fields, strict=False)):
        rules += _of_property(review, inner, field, named, (*path, field.name), f"{where}.properties[{number}]")
    if prop.items is not None and column.item is not None:
        rules += _of_property(review, prop.items, column.item, named, path, f"{where}.items")
    return rules


def _rule(quality: DataQuality, place: _Place) -> list[Rule]:
    """The rule, in a list; none for one that is not for this house, or has a fault."""
    review, where = place.review, place.where
    made = _test(quality, place)
    if made is None:
        return []
    if quality.severity not in _SEVERITIES:
        review.error(f"{where}.severity", f"{quality.severity!r} is not a severity here", "use error or warning")
        return []
    name, test, reason = made
    severity = _SEVERITIES[quality.severity]
    if isinstance(test, CheckDigit) and test.scheme == "cpr" and severity is Severity.ERROR:
        review.error(
            f"{where}.severity", "numbers without this check digit are valid since 2007",
            "write `severity: warning`: they are counted, not held back",
        )  # fmt: skip
        return []
    given = {operator: getattr(quality, operator) for operator in OPERATORS if getattr(quality, operator) is not None}
    if isinstance(test, CheckDigit) and not given:
        given = {"mustBe": 0}
    limit = _limit(given, quality.unit, place)
    if limit is None:
        return []
    each = limit.operator == "mustBe" and limit.values == (0,) and not isinstance(test, RowCount)
    return [
        Rule(
            name=name, test=test, reason=quality.description or quality.name or reason, severity=severity,
            limit=None if each else limit, where=where,
        )
    ]  # fmt: skip


def _limit(given: Mapping[str, object], unit: str | None, place: _Place) -> Limit | None:
    review, where = place.review, place.where
    if len(given) != 1:
        review.error(where, f"has {len(given)} operators", f"give one of {', '.join(OPERATORS)}")
        return None
    ((operator, value),) = given.items()
    values = tuple(value) if isinstance(value, list) else (value,)
    if not all(isinstance(each, int | float) and not isinstance(each, bool) and each >= 0 for each in values):
        review.error(f"{where}.{operator}", "is not a number of 0 or more", "give a number")
        return None
    if unit not in (None, "rows", "percent"):
        review.error(f"{where}.unit", f"{unit!r} is not a unit", "use rows or percent")
        return None
    return Limit(operator=operator, values=values, percent=unit == "percent")


def _test(quality: DataQuality, place: _Place) -> tuple[str, Test, str] | None:
    """(name, test, reason) of a rule; None for one that is not tested here."""
    kind = quality.type or ("library" if quality.metric or quality.rule else None)
    if kind == "library":
        metric = quality.metric or quality.rule or ""
        reader = (_METRICS if place.column is not None else _DATASET_METRICS).get(metric)
        if reader is None:
            known = ", ".join(_METRICS if place.column is not None else _DATASET_METRICS)
            place.review.error(f"{place.where}.metric", f"{metric!r} is not a metric here", f"use one of {known}")
            return None
        if len(place.path) > 1:
            place.review.warning(place.where, "is not checked within a column", "keep it as documentation")
            return None
        return reader(quality, place)
    if kind == "sql":
        return _condition(quality, place)
    if kind == "custom" and quality.engine == ENGINE:
        return _check_digit(quality, place)
    place.review.warning(place.where, "is not checked on rows", "keep it as documentation")
    return None


def _missing(quality: DataQuality, place: _Place) -> tuple[str, Test, str] | None:
    texts = (quality.arguments or {}).get("missingValues", [None])
    if not isinstance(texts, list) or not all(text is None or isinstance(text, str) for text in texts):
        place.review.error(f"{place.where}.arguments", "is not a list of texts", "list what stands for nothing")
        return None
    found = frozenset(text for text in texts if text is not None)
    if found and not place.text_column():
        return None
    name = place.path[0]
    return "missing", Missing(column=name, texts=found), f"{name}: nothing there"


def _invalid(quality: DataQuality, place: _Place) -> tuple[str, Test, str] | None:
    arguments, where = quality.arguments or {}, f"{place.where}.arguments"
    allowed, pattern = arguments.get("validValues"), arguments.get("pattern")
    if not place.text_column():
        return None
    if (allowed is None) == (pattern is None):
        place.review.error(where, "has not one of validValues and pattern", "give one of them")
        return None
    name = place.path[0]
    if pattern is not None:
        read = read_pattern(place.review, pattern, f"{where}.pattern")
        return None if read is None else ("invalid", Invalid(column=name, pattern=read), f"{name}: not a valid value")
    if not isinstance(allowed, list) or not all(isinstance(value, str) for value in allowed):
        place.review.error(f"{where}.validValues", "is not a list of texts", "put codes in quotation marks")
        return None
    return "invalid", Invalid(column=name, allowed=frozenset(allowed)), f"{name}: not a valid value"


def _duplicated(quality: DataQuality, place: _Place) -> tuple[str, Test, str] | None:
    names = list(place.path) or (quality.arguments or {}).get("properties")
    flat = [name for name, column in place.columns.items() if column.kind not in (Kind.OBJECT, Kind.ARRAY)]
    if not isinstance(names, list) or not names or not set(names) <= set(flat):
        place.review.error(f"{place.where}.arguments", "does not name plain columns", "list them under `properties`")
        return None
    return "duplicated", Duplicated(columns=tuple(names)), f"{', '.join(names)}: the same on several rows"


def _row_count(_: DataQuality, __: _Place) -> tuple[str, Test, str]:
    return "row_count", RowCount(), "the number of rows"


def _condition(quality: DataQuality, place: _Place) -> tuple[str, Test, str] | None:
    """`SELECT COUNT(*) FROM {object} WHERE ...`: the rows that it counts are those that break the rule."""
    where = f"{place.where}.query"
    names = {"object": "rows", "property": place.path[0] if place.path else "property"}
    text = _PLACEHOLDER.sub(lambda found: names[found[1]], quality.query or "")
    form = "write SELECT COUNT(*) FROM {object} WHERE and a condition that is true for a row that is wrong"
    if len(place.path) > 1:
        place.review.warning(place.where, "is not checked within a column", "put it on the dataset")
        return None
    plain = counted_comparison(text, place.columns)
    if plain is not None:
        return "condition", Condition(broken=plain), "a condition between columns does not hold"
    # Late: few rules need the grammar of all SQL, which takes long to load.
    from schemas.counted import NoCount, counted_condition

    try:
        expression, kind = counted_condition(text, place.columns.values())
    except NoCount as refused:
        place.review.error(where, str(refused), form)
        return None
    except ExpressionRefused as refused:
        place.review.error(where, str(refused), f"use the dataset's columns and {NAMES}")
        return None
    if kind is not Kind.BOOLEAN:
        place.review.error(where, f"has a condition that gives {kind}", "compare it with something")
        return None
    return "condition", Condition(broken=expression), "a condition between columns does not hold"


def _check_digit(quality: DataQuality, place: _Place) -> tuple[str, Test, str] | None:
    asked, where = quality.implementation, f"{place.where}.implementation"
    if not isinstance(asked, dict) or set(asked) != {"checkDigit"} or asked["checkDigit"] not in ("cpr", "cvr"):
        place.review.error(where, "is not a rule of this house", "write {checkDigit: cpr} or {checkDigit: cvr}")
        return None
    if place.column is None:
        place.review.error(where, "is not the rule of a property", "put it on the property that holds the number")
        return None
    if not place.text_column():
        return None
    scheme = asked["checkDigit"]
    return "check_digit", CheckDigit(path=place.path, scheme=scheme), f"{'.'.join(place.path)}: wrong check digit"


_Reader = Callable[[DataQuality, _Place], tuple[str, Test, str] | None]
_METRICS: Final[Mapping[str, _Reader]] = {
    "nullValues": _missing,
    "missingValues": _missing,
    "invalidValues": _invalid,
    "duplicateValues": _duplicated,
}
_DATASET_METRICS: Final[Mapping[str, _Reader]] = {"rowCount": _row_count, "duplicateValues": _duplicated}
