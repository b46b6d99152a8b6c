"""Refusals as SOAP faults. The text stands in the fault string and in the detail, since clients look at either.

A text ends with the call's number and the time, which is what a caller quotes when asking about it. Two texts are read
by clients word for word, and stand alone: see `SoapFault`.
"""

from typing import Final
from uuid import UUID

from api.soap.errors import MessageTooLarge, QueryRefused
from api.soap.names import FAULT
from api.soap.reading import Version
from api.soap.writing import text
from kernel import CallerMistake, NotFound, PlatformError, TraceId

_TOO_LARGE: Final = "The request was larger than 10 mb and therefore rejected"


class SoapFault(NotFound):
    """An answer in the form of a fault: what was asked about is not there. It is on record as answered.

    exact   what clients of an established contract compare the text with
    """

    code = "soap_not_there"
    title = "What was asked about is not there"

    def __init__(self, exact: str) -> None:
        super().__init__(exact)
        self.exact = exact


def fault_body(error: PlatformError, version: Version, trace: TraceId, received: str) -> bytes:
    """received   when the call came in, UTC to the millisecond"""
    code, said = fault_text(error)
    if not isinstance(error, (SoapFault, QueryRefused)):
        said = (
            f"{said}\n\nFor further information contact the operator of the platform and inform:\n"
            f"CallUUID: {call_uuid(trace)}\nReceived: {received}"
        )
    # "No such person" is the server's word, as it is in the contracts that clients come with.
    sender = isinstance(error, CallerMistake) and not isinstance(error, NotFound)
    written = text(said)
    detail = (
        f'<ns2:ServiceplatformFault xmlns:ns2="{FAULT}"><ns2:ErrorList><ns2:Error>'
        f"<ns2:ErrorCode>{text(code)}</ns2:ErrorCode><ns2:ErrorText>{written}</ns2:ErrorText>"
        "</ns2:Error></ns2:ErrorList></ns2:ServiceplatformFault>"
    )
    if version is Version.V11:
        inside = (
            f"<faultcode>soap:{'Client' if sender else 'Server'}</faultcode><faultstring>{written}</faultstring>"
            f"<detail>{detail}</detail>"
        )
    else:
        inside = (
            f"<soap:Code><soap:Value>soap:{'Sender' if sender else 'Receiver'}</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="en">{written}</soap:Text></soap:Reason>'
            f"<soap:Detail>{detail}</soap:Detail>"
        )
    return (
        f'<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body><soap:Fault>{inside}'
        "</soap:Fault></soap:Body></soap:Envelope>"
    ).encode()


def fault_status(error: PlatformError, version: Version) -> int:
    """500 for every fault of SOAP 1.1, and 400 for the sender's own of 1.2, as their HTTP bindings have it."""
    if version is Version.V12 and isinstance(error, CallerMistake) and not isinstance(error, NotFound):
        return 400
    return 500


def fault_text(error: PlatformError) -> tuple[str, str]:
    """The code and the text of a fault, without the closing lines."""
    if isinstance(error, SoapFault):
        return error.code, error.exact
    if error.code in {"body_too_large", MessageTooLarge.code}:
        # The established code, whatever is too large; the established text for its size in bytes.
        return "MessageTooLarge", _TOO_LARGE if error.code == "body_too_large" else error.message
    if error.code == "house_fault":
        return error.code, "Unexpected Error"
    said = f"{error.message}. {error.remedy[:1].upper()}{error.remedy[1:]}." if error.remedy else error.message
    # The one text about security models is known word for word, as its first line.
    return error.code, error.message if error.code == "soap_context_missing" else said


def call_uuid(trace: TraceId) -> str:
    """The trace id in the form of a UUID: it opens the decision, as the trace does."""
    return str(UUID(trace))
