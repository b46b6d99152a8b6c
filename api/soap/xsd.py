"""XML Schema documents from the notation."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lxml import etree

from api.soap.names import XSD
from api.soap.notation import Attribute, Complex, Name, Particle, Schema, Simple

_X: Final = f"{{{XSD}}}"


def xsd_document(schema: Schema, address: Callable[[Schema], str]) -> bytes:
    """The document of one schema; `address` says where those that it imports are found."""
    return bytes(
        etree.tostring(xsd_element(schema, address), xml_declaration=True, encoding="utf-8", pretty_print=True)
    )


def xsd_element(schema: Schema, address: Callable[[Schema], str]) -> Any:
    prefixes = {XSD: "xsd", schema.namespace: "tns", **{each.namespace: name for name, each in schema.imports.items()}}
    root = etree.Element(
        f"{_X}schema", nsmap={prefix: namespace for namespace, prefix in prefixes.items()},
        targetNamespace=schema.namespace, elementFormDefault="qualified",
    )  # fmt: skip
    for each in schema.imports.values():
        etree.SubElement(root, f"{_X}import", namespace=each.namespace, schemaLocation=address(each))
    writer = _Writer(prefixes)
    for simple in schema.simple.values():
        writer.simple(root, simple)
    for complex_ in schema.complex.values():
        writer.complex(root, complex_)
    for name, kind in schema.elements.items():
        etree.SubElement(root, f"{_X}element", name=name, type=writer.name(kind))
    return root


class _Writer:
    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes = prefixes

    def name(self, name: Name) -> str:
        return f"{self._prefixes[name.namespace]}:{name.local}"

    def simple(self, root: Any, simple: Simple) -> None:
        made = etree.SubElement(root, f"{_X}simpleType", name=simple.name.local)
        restriction = etree.SubElement(made, f"{_X}restriction", base=self.name(simple.base))
        for facet, value in simple.facets:
            etree.SubElement(restriction, f"{_X}{facet}", value=value)

    def complex(self, root: Any, complex_: Complex) -> None:
        made = parent = etree.SubElement(root, f"{_X}complexType", name=complex_.name.local)
        particles = any(complex_.branches)
        if complex_.base is not None:
            content = "complexContent" if complex_.extends_complex else "simpleContent"
            within = etree.SubElement(made, f"{_X}{content}")
            parent = etree.SubElement(within, f"{_X}extension", base=self.name(complex_.base))
        if particles or complex_.base is None:
            self.particles(parent, complex_)
        for attribute in complex_.attributes:
            self.attribute(parent, attribute)

    def particles(self, parent: Any, complex_: Complex) -> None:
        if len(complex_.branches) == 1:
            group = etree.SubElement(parent, f"{_X}{'all' if complex_.any_order else 'sequence'}")
            for each in complex_.branches[0]:
                self.particle(group, each)
            return
        choice = etree.SubElement(parent, f"{_X}choice")
        for branch in complex_.branches:
            group = choice if len(branch) == 1 else etree.SubElement(choice, f"{_X}sequence")
            for each in branch:
                self.particle(group, each)

    def particle(self, group: Any, particle: Particle) -> None:
        made = etree.SubElement(group, f"{_X}element")
        if particle.reference:
            made.set("ref", self.name(particle.name))
        else:
            made.set("name", particle.name.local)
            made.set("type", self.name(particle.type))
        if particle.least != 1:
            made.set("minOccurs", str(particle.least))
        if particle.many:
            made.set("maxOccurs", "unbounded")

    def attribute(self, parent: Any, attribute: Attribute) -> None:
        made = etree.SubElement(parent, f"{_X}attribute", name=attribute.name, type=self.name(attribute.type))
        if attribute.required:
            made.set("use", "required")
