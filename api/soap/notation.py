"""What an interface's types are, in a short notation; XSD, answers and documentation follow from it. For instance:

    simple CVRNumber = string pattern=[0-9]{8}
    type PersonType = number:CVRNumber, name?:string, child*:PersonType, @since?:date
    type ContextType all = number:CVRNumber, note?:string      any order
    type RelationType = number:CVRNumber | (born?:date, name?:string)      a choice
    type OwnerType : PersonType = share:integer                extends another
    type MoneyType : decimal = @currency:string                text with attributes
    element Person : PersonType

`?` is none or one, `*` any number, `+` one or more, nothing is one. After `&` stands not an element of the type's own
but one that a schema declares, this one or another by its prefix (`&cvr:Name?`). Types are the schema's own, another's
after a prefix, or of XML Schema. A line that begins with blanks goes on with the one before.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

BUILTIN: Final = frozenset({
    "string", "integer", "int", "date", "dateTime", "boolean", "nonNegativeInteger", "positiveInteger", "gYear",
    "decimal", "double", "long", "anyURI",
})  # fmt: skip
_LINE: Final = re.compile(
    r"(?P<what>simple|type|element)\s+(?P<name>[\w.-]+)(?P<all>\s+all)?(?:\s*:\s*(?P<base>[\w:.-]+))?"
    r"(?:\s*=\s*(?P<rest>.*))?"
)
_ITEM: Final = re.compile(
    r"(?P<mark>@)?(?P<name>[\w.-]+)(?P<many>[?*+])?:(?P<type>[\w:.-]+)|&(?P<reference>[\w:.-]+)(?P<times>[?*+])?"
)
_FACET: Final = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a namespace; with the namespace of XML Schema, a builtin type."""

    namespace: str
    local: str


@dataclass(frozen=True, slots=True)
class Simple:
    """facets   as in XML Schema, in their order; a pattern or enumeration may stand there more than once"""

    name: Name
    base: Name
    facets: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Particle:
    """One element of a sequence. reference   whether it is declared elsewhere and not here"""

    name: Name
    type: Name
    least: int
    many: bool
    reference: bool


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    type: Name
    required: bool


@dataclass(frozen=True, slots=True)
class Complex:
    """branches   of a choice; one branch is a sequence, or any order
    base       what it extends, complex or (with text in it) simple
    extends_complex   which of the two
    """

    name: Name
    branches: tuple[tuple[Particle, ...], ...]
    attributes: tuple[Attribute, ...] = ()
    base: Name | None = None
    any_order: bool = False
    extends_complex: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """file      its name in `?xsd=`
    imports   prefix -> the schema
    """

    namespace: str
    file: str
    imports: Mapping[str, "Schema"] = field(default_factory=dict)
    simple: Mapping[str, Simple] = field(default_factory=dict)
    complex: Mapping[str, Complex] = field(default_factory=dict)
    elements: Mapping[str, Name] = field(default_factory=dict)

    def every(self) -> dict[str, "Schema"]:
        """This schema and all that it imports, by namespace."""
        found = {self.namespace: self}
        for each in self.imports.values():
            found |= each.every()
        return found


_XSD: Final = "http://www.w3.org/2001/XMLSchema"


def schema(namespace: str, file: str, text: str, **imports: Schema) -> Schema:
    """Read a notation. Raises ValueError for what is none: it is our own, so nobody else's mistake."""
    simple: dict[str, Simple] = {}
    complex_: dict[str, Complex] = {}
    elements: dict[str, Name] = {}
    lines = re.sub(r"\n[ \t]+", " ", "\n" + text.replace("\n\n", "\n")).strip().splitlines()
    parts = [_line(each) for each in lines if each.strip()]
    elements.update((part["name"], Name("", "")) for part in parts if part["what"] == "element")
    named = frozenset(part["name"] for part in parts if part["what"] == "type")
    reader = _Reader(namespace, imports, elements, named)
    for part in parts:
        name, base, rest = part["name"], part["base"], part["rest"]
        if part["what"] == "simple":
            kind, _, facets = rest.partition(" ")
            simple[name] = Simple(Name(namespace, name), reader.type(kind), tuple(_FACET.findall(facets)))
        elif part["what"] == "element":
            elements[name] = reader.type(base)
    for part in parts:
        if part["what"] == "type":
            complex_[part["name"]] = reader.complex(part)
    return Schema(namespace, file, imports, simple, complex_, elements)


def _line(text: str) -> dict[str, str]:
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"this is no line of the notation: {text!r}")
    return {name: value or "" for name, value in found.groupdict().items()}


@dataclass(slots=True)
class _Reader:
    namespace: str
    imports: Mapping[str, Schema]
    own: Mapping[str, Name]
    types: frozenset[str]
    """Complex types of the schema itself."""

    def type(self, name: str) -> Name:
        prefix, _, local = name.rpartition(":")
        if prefix:
            return Name(self.imports[prefix].namespace, local)
        return Name(_XSD if local in BUILTIN else self.namespace, local)

    def complex(self, part: dict[str, str]) -> Complex:
        attributes: list[Attribute] = []
        branches: list[tuple[Particle, ...]] = []
        for branch in part["rest"].split("|"):
            particles: list[Particle] = []
            for item in filter(None, (each.strip() for each in branch.strip().strip("()").split(","))):
                found = _ITEM.fullmatch(item)
                if found is None:
                    raise ValueError(f"this is no item of the notation: {item!r}")
                if found["mark"]:
                    attributes.append(Attribute(found["name"], self.type(found["type"]), found["many"] != "?"))
                elif found["reference"]:
                    particles.append(self.declared(found["reference"], found["times"] or ""))
                else:
                    name, kind = Name(self.namespace, found["name"]), self.type(found["type"])
                    particles.append(_particle(name, kind, found["many"] or "", reference=False))
            branches.append(tuple(particles))
        base = self.type(part["base"]) if part["base"] else None
        return Complex(
            Name(self.namespace, part["name"]), tuple(branches), tuple(attributes), base, bool(part["all"]),
            base is not None and self.is_complex(base),
        )  # fmt: skip

    def is_complex(self, name: Name) -> bool:
        others = {each.namespace: each.complex for each in self.imports.values()}
        return name.local in (self.types if name.namespace == self.namespace else others.get(name.namespace, ()))

    def declared(self, name: str, many: str) -> Particle:
        prefix, _, local = name.rpartition(":")
        namespace = self.imports[prefix].namespace if prefix else self.namespace
        kind = (self.imports[prefix].elements if prefix else self.own)[local]
        return _particle(Name(namespace, local), kind, many, reference=True)


def _particle(name: Name, kind: Name, many: str, *, reference: bool) -> Particle:
    return Particle(name, kind, 0 if many in {"?", "*"} else 1, many in {"*", "+"}, reference)
