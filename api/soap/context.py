"""Context elements of a request: whose authority, on behalf of whom. Found by local name, in any order and namespace.

InvocationContext names the agreement; AuthorityContext names the municipality, and the agreement follows from it, the
certificate's system and the service; CallContext says for whom and under which number of the caller's own. One
of the first two must stand there, unless an access token names the municipality.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from api.soap.errors import ContextContradicted, ContextInvalid, ContextMissing, PayloadInvalid
from kernel import AgreementId, Grant
from schemas import Service

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CVR: Final = re.compile(r"[0-9]{8}")
_LONGEST: Final = 255
_TOLD: Final = ("OnBehalfOfUser", "CallersServiceCallIdentifier", "AccountingInfo")
_CONTEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "InvocationContext": ("ServiceAgreementUUID", "UserSystemUUID", "UserUUID", "ServiceUUID", *_TOLD),
    "AuthorityContext": ("MunicipalityCVR",),
    "CallContext": _TOLD,
}
_REQUIRED: Final = ("ServiceAgreementUUID", "UserSystemUUID", "UserUUID", "ServiceUUID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """agreement, system, municipality, service   UUIDs of an InvocationContext; None without one
    municipality_cvr   of an AuthorityContext
    on_behalf_of   the end user, as the caller calls them; personal
    call_id, accounting   the caller's own number and words for its books
    """

    agreement: AgreementId | None = None
    system: str | None = None
    municipality: str | None = None
    service: str | None = None
    municipality_cvr: str | None = None
    on_behalf_of: str | None = field(default=None, repr=False)
    call_id: str | None = field(default=None, repr=False)
    accounting: str | None = field(default=None, repr=False)

    def ensure_meant_for(self, service: Service, system: str) -> None:
        """Raises ContextContradicted when it speaks of another service or system than path and certificate do."""
        if self.service is not None and self.service != service.uuid:
            raise _contradicted("ServiceUUID", f"{service.uuid}, the service under this path")
        if self.system is not None and self.system != system:
            raise _contradicted("UserSystemUUID", "the id of the system whose certificate is shown")

    def ensure_meant_under(self, grant: Grant) -> None:
        """Raises ContextContradicted when it names another municipality than the agreement's."""
        if self.municipality is not None and self.municipality != grant.municipality:
            raise _contradicted("UserUUID", "the id of the municipality that the agreement is with")


def context_of(request: Any, *, token: bool = False) -> tuple[Context, list[Any]]:
    """The contexts in a request's element, and the elements that are left, in their order.

    token   whether an access token names the municipality, so that no context must

    Raises ContextMissing, ContextInvalid.
    """
    found: dict[str, dict[str, str]] = {}
    rest: list[Any] = []
    for each in request:
        name = etree.QName(each).localname
        if name not in _CONTEXTS:
            rest.append(each)
        elif name in found:
            raise _invalid(f"{name} stands there twice")
        else:
            found[name] = _parts(each, name)
    invocation, authority = found.get("InvocationContext"), found.get("AuthorityContext")
    if invocation is None and authority is None and not token:
        raise ContextMissing(
            "Security model for the called operation was not provided. "
            "The following are supported: [KombitToken, AuthorityContext]",
            remedy="begin the request with an AuthorityContext or an InvocationContext",
            rule="soap.context",
        )
    uuids = _uuids(invocation) if invocation is not None else {}
    cvr = None
    if authority is not None:
        cvr = authority.get("MunicipalityCVR", "")
        if not _CVR.fullmatch(cvr):
            raise _invalid("MunicipalityCVR is not a CVR number of eight digits")
    told = _told(found.get("CallContext", {}), invocation or {})
    return Context(**uuids, municipality_cvr=cvr, **told), rest


def _parts(context: Any, name: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for each in context:
        part = etree.QName(each).localname
        if part not in _CONTEXTS[name]:
            raise _invalid(f"{name} holds an element that it does not have")
        if part in parts:
            raise _invalid(f"{part} stands in {name} twice")
        try:
            parts[part] = leaf(each, part)
        except PayloadInvalid as error:
            raise _invalid(error.message) from None
    return parts


def _uuids(invocation: dict[str, str]) -> dict[str, Any]:
    for name in _REQUIRED:
        if not _UUID.fullmatch(invocation.get(name, "").lower()):
            raise _invalid(f"{name} is not a UUID" if name in invocation else f"InvocationContext has no {name}")
    agreement, system, municipality, service = (invocation[name].lower() for name in _REQUIRED)
    return {
        "agreement": AgreementId(agreement), "system": system, "municipality": municipality, "service": service,
    }  # fmt: skip


def _told(call: dict[str, str], invocation: dict[str, str]) -> dict[str, Any]:
    values: list[str | None] = []
    for name in _TOLD:
        said = {value for value in (call.get(name), invocation.get(name)) if value}
        if len(said) > 1:
            raise _invalid(f"{name} stands in two contexts, with two values")
        value = said.pop() if said else None
        if value is not None and len(value) > _LONGEST:
            raise _invalid(f"{name} has more than {_LONGEST} characters")
        values.append(value)
    return dict(zip(("on_behalf_of", "call_id", "accounting"), values, strict=True))


def leaf(element: Any, name: str) -> str:
    """The text of an element without elements in it, blanks around it gone. Raises PayloadInvalid."""
    if len(element):
        raise PayloadInvalid(f"{name} holds elements where it should hold text", remedy="mend the request")
    return (element.text or "").strip()


def _invalid(what: str) -> ContextInvalid:
    return ContextInvalid(what, remedy="mend the context; its types are at ?wsdl", rule="soap.context")


def _contradicted(name: str, wanted: str) -> ContextContradicted:
    return ContextContradicted(
        f"{name} of the InvocationContext is another than the call's", remedy=f"give {wanted}", rule="soap.context"
    )
