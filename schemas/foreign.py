"""A contract that was written elsewhere, put into the strict form of this house.

Any document of version 3 of the standard is taken. What this house has another word for is translated, what it does
not use is left out, and both are told. Nothing is guessed that decides who may see what: a value without a known
classification is personal until somebody says otherwise.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.column import Classification, Kind
from schemas.properties import NAME
from schemas.rule import OPERATORS

_HEAD: Final = ("apiVersion", "kind", "id", "name", "version", "status", "description", "schema")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_API: Final = re.compile(r"v3\.\d+\.\d+")
_OF_A_RULE: Final = (
    "name", "description", "type", "metric", "rule", "arguments", "unit", "severity", "query", "engine",
    "implementation",
)  # fmt: skip
_WORDS: Final = ("purpose", "usage", "limitations")
_GRADES: Final = frozenset(grade.value for grade in Classification)
_KINDS: Final = frozenset(kind.value for kind in Kind)
_PHYSICAL: Final = (
    (r"(big|small|tiny|medium)?(int|integer|serial)\d*|int(8|16|32|64)|long|short", Kind.INTEGER),
    (r"decimal|numeric|number|double( precision)?|float\d*|real|money", Kind.NUMBER),
    (r"bool(ean)?|bit", Kind.BOOLEAN),
    (r"timestamp\w*( with(out)? time zone)?|datetime\d*", Kind.TIMESTAMP),
    (r"date", Kind.DATE),
    (r"struct|record|object|row", Kind.OBJECT),
    (r"array|list|repeated", Kind.ARRAY),
    (r"(n|bp)?(var)?char2?|character( varying)?|text|string|uuid|uniqueidentifier|json|xml|time|bytes?", Kind.TEXT),
)
"""Physical types, without their length, to logical ones; the first that matches whole."""


class ForeignRefused(ValueError):
    """The document cannot be taken; the message says why."""


@dataclass(slots=True)
class Translated:
    """contract   the document in the strict form, as YAML values
    told       what was translated or left out
    to_decide  what somebody has to decide before the register can be used
    """

    contract: dict[str, Any]
    told: list[str] = field(default_factory=list)
    to_decide: list[str] = field(default_factory=list)

    @property
    def nested(self) -> frozenset[str]:
        """Datasets with columns that a table cannot hold."""
        whole = {Kind.OBJECT.value, Kind.ARRAY.value}
        return frozenset(
            each["name"]
            for each in self.contract["schema"]
            if any(prop["logicalType"] in whole for prop in each["properties"])
        )


def translate(document: Mapping[str, Any], new_id: str) -> Translated:
    """Put a document into the strict form. Raises ForeignRefused.

    new_id   for a contract that has none
    """
    api = document.get("apiVersion")
    if document.get("kind", "DataContract") != "DataContract" or not isinstance(api, str) or not _API.fullmatch(api):
        raise ForeignRefused("it is not a data contract of version 3 of the standard (apiVersion: v3.x.x)")
    datasets = document.get("schema")
    if not isinstance(datasets, list) or not datasets or not all(isinstance(each, dict) for each in datasets):
        raise ForeignRefused("it describes no dataset under `schema`")
    made = Translated({})
    version = str(document.get("version") or "")
    if not _VERSION.fullmatch(version):
        made.told.append(f"version {version or 'none'} became 1.0.0")
        version = "1.0.0"
    contract = {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": str(document.get("id") or new_id),
        "name": str(document.get("name") or document.get("dataProduct") or "Imported"), "version": version,
        "status": str(document.get("status") or "draft"),
    }  # fmt: skip
    made.contract |= contract
    words = document.get("description")
    if isinstance(words, dict) and (kept := {name: str(words[name]) for name in _WORDS if words.get(name)}):
        made.contract["description"] = kept
    if left := sorted(str(name) for name in set(document) - set(_HEAD)):
        made.told.append(f"left out: {', '.join(left)}")
    paths = dict(_paths(datasets))
    made.contract["schema"] = [_Reading(made, paths).dataset(each) for each in datasets]
    return made


def legal(name: Any) -> str:
    """The nearest name that this house allows; empty when there is none."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name or "")).lower()
    made = re.sub(r"[^a-z0-9]+", "_", words.replace("æ", "ae").replace("ø", "oe").replace("å", "aa")).strip("_")
    made = made if not made or made[0].isalpha() else f"x_{made}"
    return made[:63] if NAME.fullmatch(made[:63]) else ""


