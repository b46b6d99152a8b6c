"""Elements that the established contracts share: contexts, the fault, the personal number."""

from typing import Final

from api.soap.names import AUTHORITY, CALL, FAULT, INVOCATION, PNR
from api.soap.notation import Schema, schema

_TOLD: Final = "".join(
    f"simple {name}Type = string maxLength=255\nelement {name} : {name}Type\n"
    for name in ("OnBehalfOfUser", "CallersServiceCallIdentifier", "AccountingInfo")
)
_UUIDS: Final = "".join(
    f"simple {name}Type = UUIDType\nelement {name} : {name}Type\n"
    for name in ("ServiceAgreementUUID", "UserSystemUUID", "UserUUID", "ServiceUUID")
)

AUTHORITY_CONTEXT: Final = schema(
    AUTHORITY,
    "AuthorityContext_1.xsd",
    """
simple CVRNumber = string pattern=[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]
type AuthorityContextType all = MunicipalityCVR:CVRNumber
element AuthorityContext : AuthorityContextType
""",
)
CALL_CONTEXT: Final = schema(
    CALL,
    "CallContext_1.xsd",
    _TOLD
    + """
type CallContextType all = &OnBehalfOfUser?, &CallersServiceCallIdentifier?, &AccountingInfo?
element CallContext : CallContextType
""",
)
INVOCATION_CONTEXT: Final = schema(
    INVOCATION,
    "InvocationContext_1.xsd",
    "simple UUIDType = string pattern=[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}\n"
    + _TOLD
    + _UUIDS
    + """
type InvocationContextType all = &ServiceAgreementUUID, &UserSystemUUID, &UserUUID, &OnBehalfOfUser?, &ServiceUUID,
    &CallersServiceCallIdentifier?, &AccountingInfo?
element InvocationContext : InvocationContextType
""",
)
SP_FAULT: Final = schema(
    FAULT,
    "ServiceplatformFault_1.xsd",
    """
type ServiceplatformFaultType = ErrorList?:ErrorListType
type ErrorListType = Error+:ErrorType
type ErrorType = ErrorCode:string, ErrorText:string
element ServiceplatformFault : ServiceplatformFaultType
""",
)
PERSONAL_NUMBER: Final = schema(PNR, "PNR_1.xsd", "simple PNRType = string maxLength=10\nelement PNR : PNRType")
CONTEXTS: Final[dict[str, Schema]] = {
    "callctx": CALL_CONTEXT, "authctx": AUTHORITY_CONTEXT, "invctx": INVOCATION_CONTEXT, "spf": SP_FAULT,
}  # fmt: skip
"""What the messages of a service import, by the prefixes of the notation."""
ANY_CONTEXT: Final = "&callctx:CallContext?, &authctx:AuthorityContext?, &invctx:InvocationContext?"
"""The first elements of a request."""
