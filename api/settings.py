"""Settings of the section `[proxy]`."""

import re
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass


def _network(text: str) -> str:
    return str(ip_network(text))


def _fingerprint(text: str) -> str:
    found = text.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", found):
        raise ValueError("not the SHA-256 of a certificate in hex")
    return found


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class ProxySettings:
    """addresses   of proxies that end TLS before the platform: addresses or networks. From nobody else are headers
        about the client believed, and a call from one of these counts by its headers alone
    certificates   SHA-256 (hex) of the certificates that those proxies show the platform; when there are any, an
        address alone is not enough
    client_address   the header in which they give the client's address
    """

    addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    certificates: tuple[Annotated[str, AfterValidator(_fingerprint)], ...] = ()
    client_address: Literal["forwarded", "x-forwarded-for"] = "forwarded"
