"""An interface of our own, of one operation: names in its WSDL follow from the service's name and the operation's."""

from api.soap.interface import Answering, Interface, SoapOperation
from api.soap.notation import Name, Schema
from kernel import Operation
from schemas import Service


def own_namespace(service: Service) -> str:
    """It carries the version."""
    return f"urn:knudepunkt:{service.name}:{service.version.partition('.')[0]}"


def response_of(types: Schema, operation: Operation) -> Name:
    return Name(types.namespace, f"{operation.value.capitalize()}Response")


def own_interface(service: Service, types: Schema, operation: Operation, answer: Answering) -> Interface:
    """types   with the elements <Operation>Request and <Operation>Response"""
    name = operation.value
    word, namespace = name.capitalize(), types.namespace
    return Interface(
        paths=(f"/soap/{service.name}",),
        namespace=namespace,
        schema=types,
        operations=(
            SoapOperation(
                name=name,
                action=f"{namespace}:{name}",
                request=Name(namespace, f"{word}Request"),
                response=response_of(types, operation),
                kind=operation,
                answer=answer,
            ),
        ),
        port_type=f"{word}PortType",
        binding=f"{word}Binding",
        service="".join(part.capitalize() for part in service.name.split("-")),
        port=f"{word}Port",
        soap_12=True,
    )
