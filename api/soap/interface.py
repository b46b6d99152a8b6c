"""An interface: operations under one path, with the schemas of their elements."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from lxml import etree

from api.soap.context import Context, leaf
from api.soap.errors import PayloadInvalid
from api.soap.faults import SoapFault
from api.soap.names import AUTHORITY, CALL, FAULT, INVOCATION, PNR
from api.soap.notation import Name, Schema
from api.soap.writing import Writer
from api.visit import Visit
from kernel import AgreementId, Call, Caller, Channel, Grant, Operation, Said
from replica import SnapshotInfo


class SoapVisit(Visit):
    """A call whose agreement stands in its body. A purpose it can only name in the header, as over REST."""

    __slots__ = ("_context",)
    channel: ClassVar[Channel] = Channel.SOAP

    def comes_under(self, context: Context) -> None:
        self._context = context
        call_id = context.call_id or self.said.call_id
        self.said = Said(on_behalf_of=context.on_behalf_of, call_id=call_id, accounting=context.accounting)

    def _under(self) -> tuple[AgreementId | None, str | None]:
        return self._context.agreement, self._context.municipality_cvr


@dataclass(frozen=True, slots=True)
class Turn:
    """A request whose caller and context are known, and which an operation is to answer.

    fields   the request's elements without its contexts
    """

    visit: SoapVisit
    caller: Caller
    context: Context
    fields: list[Any]

    def admit(self, columns: tuple[str, ...] | None = None) -> tuple[Call, Grant]:
        """The call and its permission. Raises ContextContradicted, HeaderInvalid and the refusals of `control`."""
        call, grant = self.visit.admit(self.caller, columns)
        self.context.ensure_meant_under(grant)
        return call, grant

    def one(self, name: str) -> Any | None:
        """The element of that local name, if it is there. Raises PayloadInvalid when it stands there twice."""
        return one_of(self.fields, name)

    def text(self, name: str) -> str:
        """The text of an element that must be there. Raises PayloadInvalid."""
        found = self.one(name)
        if found is None:
            raise PayloadInvalid(f"the request has no {name}", remedy="add it", rule="soap.payload")
        return leaf(found, name)

    def texts(self, name: str) -> list[str]:
        """The texts of all elements of that local name. Raises PayloadInvalid."""
        return [leaf(each, name) for each in self.fields if etree.QName(each).localname == name]


def one_of(elements: Iterable[Any], name: str) -> Any | None:
    """The element of that local name, in whatever namespace. Raises PayloadInvalid when there are two."""
    found = [each for each in elements if etree.QName(each).localname == name]
    if len(found) > 1:
        raise PayloadInvalid(f"{name} stands there twice", remedy="give it once", rule="soap.payload")
    return found[0] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """body    the element of the answer, or the fault that says that what was asked about is not there
    info    the snapshot that was read, if one was
    """

    grant: Grant
    body: str | SoapFault
    info: SnapshotInfo | None = None
    keys: int = 0
    rows: int = 0


Answering = Callable[[Turn], Awaitable[Answered]]
"""Admits the call, finds what it asks about, and makes the answer. Raises PlatformError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapOperation:
    """name      as in the WSDL
    action    its SOAPAction
    request, response   elements
    """

    name: str
    action: str
    request: Name
    response: Name
    kind: Operation
    answer: Answering


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """paths       under which it is served; the first is the one that the WSDL names
    namespace   of the WSDL
    schema      of the messages, with all that it imports
    port_type, binding, service, port   names in the WSDL
    faults      whether the WSDL declares ServiceplatformFault
    soap_12     whether the WSDL has a second port, for SOAP 1.2; messages of either version are taken anyway
    """

    paths: tuple[str, ...]
    namespace: str
    schema: Schema
    operations: tuple[SoapOperation, ...]
    port_type: str
    binding: str
    service: str
    port: str
    faults: bool = True
    soap_12: bool = False

    def operation(self, element: Any) -> SoapOperation | None:
        """By the element in the body alone: clients get SOAPAction wrong, and it may be left out."""
        name = etree.QName(element)
        for each in self.operations:
            # Without a namespace it can only be ours.
            if name.localname == each.request.local and name.namespace in {each.request.namespace, None}:
                return each
        return None


def prefixes_of(schema: Schema) -> dict[str, str]:
    """Prefixes of an answer: fixed ones for what the established contracts share, ns3 for the service's own.

    Clients of those contracts read answers by their prefixes, so these are part of them.
    """
    made = {INVOCATION: "", PNR: "ns2", schema.namespace: "ns3", AUTHORITY: "ns4", CALL: "ns5", FAULT: "ns6"}
    for namespace in schema.every():
        made.setdefault(namespace, f"ns{len(made) + 1}")
    return made


def writer_of(schema: Schema) -> Writer:
    return Writer(schema, prefixes_of(schema))


def declared(schema: Schema) -> str:
    """Namespace declarations for the element of an answer, in a fixed order. Contexts and faults stand in none."""
    known, unused = prefixes_of(schema), {AUTHORITY, CALL, FAULT}
    return "".join(
        f' xmlns{f":{prefix}" if prefix else ""}="{namespace}"'
        for namespace, prefix in known.items()
        if namespace not in unused
    )
