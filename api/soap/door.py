"""The SOAP face of one service: calls over POST, its WSDL and XSD over GET.

identify -> message -> context -> operation (grant, admit, look up, write) -> ledger -> the answer leaves.
"""

import re
from functools import partial
from typing import Final

from api.answer import Answer, Headers
from api.doors import Doors
from api.errors import MediaTypeUnsupported, ParameterInvalid
from api.freshness import stamps
from api.offer import Offer
from api.request import ClientGone, Request
from api.soap.context import context_of
from api.soap.errors import OperationNotThere
from api.soap.faults import SoapFault, fault_body, fault_status
from api.soap.interface import Answered, Interface, SoapVisit, Turn
from api.soap.notation import Schema
from api.soap.reading import MOST_BYTES, Message, Version, read_message, version_said
from api.soap.writing import utc
from api.soap.wsdl import wsdl_document
from api.soap.xsd import xsd_document
from api.stopwatch import server_timing
from api.threads import in_thread
from api.unexpected import unexpected
from kernel import PlatformError

FEW_BYTES: Final = 64 * 1024
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_WSDL: Final = ("wsdl", "WSDL", "singleWsdl")


class SoapDoor:
    def __init__(self, doors: Doors, offer: Offer, interface: Interface) -> None:
        self._doors, self._offer, self.interface = doors, offer, interface
        self._schemas = {each.file: each for each in interface.schema.every().values()}

    async def call(self, request: Request) -> Answer:
        """One call. Whatever is refused is on record before the caller is said."""
        visit = SoapVisit(self._doors, request, self._offer, self.interface.operations[0].kind)
        version = version_said(request.headers.get(b"content-type", b""))
        try:
            # As on every path of a service: who calls comes first.
            caller = visit.identify()
            message = await _message(request)
            version = message.version
            operation = self.interface.operation(message.payload)
            if operation is None:
                offered = ", ".join(each.request.local for each in self.interface.operations)
                raise OperationNotThere(
                    "the body's element is no operation of this service", remedy=f"it takes {offered}; see ?wsdl"
                )
            visit.operation = operation.kind
            context, fields = context_of(message.payload, token=visit.token is not None)
            visit.comes_under(context)
            context.ensure_meant_for(visit.service, caller.system)
            answer = _answer(visit, version, await operation.answer(Turn(visit, caller, context, fields)))
        except ClientGone:
            raise
        except PlatformError as error:
            answer = _fault(visit, version, visit.refused(error))
        except Exception as error:
            answer = _fault(visit, version, visit.refused(unexpected(error, request)))
        answer.headers += visit.allowance.fields()
        answer.headers += self._offer.farewell
        answer.headers.append(server_timing(visit.timing or visit.watch.timing()))
        return answer

    async def describe(self, request: Request) -> Answer:
        """The WSDL at `?wsdl`, a schema at `?xsd=<name>`; public, as the catalogue is. Raises ParameterInvalid."""
        asked = request.parameters(*_WSDL, "xsd")
        address = f"https://{_host(request)}{request.path}"

        def place(schema: Schema) -> str:
            return f"{address}?xsd={schema.file}"

        if any(name in asked for name in _WSDL):
            return _document(wsdl_document(self.interface, address, place))
        schema = self._schemas.get(asked.get("xsd", ""))
        if schema is None:
            raise ParameterInvalid(
                "this path is called with POST, and described under ?wsdl",
                remedy=f"ask for ?wsdl, or for ?xsd= with one of {', '.join(sorted(self._schemas))}",
            )
        return _document(xsd_document(schema, place))


async def _message(request: Request) -> Message:
    if request.headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
        raise MediaTypeUnsupported("the body is compressed", remedy="send it as it is")
    body = await request.body(MOST_BYTES)
    read = partial(read_message, body, request.headers.get(b"content-type", b""))
    # A lookup's message takes less time than handing it to a thread; a huge one would keep everybody else waiting.
    return read() if len(body) <= FEW_BYTES else await in_thread(read)


def _answer(visit: SoapVisit, version: Version, answered: Answered) -> Answer:
    request, info, body = visit.request, answered.info, answered.body
    if isinstance(body, SoapFault):
        answer, status = _fault(visit, version, body), 404
    else:
        answer, status = Answer(200, _headers(visit, version), _enveloped(version, body)), 200
    if info is not None:
        answer.headers += stamps(info, request.trace, request.received, personal=True)[:3]
    size = len(answer.body) if isinstance(answer.body, bytes) else 0
    visit.answered(
        answered.grant, status=status, snapshot=None if info is None else info.snapshot, keys=answered.keys,
        rows=answered.rows, size_bytes=size,
    )  # fmt: skip
    return answer


def _enveloped(version: Version, body: str) -> bytes:
    return (f'<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body>{body}</soap:Body></soap:Envelope>').encode()


def _fault(visit: SoapVisit, version: Version, error: PlatformError) -> Answer:
    request = visit.request
    body = fault_body(error, version, request.trace, utc(request.received))
    headers = _headers(visit, version)
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if error.status == 413:
        # Else the rest of the body would have to be read before the next request.
        headers.append((b"connection", b"close"))
    return Answer(fault_status(error, version), headers, body)


def _headers(visit: SoapVisit, version: Version) -> Headers:
    return [
        (b"content-type", version.media_type),
        (b"cache-control", b"no-store"),
        (b"knudepunkt-trace", visit.request.trace.encode()),
    ]


def _host(request: Request) -> str:
    """As the client calls us, so that addresses lead back; nothing that it makes up gets into a document."""
    host = request.headers.get(b"host", b"")
    return host.decode("ascii") if _HOST.fullmatch(host) else "localhost"


def _document(body: bytes) -> Answer:
    return Answer(200, [(b"content-type", b"text/xml; charset=utf-8"), (b"cache-control", b"no-cache")], body)
