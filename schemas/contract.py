"""A contract: an Open Data Contract Standard 3 document, read into datasets.

What is used of the standard, beyond names and descriptions: `logicalType` and `logicalTypeOptions` (pattern, minimum, maximum), `primaryKey`,
`required`, `unique`, `enum`, `classification` (public, personal, protected; by default that of the dataset), `properties`, `items`, and
`transformSourceObjects` as the value's origin. Custom properties of a dataset: `classification`, `protection` and `freshnessTargetSeconds`.
(Standard: https://bitol-io.github.io/open-data-contract-standard/)
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from open_data_contract_standard.model import (
    CustomProperty,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import ValidationError

from schemas.column import Classification, Column, Kind
from schemas.dataset import Dataset, ProtectionRule
from schemas.document import Document, read_document
from schemas.finding import Finding

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Names become columns, folders and parts of SQL and of paths: nothing else may stand in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    id: str
    register: str
    name: str
    version: str
    status: str
    description: str
    datasets: tuple[Dataset, ...]
    path: Path


class _Reader:
    """Reads one document; collects what is wrong instead of stopping at the first fault."""

    def __init__(self, document: Document, register: str) -> None:
        self.document = document
        self.register = register
        self.findings: list[Finding] = []

    def fault(self, where: str, problem: str, remedy: str) -> None:
        self.findings.append(self.document.finding(where, problem, remedy))

    def name(self, name: str | None, where: str) -> str:
        if name is None or not NAME.fullmatch(name):
            self.fault(
                f"{where}.name",
                "is not a name" if name is None else f"{name!r} cannot be a name here",
                "use lower-case letters, digits and underscores, beginning with a letter",
            )
            return ""
        return name

    def dataset(self, schema: SchemaObject, where: str, version: str) -> Dataset | None:
        name = self.name(schema.name, where)
        custom = _custom(schema.customProperties)
        inherited = self.classification(custom.get("classification"), Classification.PUBLIC, where)
        columns = self.columns(schema.properties or [], f"{where}.properties", inherited)
        keys = [
            prop.name for prop in schema.properties or [] if prop.primaryKey and prop.name and NAME.fullmatch(prop.name)
        ]
        if not keys:
            self.fault(where, "no property is the primary key", "mark one property with `primaryKey: true`")
        elif len(keys) > 1:
            self.fault(where, "has several primary keys", "keep one; join the parts into one column in the decoder")
        if not keys or not columns or not name:
            return None
        key = next(column for column in columns if column.name == keys[0])
        if key.kind is not Kind.TEXT:
            self.fault(f"{where}.properties", f"the key {key.name} is not a string", "make its logicalType string")
        protection = self.protection(custom.get("protection"), columns, where)
        if protection is None and any(c.classification is Classification.PROTECTED for c in columns):
            self.fault(
                where, "has protected columns and no rule that says when they are protected",
                "add the custom property `protection`",
            )  # fmt: skip
        freshness = custom.get("freshnessTargetSeconds")
        if freshness is not None and (not isinstance(freshness, int) or freshness <= 0):
            self.fault(
                where,
                "freshnessTargetSeconds is not a positive whole number",
                "give seconds, for instance 86400",
            )
            freshness = None
        return Dataset(
            register=self.register, name=name, title=schema.businessName or name,
            description=schema.description or "", version=version, columns=columns, key=keys[0],
            protection=protection, freshness_target_s=freshness,
        )  # fmt: skip

    def columns(self, properties: list[SchemaProperty], where: str, inherited: Classification) -> tuple[Column, ...]:
        columns: list[Column] = []
        for number, prop in enumerate(properties):
            column = self.column(prop, f"{where}[{number}]", inherited)
            if any(other.name == column.name for other in columns):
                self.fault(f"{where}[{number}].name", f"a second column {column.name!r}", "give it another name")
            columns.append(column)
        return tuple(columns)

    def column(self, prop: SchemaProperty, where: str, inherited: Classification, *, named: bool = True) -> Column:
        name = self.name(prop.name, where) if named else (prop.name or "item")
        classification = self.classification(prop.classification, inherited, where)
        kind = self.kind(prop, where)
        options = prop.logicalTypeOptions or {}
        item = None
        if kind is Kind.ARRAY:
            if prop.items is None:
                self.fault(where, "an array without items", "say what each element is, under `items`")
            else:
                item = self.column(prop.items, f"{where}.items", classification, named=False)
        fields: tuple[Column, ...] = ()
        if kind is Kind.OBJECT:
            fields = self.columns(prop.properties or [], f"{where}.properties", classification)
            if not fields:
                self.fault(where, "an object without properties", "list its fields under `properties`")
        minimum = self.number(options, "minimum", where)
        maximum = self.number(options, "maximum", where)
        if minimum is not None and maximum is not None and minimum > maximum:
            self.fault(f"{where}.logicalTypeOptions", "minimum is above maximum", "swap or mend them")
        return Column(
            name=name, kind=kind, title=prop.businessName or "", description=prop.description or "",
            classification=classification, required=bool(prop.required or prop.primaryKey),
            unique=bool(prop.unique or prop.primaryKey), fields=fields, item=item,
            pattern=self.pattern(options, where), minimum=minimum, maximum=maximum,
            allowed=self.allowed(prop, where),
            source=", ".join(prop.transformSourceObjects) if prop.transformSourceObjects else None,
        )  # fmt: skip

    def kind(self, prop: SchemaProperty, where: str) -> Kind:
        try:
            return Kind(prop.logicalType or "")
        except ValueError:
            self.fault(
                f"{where}.logicalType", f"{prop.logicalType!r} is not a logical type known here",
                f"use one of {', '.join(kind.value for kind in Kind)}",
            )  # fmt: skip
            return Kind.TEXT

    def classification(self, text: Any, inherited: Classification, where: str) -> Classification:
        if text is None:
            return inherited
        try:
            return Classification(text)
        except ValueError:
            self.fault(
                f"{where}.classification", f"{text!r} is not a classification",
                f"use one of {', '.join(grade.value for grade in Classification)}",
            )  # fmt: skip
            # Unclear means strict: better a column too few in an answer than one too many.
            return Classification.PROTECTED

    def number(self, options: dict[str, Any], name: str, where: str) -> float | None:
        value = options.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(f"{where}.logicalTypeOptions.{name}", "is not a number", "give a number")
            return None
        return float(value)

    def pattern(self, options: dict[str, Any], where: str) -> str | None:
        pattern = options.get("pattern")
        if pattern is None:
            return None
        try:
            re.compile(pattern)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            self.fault(f"{where}.logicalTypeOptions.pattern", f"is not a pattern: {error}", "mend the expression")
            return None
        return str(pattern)

    def allowed(self, prop: SchemaProperty, where: str) -> frozenset[str] | None:
        if prop.enum is None:
            return None
        values = [entry.value for entry in prop.enum]
        if not all(isinstance(value, str) for value in values):
            self.fault(f"{where}.enum", "holds a value that is not text", 'put codes in quotation marks: "01"')
        return frozenset(str(value) for value in values)

    def protection(self, rule: Any, columns: tuple[Column, ...], where: str) -> ProtectionRule | None:
        if rule is None:
            return None
        try:
            made = ProtectionRule(
                list_column=rule["list"], type_field=rule["type"], types=frozenset(rule["types"]),
                from_field=rule["from"], to_field=rule["to"],
            )  # fmt: skip
        except (KeyError, TypeError):
            self.fault(
                f"{where}.customProperties", "the protection rule is not whole",
                "give list, type, types, from and to",
            )  # fmt: skip
            return None
        column = next((c for c in columns if c.name == made.list_column), None)
        item = column.item if column is not None else None
        found = {field.name for field in item.fields} if item is not None else set()
        missing = {made.type_field, made.from_field, made.to_field} - found
        if missing:
            self.fault(
                f"{where}.customProperties",
                f"the protection rule names what is not there: {made.list_column}[].{', '.join(sorted(map(str, missing)))}",
                "name a column that is an array of objects, and its fields",
            )
            return None
        return made


def read_contract(path: Path, register: str) -> tuple[Contract | None, list[Finding]]:
    """The contract, and what is wrong with it. Never raises for what a file may hold."""
    document, findings = read_document(path)
    if document is None:
        return None, findings
    version = str(document.value.get("apiVersion", ""))
    if not version.startswith("v3."):
        problem = f"apiVersion is {version!r}" if version else "has no apiVersion"
        return None, [
            *findings,
            document.finding("apiVersion", problem, "write it for v3.0 or newer of the standard"),
        ]
    try:
        model = OpenDataContractStandard.model_validate(document.value)
    except (ValidationError, RecursionError) as error:
        faults = error.errors() if isinstance(error, ValidationError) else []
        return None, findings + [
            document.finding(_place(fault["loc"]), fault["msg"], "write it as the standard has it") for fault in faults
        ]
    reader = _Reader(document, register)
    datasets = [
        reader.dataset(schema, f"schema[{number}]", model.version or "0.0.0")
        for number, schema in enumerate(model.schema_ or [])
    ]
    if not datasets:
        reader.fault("schema", "promises no dataset", "describe at least one table under `schema`")
    contract = Contract(
        id=model.id or "", register=register, name=model.name or register, version=model.version or "0.0.0",
        status=model.status or "", description=(model.description.purpose or "") if model.description else "",
        datasets=tuple(dataset for dataset in datasets if dataset is not None), path=path,
    )  # fmt: skip
    return contract, findings + reader.findings


def _custom(properties: list[CustomProperty] | None) -> dict[str, Any]:
    return {prop.property: prop.value for prop in properties or [] if prop.property}


def _place(location: tuple[int | str, ...]) -> str:
    """A pydantic location as a path: ('schema', 0, 'name') is `schema[0].name`."""
    place = ""
    for part in location:
        name = "schema" if part == "schema_" else part
        place += f"[{name}]" if isinstance(name, int) else (f".{name}" if place else str(name))
    return place
