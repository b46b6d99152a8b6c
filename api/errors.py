"""What can be wrong with a request before any room is asked, and what can fail on the way out."""

from kernel import (
    CallerMistake,
    HouseFault,
    NotAllowed,
    NotFound,
    NotIdentified,
    OperatorMistake,
    RequestInvalid,
    TryAgainLater,
)


class CertificateMissing(NotIdentified):
    """Data is only handed to systems, and a system is known by the client certificate of its TLS connection."""

    code = "certificate_missing"
    title = "The call shows no client certificate"


class ClientCertHeaderRefused(RequestInvalid):
    """A header with a client certificate (RFC 9440) counts from a configured proxy alone; elsewhere it is forged."""

    code = "client_cert_header_refused"
    title = "The header with a client certificate is not taken"


class HttpInvalid(RequestInvalid):
    """What came over the connection is not HTTP/1.1, or nothing that can be answered."""

    code = "http_invalid"
    title = "This is not HTTP"


class HeadTooLarge(RequestInvalid):
    """Request line and headers together may have 64 KiB."""

    code = "head_too_large"
    status = 431
    title = "The headers are too large"


class RequestTooSlow(CallerMistake):
    """A request must be whole within half a minute of its first byte."""

    code = "request_too_slow"
    status = 408
    title = "The request took too long to come"


class RouteUnknown(NotFound):
    """Nothing is served under this path."""

    code = "route_unknown"
    title = "There is nothing here"


class OperationUnknown(NotFound):
    """The service is there and does not offer this operation."""

    code = "operation_unknown"
    title = "The service does not offer this"


class OperatorsOnly(NotAllowed):
    code = "operators_only"
    title = "Only operators may see this"


class ServiceNotOffered(NotFound):
    """The service is in the catalogue and cannot be called: it is not in use yet, not here, or no more."""

    code = "service_not_offered"
    title = "The service cannot be called here"


class MethodNotAllowed(CallerMistake):
    """The path is right and the HTTP method is not; the header Allow says which are."""

    code = "method_not_allowed"
    status = 405
    title = "The path does not take this method"

    def __init__(self, methods: tuple[str, ...]) -> None:
        self.methods = methods
        super().__init__("the path does not take this method", remedy=f"use {' or '.join(methods)}")


class PersonalKeyInUrl(RequestInvalid):
    """Addresses end up in logs and histories; a personal number travels in the body only."""

    code = "personal_key_in_url"
    title = "Personal keys do not belong in an address"


class BodyInvalid(RequestInvalid):
    """The body is not the JSON object that the OpenAPI document describes."""

    code = "body_invalid"
    title = "The body cannot be understood"


class BodyTooLarge(CallerMistake):
    """A request body may hold one mebibyte."""

    code = "body_too_large"
    status = 413
    title = "The body is too large"


class MediaTypeUnsupported(CallerMistake):
    """Bodies are JSON, not compressed."""

    code = "media_type_unsupported"
    status = 415
    title = "The body is not JSON"


class ParameterInvalid(RequestInvalid):
    """A query parameter is unknown, repeated, or has a value that it cannot have."""

    code = "parameter_invalid"
    title = "A parameter cannot be used"


class HeaderInvalid(RequestInvalid):
    """A header of ours has a value that it cannot have."""

    code = "header_invalid"
    title = "A header cannot be used"


class RecordNotFound(NotFound):
    """The dataset has no record with this key, or none that the agreement covers; which of the two is not said."""

    code = "record_not_found"
    title = "There is no such record"


class DecisionNotFound(NotFound):
    """No call with this trace id concerns the caller; whether it concerns another is not said."""

    code = "decision_not_found"
    title = "There is no such decision"


class FileNotFound(NotFound):
    """The agreement's shelf holds no file of this name."""

    code = "file_not_found"
    title = "There is no such file"


class RangeUnsatisfiable(CallerMistake):
    """The range lies behind the end of the file; the header Content-Range says how long it is."""

    code = "range_unsatisfiable"
    status = 416
    title = "The file does not have that range"

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        super().__init__(f"the file has {size_bytes} bytes", remedy="ask for a range within it")


class NotOnRecord(TryAgainLater):
    """Every call is put on record before its answer leaves. The record failed, so the answer stays."""

    code = "not_on_record"
    title = "The call cannot be put on record, so it is not answered"


class Unexpected(HouseFault):
    """Something failed that should not. It is in the log under the trace id."""

    code = "house_fault"


class TrustInvalid(OperatorMistake):
    """The authorities whose client certificates are trusted must be valid certificates of authorities."""

    code = "trust_invalid"
    title = "The trusted authorities cannot be used"


class ServerCertificateInvalid(OperatorMistake):
    """The certificate that the platform shows must be readable and belong to its key."""

    code = "server_certificate_invalid"
    title = "The server's certificate cannot be used"
