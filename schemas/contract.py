"""A contract: an Open Data Contract Standard 3 document, read into datasets.

What is used of the standard beyond names and descriptions: `logicalType`, `logicalTypeOptions` (pattern, minimum,
maximum), `primaryKey`, `required`, `unique`, `enum`, `classification` (public, personal, protected; by default that
of the dataset), `properties`, `items`, and `transformSourceObjects` as the value's origin. Custom properties of a
dataset: `classification`, `protection` ({list, type, types, from, to}), `freshnessTargetSeconds`, `fictitious` (a
pattern that keys of invented rows meet in full, and no key of a real one) and `recordLayout` (the register's own
lines, in which rows can be given out: cpr). Rules (`quality`, `relationships`) are read in schemas/quality.py and
schemas/relationships.py, derived columns in schemas/transforms.py.
(Standard: https://bitol-io.github.io/open-data-contract-standard/)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from open_data_contract_standard.model import CustomProperty, OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import BaseModel, ValidationError

from schemas.column import Classification, Column, Kind
from schemas.dataset import Dataset, ProtectionRule
from schemas.derivation import FromList
from schemas.document import Document, Review, did_you_mean, path_of, read_document
from schemas.finding import Finding
from schemas.properties import read_classification, read_columns, read_name, read_pattern
from schemas.quality import read_rules
from schemas.transforms import read_derivations

_API: Final = re.compile(r"v3\.\d+\.\d+")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_CUSTOM: Final = ("classification", "protection", "freshnessTargetSeconds", "fictitious", "recordLayout")
_LAYOUTS: Final = ("cpr",)
_RULE: Final = ("list", "type", "types", "from", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """status   as the standard has it: proposed, draft, active, deprecated, retired"""

    id: str
    register: str
    name: str
    version: str
    status: str
    description: str
    datasets: tuple[Dataset, ...]
    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The contract's own, and the code lists beside it that it names."""
        derived = (column.derived for dataset in self.datasets for column in dataset.columns)
        lists = {each.file for each in derived if isinstance(each, FromList)}
        return self.path, *(self.path.parent / name for name in sorted(lists))


def read_contract(path: Path, register: str) -> tuple[Contract | None, Document | None, list[Finding]]:
    """The contract, the document it stands in, and what is wrong with it. Never raises for what a file may hold.

    When there are errors the contract is None, or lacks the datasets that could not be read.
    """
    document, findings = read_document(path)
    if document is None:
        return None, None, findings
    review = Review(document, findings)
    api = document.value.get("apiVersion")
    if not isinstance(api, str) or not _API.fullmatch(api):
        problem = "is not there" if api is None else f"{api!r} is not a version that is read here"
        review.error("apiVersion", problem, "write the contract for version 3 of the standard, for instance v3.1.0")
        return None, document, findings
    try:
        # Strict, since `required: "no"` must not become yes, nor the code 0101 the number 65.
        model = OpenDataContractStandard.model_validate(document.value, strict=True)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            remedy = "remove it" if fault["type"] == "extra_forbidden" else "write it as the standard has it"
            review.error(path_of(fault["loc"]), fault["msg"], remedy)
        return None, document, findings
    for where, key, known in _unknown(model, document.value, ""):
        review.error(where, f"the standard has no {key!r} here", did_you_mean(key, known))
    _review_head(review, model)
    datasets = [
        _dataset(review, schema, f"schema[{number}]", register, model.version or "")
        for number, schema in enumerate(model.schema_ or [])
    ]
    if not datasets:
        review.error("schema", "promises no dataset", "describe at least one table under `schema`")
    contract = Contract(
        id=model.id or "", register=register, name=model.name or register, version=model.version or "",
        status=model.status or "", description=(model.description.purpose or "") if model.description else "",
        datasets=tuple(dataset for dataset in datasets if dataset is not None), path=path,
    )  # fmt: skip
    return contract, document, findings


def _review_head(review: Review, model: OpenDataContractStandard) -> None:
    for name in ("id", "status"):
        if not getattr(model, name):
            review.error(name, "is not there", f"add `{name}:`")
    if model.kind != "DataContract":
        review.error("kind", "is not DataContract", "write `kind: DataContract`")
    if not _VERSION.fullmatch(model.version or ""):
        review.error("version", "is not a version", "write three numbers, for instance 1.0.0")


