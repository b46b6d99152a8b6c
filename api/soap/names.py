"""Namespaces of SOAP and of the established contracts' shared elements."""

from typing import Final

SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"
XSD: Final = "http://www.w3.org/2001/XMLSchema"
WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP_11: Final = "http://schemas.xmlsoap.org/wsdl/soap/"
WSDL_SOAP_12: Final = "http://schemas.xmlsoap.org/wsdl/soap12/"
HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
WSA: Final = frozenset({"http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing"})

_SP: Final = "http://serviceplatformen.dk/xml/schemas"
AUTHORITY: Final = f"{_SP}/AuthorityContext/1/"
CALL: Final = f"{_SP}/CallContext/1/"
INVOCATION: Final = f"{_SP}/InvocationContext/1/"
FAULT: Final = f"{_SP}/ServiceplatformFault/1/"
PNR: Final = f"{_SP}/cpr/PNR/1/"
