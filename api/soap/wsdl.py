"""WSDL 1.1 from an interface: document/literal, one part a message, as the WS-I Basic Profile wants it."""

from collections.abc import Callable
from typing import Any, Final

from lxml import etree

from api.soap.interface import Interface
from api.soap.names import FAULT, HTTP, WSDL, WSDL_SOAP_11, WSDL_SOAP_12, XSD
from api.soap.notation import Name, Schema

_W: Final = f"{{{WSDL}}}"


def wsdl_document(interface: Interface, location: str, address: Callable[[Schema], str]) -> bytes:
    """location   where the service is called
    address    where the document of a schema is found
    """
    prefixes = {"wsdl": WSDL, "soap": WSDL_SOAP_11, "soap12": WSDL_SOAP_12, "xsd": XSD, "tns": interface.namespace}
    used = [*dict.fromkeys(name.namespace for each in interface.operations for name in (each.request, each.response))]
    prefixes |= {f"m{number}": namespace for number, namespace in enumerate(used, 1)}
    if interface.faults:
        prefixes["spf"] = FAULT
    root = etree.Element(
        f"{_W}definitions", nsmap=prefixes, targetNamespace=interface.namespace, name=interface.service
    )
    names = {namespace: prefix for prefix, namespace in prefixes.items()}
    _types(root, interface, [*used, *([FAULT] if interface.faults else [])], address)
    for each in interface.operations:
        for name, element, part in (
            (f"{each.name}RequestMessage", each.request, "request"),
            (f"{each.name}ResponseMessage", each.response, "response"),
        ):
            _message(root, name, part, _qualified(names, element))
    if interface.faults:
        _message(root, "ServiceplatformFault", "error", "spf:ServiceplatformFault")
    _port_type(root, interface)
    versions = {"": WSDL_SOAP_11, **({"Soap12": WSDL_SOAP_12} if interface.soap_12 else {})}
    for suffix, namespace in versions.items():
        _binding(root, interface, suffix, namespace)
    service = etree.SubElement(root, f"{_W}service", name=interface.service)
    for suffix, namespace in versions.items():
        port = etree.SubElement(
            service, f"{_W}port", name=interface.port + suffix, binding=f"tns:{interface.binding}{suffix}"
        )
        etree.SubElement(port, f"{{{namespace}}}address", location=location)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True))


def _types(root: Any, interface: Interface, namespaces: list[str], address: Callable[[Schema], str]) -> None:
    types = etree.SubElement(root, f"{_W}types")
    every = interface.schema.every()
    schema = etree.SubElement(types, f"{{{XSD}}}schema")
    for namespace in dict.fromkeys(namespaces):
        location = address(every[namespace])
        etree.SubElement(schema, f"{{{XSD}}}import", namespace=namespace, schemaLocation=location)


def _message(root: Any, name: str, part: str, element: str) -> None:
    message = etree.SubElement(root, f"{_W}message", name=name)
    etree.SubElement(message, f"{_W}part", name=part, element=element)


def _port_type(root: Any, interface: Interface) -> None:
    made = etree.SubElement(root, f"{_W}portType", name=interface.port_type)
    for each in interface.operations:
        operation = etree.SubElement(made, f"{_W}operation", name=each.name)
        etree.SubElement(operation, f"{_W}input", message=f"tns:{each.name}RequestMessage")
        etree.SubElement(operation, f"{_W}output", message=f"tns:{each.name}ResponseMessage")
        if interface.faults:
            etree.SubElement(operation, f"{_W}fault", name="ServiceplatformFault", message="tns:ServiceplatformFault")


def _binding(root: Any, interface: Interface, suffix: str, namespace: str) -> None:
    soap = f"{{{namespace}}}"
    made = etree.SubElement(root, f"{_W}binding", name=interface.binding + suffix, type=f"tns:{interface.port_type}")
    etree.SubElement(made, f"{soap}binding", style="document", transport=HTTP)
    for each in interface.operations:
        operation = etree.SubElement(made, f"{_W}operation", name=each.name)
        etree.SubElement(operation, f"{soap}operation", soapAction=each.action, style="document")
        for direction in ("input", "output"):
            within = etree.SubElement(operation, f"{_W}{direction}")
            etree.SubElement(within, f"{soap}body", use="literal")
        if interface.faults:
            fault = etree.SubElement(operation, f"{_W}fault", name="ServiceplatformFault")
            etree.SubElement(fault, f"{soap}fault", name="ServiceplatformFault", use="literal")


def _qualified(names: dict[str, str], name: Name) -> str:
    return f"{names[name.namespace]}:{name.local}"