def _paths(datasets: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """References by id -> the same by name: `schema/<id>/properties/<id>` is `dataset.column`."""
    for each in datasets:
        for prop in _listed(each.get("properties")):
            if each.get("id") and prop.get("id"):
                path = f"schema/{each['id']}/properties/{prop['id']}"
                yield path, f"{legal(each.get('name'))}.{legal(prop.get('name'))}"


def _listed(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


@dataclass(slots=True)
class _Reading:
    made: Translated
    paths: Mapping[str, str]

    def dataset(self, given: dict[str, Any]) -> dict[str, Any]:
        name = self._name(given, "a dataset")
        properties = [self.column(prop, name) for prop in _listed(given.get("properties"))]
        keys = [prop for prop in properties if prop.get("primaryKey")]
        if not keys:
            self.made.to_decide.append(f"{name}: which column identifies a row? Mark it with `primaryKey: true`")
        elif len(keys) > 1:
            named = ", ".join(prop["name"] for prop in keys)
            self.made.to_decide.append(
                f"{name}: {named} identify a row together. Which one column does, or which can be made of them?"
            )
            for prop in keys:
                prop.pop("primaryKey")
                prop["required"] = True
        for prop in properties:
            if prop.get("primaryKey") and prop["logicalType"] != Kind.TEXT:
                self.made.told.append(f"{name}.{prop['name']}: a key is text here, not {prop['logicalType']}")
                prop |= {"logicalType": Kind.TEXT.value}
                prop.pop("logicalTypeOptions", None)
        return {
            "name": name,
            **_texts(given, "businessName", "description"),
            "logicalType": "object",
            "customProperties": [{"property": "classification", "value": Classification.PERSONAL.value}],
            "properties": properties,
            **self._rules(given),
        }

    def column(self, given: dict[str, Any], where: str) -> dict[str, Any]:
        name = self._name(given, f"a column of {where}")
        place = f"{where}.{name}"
        kind = self._kind(given, place)
        made: dict[str, Any] = {"name": name, **_texts(given, "businessName", "description"), "logicalType": kind.value}
        for flag in ("primaryKey", "required", "unique"):
            if given.get(flag) is True:
                made[flag] = True
        self._classify(given, made, place)
        options = given.get("logicalTypeOptions")
        if isinstance(options, dict) and (kept := self._options(options, kind, place)):
            made["logicalTypeOptions"] = kept
        allowed = [each.get("value") for each in _listed(given.get("enum"))]
        if allowed and kind is Kind.TEXT and all(isinstance(value, str) for value in allowed):
            made["enum"] = [{"value": value} for value in dict.fromkeys(allowed)]
        elif allowed:
            self.made.told.append(f"{place}: left out its list of values, which are not texts")
        if kind is Kind.OBJECT:
            made["properties"] = [self.column(prop, place) for prop in _listed(given.get("properties"))]
        if kind is Kind.ARRAY:
            made["items"] = self._element(given, place)
        if given.get("transformLogic"):
            self.made.told.append(f"{place}: its transformLogic is the source's own, and is kept as words")
            made["transformDescription"] = str(given.get("transformDescription") or given["transformLogic"])
        return made | self._rules(given)

    def _element(self, given: dict[str, Any], place: str) -> dict[str, Any]:
        shape = given.get("map")
        if isinstance(shape, dict):
            self.made.told.append(f"{place}: a map became an array of key and value")
            given_value = shape.get("value")
            value = given_value if isinstance(given_value, dict) else {"logicalType": "string"}
            parts = [{"name": "key", "logicalType": "string"}, {**value, "name": "value"}]
            return {"logicalType": "object", "properties": [self.column(part, place) for part in parts]}
        items = given.get("items")
        if not isinstance(items, dict):
            self.made.told.append(f"{place}: nothing says what its elements are; they became texts")
            return {"logicalType": "string"}
        element = self.column({"name": "item", **items}, place)
        element.pop("name")
        return element

    def _kind(self, given: dict[str, Any], place: str) -> Kind:
        logical, physical = given.get("logicalType"), str(given.get("physicalType") or "").lower()
        bare = re.sub(r"\s*[(<].*$", "", physical).strip()
        stored = next((kind for pattern, kind in _PHYSICAL if re.fullmatch(pattern, bare)), None)
        kind = Kind(logical) if isinstance(logical, str) and logical in _KINDS else None
        if kind is None and logical is not None:
            kind = {"map": Kind.ARRAY, "time": Kind.TEXT}.get(str(logical))
            if kind is None:
                self.made.told.append(f"{place}: {logical!r} is not a logical type here; it became string")
                kind = Kind.TEXT
        elif kind is None:
            kind = stored or Kind.TEXT
            self.made.told.append(f"{place}: {physical or 'without a type'} became {kind}")
        elif (kind, stored) == (Kind.DATE, Kind.TIMESTAMP):
            # Version 3.0 had no timestamp among its logical types.
            kind = Kind.TIMESTAMP
        if kind is Kind.OBJECT and not _listed(given.get("properties")):
            self.made.told.append(f"{place}: an object without properties became a string")
            kind = Kind.TEXT
        return kind

    def _classify(self, given: dict[str, Any], made: dict[str, Any], place: str) -> None:
        grade = given.get("classification")
        if isinstance(grade, str) and grade in _GRADES - {Classification.PROTECTED}:
            made["classification"] = grade
        elif grade is not None:
            self.made.told.append(f"{place}: {grade!r} is treated as personal")

    def _options(self, options: dict[str, Any], kind: Kind, place: str) -> dict[str, Any]:
        numeric = kind in (Kind.INTEGER, Kind.NUMBER)
        kept = {
            name: value
            for name, value in options.items()
            if (name == "pattern" and kind is Kind.TEXT and isinstance(value, str))
            or (name in ("minimum", "maximum") and numeric and type(value) in (int, float))
        }
        if left := sorted(str(name) for name in set(options) - set(kept)):
            self.made.told.append(f"{place}: left out {', '.join(left)}")
        return kept

    def _rules(self, given: dict[str, Any]) -> dict[str, Any]:
        """`quality` and `relationships`. What does not hold here is found by the strict reader: see runtime."""
        made: dict[str, Any] = {}
        if quality := _listed(given.get("quality")):
            made["quality"] = [{key: each[key] for key in (*_OF_A_RULE, *OPERATORS) if key in each} for each in quality]
        if relations := _listed(given.get("relationships")):
            made["relationships"] = [
                {key: self._reference(each[key]) for key in ("from", "to") if key in each}
                | {key: each[key] for key in ("type",) if key in each}
                for each in relations
            ]
        return made

    def _reference(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._reference(each) for each in value]
        text = str(value)
        if "/" in text or "#" in text:
            return self.paths.get(text.removeprefix("#").removeprefix("/"), text)
        return ".".join(legal(part) for part in text.split("."))

    def _name(self, given: dict[str, Any], what: str) -> str:
        name = legal(given.get("name"))
        if not name:
            raise ForeignRefused(f"{what} has no name that can be used here")
        if name != given.get("name"):
            self.made.told.append(f"{given.get('name')} is called {name} here")
        return name


def _texts(given: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: str(given[name]) for name in names if given.get(name)}
