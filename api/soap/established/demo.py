"""DemoService 1 (SF0101): answers what it is sent. The natural first call of a system."""

from typing import Final

from api.doors import Doors
from api.soap.established.shared import ANY_CONTEXT, CONTEXTS
from api.soap.interface import Answered, Interface, SoapOperation, Turn, declared, writer_of
from api.soap.notation import Name, schema
from kernel import Operation
from schemas import Service

_NAMESPACE: Final = "http://serviceplatformen.dk/xml/wsdl/soap11/SP/Demo/1/"
SCHEMA: Final = schema(
    _NAMESPACE,
    "DemoServiceMsg.xsd",
    f"""
type CallDemoServiceRequestType = {ANY_CONTEXT}, messageString:string
type CallDemoServiceResponseType = responseString:string
element CallDemoServiceRequest : CallDemoServiceRequestType
element CallDemoServiceResponse : CallDemoServiceResponseType
""",
    **CONTEXTS,
)
LONGEST: Final = 10_000
"""Characters of a message that come back."""


def demo(doors: Doors, service: Service) -> Interface:
    del doors, service
    response = Name(_NAMESPACE, "CallDemoServiceResponse")
    written = writer_of(SCHEMA).element(response, declared(SCHEMA))

    async def answer(turn: Turn) -> Answered:
        message = turn.text("messageString")
        _, grant = turn.admit()
        return Answered(grant=grant, body=written({"responseString": message[:LONGEST]}))

    return Interface(
        paths=("/service/SP/Demo/1",),
        namespace=_NAMESPACE,
        schema=SCHEMA,
        operations=(
            SoapOperation(
                name="callDemoService",
                action=f"{_NAMESPACE}callDemoService",
                request=Name(_NAMESPACE, "CallDemoServiceRequest"),
                response=response,
                kind=Operation.CALL,
                answer=answer,
            ),
        ),
        port_type="DemoPortType",
        binding="DemoBinding",
        service="DemoService",
        port="DemoPort",
    )
