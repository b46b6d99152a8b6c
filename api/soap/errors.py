"""What can be wrong with a SOAP message. No message repeats what stands in it: that may be a personal number."""

from kernel import CallerMistake, HouseFault, NotAllowed, NotFound, RequestInvalid


class MessageInvalid(RequestInvalid):
    """The body is not XML that can be read, or holds what a SOAP message may not: document types, instructions."""

    code = "soap_message_invalid"
    title = "The message cannot be read"


class MessageTooLarge(CallerMistake):
    """A SOAP message may hold ten mebibytes, and a limited number of elements and attributes."""

    code = "soap_message_too_large"
    status = 413
    title = "The message is too large"


class EnvelopeInvalid(RequestInvalid):
    """The message is XML, and no SOAP envelope of version 1.1 or 1.2 with one element in its body."""

    code = "soap_envelope_invalid"
    title = "The message is no SOAP envelope"


class HeaderNotUnderstood(RequestInvalid):
    """A header that must be understood is not, or a signature stands there that nobody would verify."""

    code = "soap_header_not_understood"
    title = "A header must be understood and is not"


class OperationNotThere(NotFound):
    """The body's element is no operation of the service under this path."""

    code = "soap_operation_unknown"
    title = "The service has no such operation"


class ContextMissing(NotAllowed):
    """A call says under whose authority it is made: InvocationContext or AuthorityContext."""

    code = "soap_context_missing"
    title = "The call names no authority"


class ContextInvalid(RequestInvalid):
    """A context stands there twice, lacks a part, or has one that it cannot have."""

    code = "soap_context_invalid"
    title = "A context cannot be used"


class ContextContradicted(NotAllowed):
    """A context names another service, system or municipality than path, certificate and agreement do."""

    code = "soap_context_contradicted"
    title = "A context says something else than the call"


class PayloadInvalid(RequestInvalid):
    """An element of the request is missing, stands there twice, or has a value that it cannot have."""

    code = "soap_payload_invalid"
    title = "The request cannot be understood"


class AnswerNotPossible(NotAllowed):
    """The agreement leaves columns out that the interface's answer cannot be without."""

    code = "soap_answer_not_possible"
    title = "The agreement covers too little for this interface"


class AnswerUnfit(HouseFault):
    """A record does not fit the answer's type."""

    code = "soap_answer_unfit"
    title = "The answer cannot be written"


class QueryRefused(PayloadInvalid):
    """A query asks for what may not be asked for, or for too much at a time. The text is the established one."""

    code = "soap_query_refused"
    title = "The query is not allowed"