def _unknown(model: BaseModel, raw: Any, where: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Keys that the models would pass over in silence: a misspelt `classification` would make a column public."""
    fields = {field.alias or name: name for name, field in type(model).model_fields.items()}
    for key in raw:
        path = f"{where}.{key}" if where else str(key)
        if key not in fields:
            yield path, str(key), frozenset(fields)
            continue
        value = getattr(model, fields[key])
        if isinstance(value, BaseModel):
            yield from _unknown(value, raw[key], path)
        elif isinstance(value, list):
            for number, (item, inner) in enumerate(zip(value, raw[key], strict=True)):
                if isinstance(item, BaseModel):
                    yield from _unknown(item, inner, f"{path}[{number}]")


def _dataset(review: Review, schema: SchemaObject, where: str, register: str, version: str) -> Dataset | None:
    name = read_name(review, schema.name, where)
    if schema.logicalType not in (None, "object"):
        review.error(f"{where}.logicalType", "a dataset is an object", "write `logicalType: object`")
    custom = _custom(review, schema.customProperties or [], where)
    place, value = custom.get("classification", (where, None))
    inherited = read_classification(review, value, Classification.PUBLIC, place)
    columns = read_columns(review, schema.properties or [], f"{where}.properties", inherited)
    columns = read_derivations(review, schema.properties or [], columns, f"{where}.properties")
    rules = read_rules(review, schema, columns, where, register)
    key = _key(review, schema.properties or [], columns, where)
    place, value = custom.get("protection", (where, None))
    rule = None if value is None else _protection(review, value, columns, place)
    if value is None and any(column.classification is Classification.PROTECTED for column in columns):
        review.error(
            where, "has protected columns and no rule that says when they are protected",
            "add the custom property `protection`",
        )  # fmt: skip
    place, freshness = custom.get("freshnessTargetSeconds", (where, None))
    if freshness is not None and (not isinstance(freshness, int) or isinstance(freshness, bool) or freshness <= 0):
        review.error(place, "is not a positive whole number", "give seconds, for instance 86400")
        freshness = None
    place, fictitious = custom.get("fictitious", (where, None))
    pattern = None if fictitious is None else read_pattern(review, fictitious, place)
    place, layout = custom.get("recordLayout", (where, None))
    if layout is not None and layout not in _LAYOUTS:
        review.error(place, "is no record layout", f"write {' or '.join(_LAYOUTS)}, or leave it out")
        layout = None
    if not name or key is None or not all(column.name for column in columns):
        return None
    return Dataset(
        register=register, name=name, title=schema.businessName or name, description=schema.description or "",
        version=version, columns=columns, key=key, protection=rule, freshness_target_s=freshness,
        rules=rules, fictitious=pattern, record_layout=layout,
    )  # fmt: skip


def _custom(review: Review, properties: list[CustomProperty], where: str) -> dict[str, tuple[str, Any]]:
    """Custom properties by name: the place of the value, and the value. Those of others are left alone."""
    found: dict[str, tuple[str, Any]] = {}
    for number, prop in enumerate(properties):
        place = f"{where}.customProperties[{number}]"
        name = prop.property or ""
        if name in found:
            review.error(f"{place}.property", f"a second {name!r}", "keep one of them")
        if name not in _CUSTOM and get_close_matches(name, _CUSTOM):
            review.warning(f"{place}.property", f"{name!r} is not heeded here", did_you_mean(name, _CUSTOM))
        found[name] = (f"{place}.value", prop.value)
    return found


def _key(review: Review, properties: list[SchemaProperty], columns: tuple[Column, ...], where: str) -> str | None:
    """Name of the one column that identifies a row."""
    keys = [number for number, prop in enumerate(properties) if prop.primaryKey]
    if not keys:
        review.error(where, "no property is the primary key", "mark one property with `primaryKey: true`")
        return None
    if len(keys) > 1:
        review.error(
            f"{where}.properties[{keys[1]}].primaryKey", "is a second primary key",
            "keep one; join the parts into one column in the decoder",
        )  # fmt: skip
    prop, column, place = properties[keys[0]], columns[keys[0]], f"{where}.properties[{keys[0]}]"
    if column.kind is not Kind.TEXT:
        review.error(f"{place}.logicalType", f"a key is a string, not a {column.kind}", "make its logicalType string")
    for name, value in (("required", prop.required), ("unique", prop.unique)):
        if value is False:
            review.error(f"{place}.{name}", f"a key is always {name}", "remove the line")
    if column.classification is Classification.PROTECTED:
        review.error(
            f"{place}.classification", "a key that is withheld could not be answered with",
            "classify it as public or personal",
        )  # fmt: skip
    return column.name or None


def _protection(review: Review, rule: Any, columns: tuple[Column, ...], where: str) -> ProtectionRule | None:
    if not isinstance(rule, dict) or set(rule) != set(_RULE):
        review.error(where, "is not a whole protection rule", f"give {', '.join(_RULE)}, and nothing else")
        return None
    types = rule["types"]
    if not isinstance(types, list) or not types or not all(isinstance(value, str) for value in types):
        review.error(f"{where}.types", "is not a list of texts", "put the codes in quotation marks: ['0001']")
        return None
    array = next((column for column in columns if column.name == rule["list"]), None)
    if array is None or array.item is None or array.item.kind is not Kind.OBJECT:
        review.error(f"{where}.list", "is not a column that is an array of objects", "name the column that holds them")
        return None
    whole = True
    for part, kind in (("type", Kind.TEXT), ("from", Kind.DATE), ("to", Kind.DATE)):
        field = next((field for field in array.item.fields if field.name == rule[part]), None)
        if field is None or field.kind is not kind:
            review.error(f"{where}.{part}", f"is not a field of {array.name} that is a {kind}", "name such a field")
            whole = False
    if not whole:
        return None
    return ProtectionRule(
        list_column=rule["list"], type_field=rule["type"], types=frozenset(types), from_field=rule["from"],
        to_field=rule["to"],
    )  # fmt: skip
